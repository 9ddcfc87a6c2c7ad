#!/usr/bin/env bash
# Measures what docs/RESULTS.md reports and writes that page anew. Needs the labelled crops and
# clips in PARSEYE_DATA (default ../shared/data), which are not part of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=${PARSEYE_DATA:-../shared/data}
if [ ! -f "$data/eyes/manifest.csv" ]; then
    echo "results: $data/eyes/manifest.csv is missing; set PARSEYE_DATA to the folder of the data" >&2
    exit 1
fi
cargo build --quiet --locked --release -p parseye
parseye=${CARGO_TARGET_DIR:-target}/release/parseye
page=docs/RESULTS.md
partial=$page.partial
trap 'rm -f "$partial"' EXIT

show() { # TITLE COMMAND...: a heading, the command as a reader would type it, and what it printed
    local title=$1
    shift
    printf '\n### %s\n`%s`\n```text\n' "$title" "$(sed "s|$parseye|parseye|; s|$data|\$PARSEYE_DATA|g" <<<"$*")"
    "$@"
    printf '```\n'
}

{
    cat <<'HEAD'
# Results

This page is written by `docs/results.sh`; change that, not this. Each figure stands below the
command that printed it. The data ($PARSEYE_DATA) is not part of the repository; splits are by
person, and intervals are 95 % bootstrap intervals over people. Labels of `partially_open` are
mostly a landmark model's and noisy, so take its figures as a floor. "Open against closed" asks
which of P(open) and P(closed) is larger on crops that people labelled open or closed.
Frames per second depend on the machine and on what else it does.

White-box FGSM accuracies of a model on the validation split are in its card (the ONNX metadata
`parseye.card`), with the command that made it.
HEAD
    show 'The models' "$parseye" models
    show 'Eye states on the test split' "$parseye" evaluate --manifest "$data/eyes/manifest.csv" --split test
    show 'Blinks on twelve real clips' "$parseye" replay "$data"/clips/*.mp4 --truth "$data/clips/blinks.csv"
} >"$partial"
mv "$partial" "$page"
echo "results: $page written"
