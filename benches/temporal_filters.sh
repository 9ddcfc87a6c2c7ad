#!/usr/bin/env bash
# Compares ways from P(closed) of each frame to blinks (benches/temporal_filters.py) on recordings with
# confirmed blinks, as they are and degraded, and prints a table for each; docs/temporal-filters.txt
# keeps what was printed.
#
#     benches/temporal_filters.sh [CLIPS]
#
# CLIPS is a folder with blinks.csv and its clips (default $PARSEYE_DATA/clips). Needs python3, without
# packages. PARSEYE may name a program that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
clips=${1:-${PARSEYE_DATA:-../shared/data}/clips}
if [ ! -f "$clips/blinks.csv" ]; then
    echo "temporal_filters: $clips/blinks.csv is missing; give the folder of the clips" >&2
    exit 1
fi
if [ -z "${PARSEYE:-}" ]; then
    cargo build --quiet --locked --release -p parseye
    PARSEYE=${CARGO_TARGET_DIR:-target}/release/parseye
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

compare() { # TITLE FILTER: the table of the clips after an ffmpeg filter, `null` for none
    local clip log=$scratch/log.jsonl folder=$scratch/clips
    rm -rf "$folder" && mkdir "$folder"
    for clip in "$clips"/*.mp4; do
        ffmpeg -nostdin -loglevel error -i "$clip" -vf "$2" -fps_mode passthrough -c:v libx264 -qp 0 \
            -preset ultrafast -pix_fmt yuv420p "$folder/${clip##*/}"
    done
    "$PARSEYE" replay "$folder"/*.mp4 --log "$log" >/dev/null
    printf '\n%s (ffmpeg -vf %s)\n' "$1" "$2"
    python3 benches/temporal_filters.py "$clips/blinks.csv" "$log"
}

{
    compare 'As they are' null
    compare 'Noise' 'noise=alls=60:allf=t'
    compare 'Dark' "lutyuv=y='16+(val-16)*0.07',noise=alls=6:allf=t"
    compare '120 lines' 'scale=-2:120'
    compare 'Out of focus' 'gblur=sigma=4'
} | tee docs/temporal-filters.txt
