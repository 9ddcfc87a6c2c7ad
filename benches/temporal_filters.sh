#!/usr/bin/env bash
# Compares ways from P(closed) of each frame to blinks (benches/temporal_filters.py) on recordings with
# confirmed blinks, as they are and degraded, and prints a table for each;
# docs/results/temporal-filters.txt keeps what was printed.
#
# Needs clips/ in PARSEYE_DATA (default ../shared/data), and python3 without packages. PARSEYE may name a
# program that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=benches/data.sh
. benches/data.sh
needs_data clips/blinks.csv
clips=$data/clips
if [ -z "${PARSEYE:-}" ]; then
    cargo build --quiet --locked --release -p parseye
    PARSEYE=${CARGO_TARGET_DIR:-target}/release/parseye
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

compare() { # TITLE CLIP...: the table of these clips
    local title=$1
    shift
    "$PARSEYE" replay "$@" --log "$scratch/log.jsonl" >/dev/null
    printf '\n%s\n' "$title"
    python3 benches/temporal_filters.py "$clips/blinks.csv" "$scratch/log.jsonl"
}
degraded() { # FILTER: all clips after an ffmpeg filter, without further loss
    local clip
    rm -rf "$scratch/clips" && mkdir "$scratch/clips"
    for clip in "$clips"/*.mp4; do
        ffmpeg -nostdin -loglevel error -i "$clip" -vf "$1" -fps_mode passthrough -c:v libx264 -qp 0 \
            -preset ultrafast -pix_fmt yuv420p "$scratch/clips/${clip##*/}"
    done
    compare "ffmpeg -vf $1" "$scratch"/clips/*.mp4
}

{
    echo '$ make bench-temporal'
    compare 'As they are' "$clips"/*.mp4
    degraded 'scale=-2:120'
    degraded "lutyuv=y='16+(val-16)*0.07',noise=alls=6:allf=t"
} | tee docs/results/temporal-filters.txt
