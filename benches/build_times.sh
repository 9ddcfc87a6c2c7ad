#!/usr/bin/env bash
# Measures what building Parseye costs, in a clean clone of the last commit, and prints a line for each part:
#
#     run     the program as `make run` builds it, from nothing, and its size
#     test    all tests as `make test` builds them, from nothing, then their run
#     edit    an edit of runtime/vision/src/snr.rs until that crate's own tests have run
#
#     benches/build_times.sh [PART...]   run, test and edit without a name
#
# Minutes are those of the clock and, behind them, those of all processors, which other work on the machine
# changes little. What packages and tools need is not counted: the face detector and libtorch are taken from
# this checkout. The folder (TMPDIR) needs 20 GB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
home=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
git clone --quiet . "$place/parseye"
mkdir -p "$place/parseye/models/face-detector"
cp models/face-detector/* "$place/parseye/models/face-detector/"
[ ! -e third_party ] || ln -s "$home/third_party" "$place/parseye/third_party"
cd "$place/parseye"
export CARGO_TARGET_DIR=$place/target CARGO_TERM_COLOR=never INSTA_UPDATE=no
unset LIBTORCH

timed() { # NAME COMMAND...
    local name=$1 TIMEFORMAT='%R %U %S' times status=0
    shift
    { times=$({ time "$@" >"$place/log" 2>&1; } 2>&1) || status=$?; }
    [ "$status" = 0 ] || {
        tail -n 20 "$place/log" >&2
        echo "build_times: '$*' failed with status $status" >&2
        exit 1
    }
    awk -v name="$name" '{ printf "%-28s %6.1f min, processors %6.1f min\n", name, $1 / 60, ($2 + $3) / 60 }' <<<"$times"
}
run() {
    timed "run: build from nothing" cargo build --locked --release -p parseye
    awk -v bytes="$(stat -c %s "$CARGO_TARGET_DIR/release/parseye")" \
        'BEGIN { printf "%-28s %6.1f MB\n", "run: the program", bytes / 1e6 }'
    rm -rf "$CARGO_TARGET_DIR/release"
}
test() {
    timed "test: build from nothing" cargo test --locked --workspace --no-run
    timed "test: run" cargo test --locked --workspace --lib --bins --tests
}
edit() {
    cargo test --quiet --locked -p parseye-vision --lib --no-run >"$place/log" 2>&1
    echo >>runtime/vision/src/snr.rs
    timed "edit: vision's tests" cargo test --locked -p parseye-vision --lib
}
echo "# $(git rev-parse --short HEAD), $(nproc) processors, $(rustc --version)"
[ $# -gt 0 ] || set -- run test edit
for part in "$@"; do
    case $part in
    run | test | edit) "$part" ;;
    *)
        echo "build_times: no part '$part'; there are: run, test, edit" >&2
        exit 2
        ;;
    esac
done
