#!/usr/bin/env bash
# Writes goals and what was reached as tables in docs/results/goals-PART.md. Parts:
#
#     speed      from what peers.sh, footprint.sh and train_throughput.sh have kept in docs/results
#     home       packages and the program for 64-bit Arm: builds and tests them, in an hour or two
#     hardened   faults while the program runs, damaged input, dependencies: runs those tests
#
#     benches/goals.sh [PART...]
#
# Each command's output stays in runs/goals. The exit status is 1 where one failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
logs=runs/goals
mkdir -p "$logs"
failed=0

# A row about a command: what it is for, what the last column says, and the command.
row() { # WHAT SUMMARY COMMAND...
    local what=$1 summary=$2 started=$SECONDS result log
    shift 2
    log=$logs/$(tr -c 'a-z0-9\n' - <<<"$*").log
    if "$@" >"$log" 2>&1; then
        result=$("$summary" "$log")
    else
        result="**failed**"
        failed=1
        echo "goals: $* failed, see $log" >&2
    fi
    printf '| %s | `%s` | %s | %d |\n' "$what" "$*" "$result" $((SECONDS - started))
}
head_row() {
    echo "| what | command | result | s |"
    echo "|---|---|---|---|"
}
megabytes() { stat -c %s "$1" | awk '{ printf "%.1f MB", $1 / 1e6 }'; } # FILE
# Of all test programs in a log.
tests_passed() {
    awk '/^test result: ok/ { passed += $4; ignored += $8 } END {
        printf "%d tests passed", passed
        if (ignored) printf ", %d are run by hand", ignored
    }' "$1"
}
scenarios_passed() { echo "$(grep -c '\.\.\. ok ' "$1") scenarios passed"; }
package_checked() { sed -n 's/^package test: all \([0-9]* checks\) passed/\1 passed/p; s/^package test: \(SKIPPED.*\)/\1/p' "$1"; }
audited() { # LOG
    echo "nothing found$(sed -n 's/^ci: advisories NOT checked.*/; advisories could not be fetched here/p' "$1")"
}
arm_program() { megabytes "$(sed -n 's/^parseye: the program for 64-bit Arm is //p' "$1")"; }
package() { # LOG
    local file
    file=$(sed -n 's/^deb: \(.*\.deb\), [0-9]* bytes.*/\1/p' "$1")
    echo "$(megabytes "$file"), needs $(dpkg-deb -f "$file" Depends)"
}

home() {
    head_row
    row "a package for this machine" package make deb
    row "installed in a clean system, used, removed, purged" package_checked make test-deb
    row "the program for a Raspberry Pi" arm_program make arm64
    row "its tests on an emulated Cortex-A72" tests_passed make test-arm64
    row "its package" package make deb DEB_ARCH=arm64
    row "with cameras in an emulated 64-bit Arm machine" scenarios_passed make test-camera ARCH=arm64
    row "with cameras in an emulated machine like this" scenarios_passed make test-camera
    row "what the documents tell to type, and their links" tests_passed \
        cargo test --locked --workspace --test runtime --test train -- documents::
}

# One row for each test of the faults.
faults() {
    local log=$logs/faults.log
    if ! cargo test --locked --workspace --test runtime -- faults:: >"$log" 2>&1; then
        failed=1
        echo "goals: tests of faults failed, see $log" >&2
    fi
    echo "| fault | test | result |"
    echo "|---|---|---|"
    # What is ignored is a part of another test.
    sed -n '/\.\.\. ignored/d; s/^test faults::\([a-z_]*\)::\([a-z0-9_]*\) \.\.\. \(.*\)$/\1 \2 \3/p' "$log" | sort |
        while read -r fault name result; do
            name=${name//_s_/"'s_"}
            printf '| %s | %s | %s |\n' "${fault//_/ }" "${name//_/ }" "${result/FAILED/**failed**}"
        done
}
hardened() {
    faults
    echo
    head_row
    row "wrong flags, files and settings of every command" tests_passed \
        cargo test --locked --workspace --test runtime --test train -- misuse::
    row "hostile models, videos and images: memory and time are bounded" tests_passed \
        cargo test --locked --workspace --lib -- graph onnx_file raw_video video:: mjpeg pixels bounded
    row "licences, sources and duplicates of all dependencies" audited .ci/run dependencies
    printf '\nBlocks of the code that the compiler does not check (`unsafe`), without what is written for tests:\n\n'
    grep -rc --include='*.rs' 'allow(unsafe_code)' runtime train/src | sort | awk -F : '$2 { print "- " $1 ": " $2 }'
}
speed() { python3 benches/speed_goals.py docs/results; }

declare -A titles=(
    [speed]='speed and size'
    [home]='packages, 64-bit Arm, cameras'
    [hardened]='faults, damaged input, dependencies'
)
[ $# -gt 0 ] || set -- speed home hardened
for part in "$@"; do
    case $part in
    speed | home | hardened)
        kept=docs/results/goals-$part.md
        {
            printf '# Goals: %s\n`benches/goals.sh %s`\n\n' "${titles[$part]}" "$part"
            "$part"
        } >"$kept.partial"
        mv "$kept.partial" "$kept"
        cat "$kept"
        ;;
    *)
        echo "goals: no part '$part'; there are speed, home and hardened" >&2
        exit 1
        ;;
    esac
done
exit "$failed"
