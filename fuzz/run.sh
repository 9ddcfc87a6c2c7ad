#!/usr/bin/env bash
# Fuzzes what Parseye reads from outside: builds the targets with cargo-fuzz and feeds each for a while.
#
# Usage: fuzz/run.sh [TARGET...] [SECONDS]   all targets and 60 seconds each by default
#        fuzz/run.sh --tools                 sets up what is missing, or says in one line how to
#
# It begins with the seeds in fuzz/seeds and what earlier runs found, which is kept in the target folder
# beside each target's log and the inputs that made it fail. As many targets run at once as there are
# processors (FUZZ_JOBS=1: one after the other).
#
# By default the targets are built without a sanitizer, by any Rust: one makes the build and every run
# slower, and the program's own code has nothing unsafe. FUZZ_SANITIZER=address watches the memory of its
# dependencies as well, and needs Rust's nightly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PATH:$HOME/.cargo/bin
place=${CARGO_TARGET_DIR:-target}
tools=$place/tools
place=$place/fuzz
cargo_fuzz=0.13.2
sanitizer=${FUZZ_SANITIZER:-none}
# An input that takes longer or more memory is a failure. A picture of the largest size accepted takes a
# third of a second of processor time and 160 MB; a busy machine makes seconds of it.
most_seconds=30
most_mb=1500

fail() {
    echo "fuzz: $1" >&2
    exit 1
}

# Unoptimised: building it costs a minute, running it nothing.
install_cargo_fuzz() {
    [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" = "cargo-fuzz $cargo_fuzz" ] && return
    cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build" \
        --config profile.dev.debug=false "cargo-fuzz@$cargo_fuzz" || return
    rm -rf "$tools/build"
}
set_up() {
    command -v cargo >/dev/null || fail "Rust is missing; install it with rustup, open a new shell, then run this again"
    command -v c++ >/dev/null || fail "a C++ compiler is missing; install one (on Debian: apt install g++), then run this again"
    install_cargo_fuzz ||
        fail "cargo-fuzz is missing and could not be installed; by hand: cargo install --locked --root $tools cargo-fuzz@$cargo_fuzz"
    [ "$sanitizer" = none ] && return
    command -v rustup >/dev/null || fail "FUZZ_SANITIZER=$sanitizer needs Rust's nightly, and there is no rustup to install it with"
    rustup run nightly rustc --version >/dev/null 2>&1 ||
        rustup toolchain install nightly --profile minimal >&2 ||
        fail "Rust's nightly is missing; by hand: rustup toolchain install nightly --profile minimal"
    export RUSTUP_TOOLCHAIN=nightly
}

all=()
for file in fuzz/targets/*.rs; do
    all+=("$(basename "$file" .rs)")
done
targets=()
seconds=60
for word in "$@"; do
    case $word in
    --tools)
        set_up
        exit
        ;;
    *[!0-9]*)
        [ -f "fuzz/targets/$word.rs" ] || fail "no target '$word'; there are: ${all[*]}"
        targets+=("$word")
        ;;
    *) seconds=$word ;;
    esac
done
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")

set_up
triple=$(rustc -vV | sed -n 's/^host: //p')
# cargo-fuzz builds one target or all of them, and all share what takes the time. Its own flags turn on
# the assertions of all dependencies unless told to build as released; the manifest asks for ours. Left
# alone it has each crate compiled by one thread, for runs that inline more: minutes that a run of one
# minute does not bring back.
build=(fuzz build --fuzz-dir fuzz --target-dir "$place" --target "$triple" --sanitizer "$sanitizer" --release
    --codegen-units 16)
[ ${#targets[@]} -gt 1 ] || build+=("${targets[0]}")
PATH=$tools/bin:$PATH cargo "${build[@]}" || fail "the targets could not be built (the reason is above)"

# Runs one target, and prints a line about it.
feed() { # TARGET
    local work=$place/corpus/$1 found=$place/artifacts/$1 log=$place/logs/$1.log status=0 words
    mkdir -p "$work" "$found" "$place/logs"
    words=("-max_total_time=$seconds" "-timeout=$most_seconds" "-rss_limit_mb=$most_mb" "-artifact_prefix=$found/"
        -print_final_stats=1 -verbosity=1)
    [ ! -f "fuzz/dictionaries/$1.dict" ] || words+=("-dict=fuzz/dictionaries/$1.dict")
    "$place/$triple/release/$1" "${words[@]}" "$work" "fuzz/seeds/$1" >"$log" 2>&1 || status=$?
    # The last line of progress: '#123  DONE  cov: 45 ft: 67 corp: 8/9b ...'.
    awk -v target="$1" '
        $1 ~ /^#[0-9]+$/ { for (i = 2; i < NF; i++) if ($i ~ /^(cov|ft|corp):$/) value[$i] = $(i + 1) }
        /^stat::number_of_executed_units:/ { runs = $2 }
        /^stat::average_exec_per_sec:/ { speed = $2 }
        /^stat::peak_rss_mb:/ { memory = $2 }
        END {
            printf "%-15s %10d runs %7d/s  cov %6d  ft %6d  corpus %s  peak %d MB\n",
                target, runs, speed, value["cov:"], value["ft:"], value["corp:"], memory
        }' "$log"
    [ "$status" = 0 ] && return
    tail -n 25 "$log" >&2
    echo "fuzz: $1 FAILED; its input is in $found, its log in $log; again: $place/$triple/release/$1 INPUT" >&2
    return 1
}

echo "fuzz: $seconds s for each of: ${targets[*]}"
jobs=${FUZZ_JOBS:-$(nproc 2>/dev/null || echo 1)}
running=0
failed=0
for target in "${targets[@]}"; do
    if [ "$running" -ge "$jobs" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    feed "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
