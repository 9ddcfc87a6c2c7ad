#!/usr/bin/env bash
# Which lines of the program the tests run, in all and file by file: unit and integration tests of the workspace
# but train, whose trainings would take hours with counters in them.
#
#     .ci/coverage.sh [CARGO ARGS...]      -p parseye-events, say, for one package's tests alone
#
# Builds everything anew with counters, in a target folder of its own; the report for a browser is beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo_llvm_cov=0.9.1
tools=${CARGO_TARGET_DIR:-target}/tools

fail() {
    echo "coverage: $*" >&2
    exit 1
}

# The counters are read by the tools of the very LLVM that the compiler has: rustup's, or the system's of that number.
if ! [ -x "$(rustc --print target-libdir)/../bin/llvm-profdata" ]; then
    version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    if command -v "llvm-profdata-$version" >/dev/null 2>&1; then
        LLVM_COV=$(command -v "llvm-cov-$version")
        LLVM_PROFDATA=$(command -v "llvm-profdata-$version")
        export LLVM_COV LLVM_PROFDATA
    elif ! rustup component add llvm-tools >&2; then
        fail "llvm-profdata of LLVM $version is missing: rustup component add llvm-tools, or (Debian) apt install llvm-$version"
    fi
fi
if ! grep -qsF "\"cargo-llvm-cov $cargo_llvm_cov " "$tools/.crates.toml"; then
    cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build" \
        --config profile.dev.debug=false "cargo-llvm-cov@$cargo_llvm_cov"
    rm -rf "$tools/build"
fi

[ $# -gt 0 ] || set -- --workspace --exclude parseye-train --exclude parseye-benches
# What stands in tests/ tests, and is not tested.
only=(--ignore-filename-regex '(^|/)(tests|benches|examples)/|/tests\.rs$')
export PATH=$PWD/$tools/bin:$PATH
[ "${tools#/}" = "$tools" ] || export PATH=$tools/bin:$PATH
cargo llvm-cov --locked --lib --bins --tests --html "${only[@]}" "$@"
cargo llvm-cov report --summary-only "${only[@]}"
cargo llvm-cov report --json --summary-only "${only[@]}" |
    python3 -c '
import json, sys
lines = json.load(sys.stdin)["data"][0]["totals"]["lines"]
print("coverage: {covered} of {count} lines, {percent:.1f} %".format(**lines))'
