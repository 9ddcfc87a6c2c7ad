#!/usr/bin/env bash
# Measures what Parseye takes of a machine, and prints a table for each part; docs/results/footprint.txt keeps
# what was printed when all parts ran. Parts:
#
#     size     the stripped program and the size of its parts
#     memory   resident memory while monitoring, by the size of the frames and over time
#     start    from the start of the process to its first prediction
#     replay   a replay on two cores beside decoding alone
#
#     benches/footprint.sh [PART...]
#
# Linux only. Needs clips/ in PARSEYE_DATA (default ../shared/data), ffmpeg, binutils and python3 without
# packages. PARSEYE may name a program that is built already. SECONDS_WATCHED is how long each size of
# frames is watched (300), TURNS how often the clips are replayed (5). The times of `start` and `replay`
# need a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=benches/data.sh
. benches/data.sh
needs_data clips/blinks.csv
if [ -z "${PARSEYE:-}" ]; then
    cargo build --quiet --locked --release -p parseye
    PARSEYE=${CARGO_TARGET_DIR:-target}/release/parseye
fi
measure() {
    python3 benches/footprint.py "$PARSEYE" "$data/clips" "${SECONDS_WATCHED:-300}" "${TURNS:-5}" "$@"
}
if [ $# -gt 0 ]; then
    measure "$@"
    exit
fi
kept=docs/results/footprint.txt
trap 'rm -f "$kept.partial"' EXIT
{
    echo "\$ make bench-footprint"
    measure
} | tee "$kept.partial"
mv "$kept.partial" "$kept"
