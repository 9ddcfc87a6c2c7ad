#!/usr/bin/env bash
# Renews pages of docs/results, each by its own command, then checks that docs/RESULTS.md still quotes what they say.
#
#     docs/results/make.sh [PAGE...]   the named pages; without a name those that this script prints in minutes
#     docs/results/make.sh --list      every page and its command
#
# PAGE is a file's name without its ending. Needs the labelled crops and clips in PARSEYE_DATA (see
# benches/data.sh), which are not part of the repository. PROGRAMS may name the folder of the built programs
# parseye, train and clip_robustness. `study` collects what these have left in runs/study:
#
#     train study whitebox run --data "$PARSEYE_DATA/eyes" --out runs/study --folds 3 --quick --threads 2
#     train study noise run    (the same arguments)
#
# Where a metric has changed, correct docs/RESULTS.md, and the commit beside the page in docs/results/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=benches/data.sh
. benches/data.sh
results=docs/results

# What these print is the page.
# shellcheck disable=SC2016 # expanded where they are run; the page shows them as they stand here
declare -A printed=(
    [models]='parseye models'
    [people-test]='train evaluate models/default.onnx --data $PARSEYE_DATA/eyes --data $PARSEYE_DATA/eyes-wild --split test --graded $PARSEYE_DATA/eyes/graded.csv --threads 1 --json runs/results/people-test.json'
    [eye-states-wild]='parseye evaluate --manifest $PARSEYE_DATA/eyes-wild/manifest.csv --split test'
    [eye-states]='parseye evaluate --manifest $PARSEYE_DATA/eyes/manifest.csv --split test'
    [fgsm-runtime]='parseye check --manifest $PARSEYE_DATA/eyes/manifest.csv --split test --snr 50,45,40,33,30'
    [fgsm-libtorch]='train evaluate models/default.onnx --data $PARSEYE_DATA/eyes --split test --attack fgsm --snr 50,45,40,33,30 --noise-snr 20 --threads 1 --json runs/results/evaluation.json'
    [blinks]='parseye replay $PARSEYE_DATA/clips/*.mp4 --truth $PARSEYE_DATA/clips/blinks.csv'
    # All but those of several people, whose blinks nobody has confirmed.
    [blinks-wild]='parseye replay $PARSEYE_DATA/clips-wild/[!my]*.mp4 --truth $PARSEYE_DATA/clips-wild/blinks.csv'
    [detection-interval]='clip_robustness detection-interval $PARSEYE_DATA; clip_robustness goals $PARSEYE_DATA'
    [live-latency]='make bench-live ARGS=30'
    [soak]='make soak'
    [fuzzing]='make fuzz ARGS=600'
    [selfcheck]='make bench-selfcheck ARGS=1'
    [people-faces]='people faces $PARSEYE_DATA'
    [people-scenes]='people scenes $PARSEYE_DATA'
    [people-cost]='people cost $PARSEYE_DATA'
    [network-cameras]='network_cameras 50'
)
# Without a name these are made.
quick=(models people-test eye-states eye-states-wild fgsm-runtime fgsm-libtorch blinks blinks-wild)
# These write the page themselves.
declare -A written=(
    [study]='docs/results/make.sh study'
    [lids]='make bench-models ARGS=lids'
    [failures]='make bench-models ARGS=failures'
    [peers-crop]='make bench-peers ARGS=crop'
    [peers-frame]='make bench-peers ARGS=frame'
    [peers-blinks]='make bench-peers ARGS=blinks'
    [footprint]='make bench-footprint'
    [throughput]='make bench-train'
    [temporal-filters]='make bench-temporal'
    [goals-speed]='make bench-goals ARGS=speed'
    [goals-home]='make bench-goals ARGS=home'
    [goals-hardened]='make bench-goals ARGS=hardened'
    [robustness-goals]='make bench-models ARGS=goals'
    [ablation-1]='benches/ablation.sh evaluate 1'
    [ablation-2]='benches/ablation.sh evaluate 2'
)
for part in clean natural noise attacked transfer worst-{33,30,25,20} worst-wild-33 clips; do
    written[robustness-$part]="make bench-models ARGS=$part"
done

scratch=$(mktemp -d)
partial=
trap 'rm -rf "$scratch" ${partial:+"$partial"}' EXIT

# Builds the programs that `printed` calls, unless PROGRAMS names them, and puts their folder first in PATH.
programs() {
    [ -z "${built:-}" ] || return 0
    built=${PROGRAMS:-}
    if [ -z "$built" ]; then
        cargo build --quiet --locked --release -p parseye -p parseye-train -p parseye-benches --bins
        built=${CARGO_TARGET_DIR:-target}/release
    fi
    PATH=$(realpath "$built"):$PATH
    export PATH
}

print_page() { # PAGE: the command as a reader would type it, and what it prints
    local page=$results/$1.txt
    programs
    rm -rf runs/results
    mkdir -p runs/results
    partial=$page.partial
    printf '$ %s\n\n' "${printed[$1]}" >"$partial"
    PARSEYE_DATA=$data bash -euo pipefail -c "${printed[$1]}" >"$scratch/output"
    # A page names no folder of the machine that made it.
    sed "s|$data|\$PARSEYE_DATA|g" "$scratch/output" >>"$partial"
    mv "$partial" "$page"
    partial=
}

# Collects the study's tables into its page and its plots into the folder of plots.
collect_study() {
    local study=${PARSEYE_STUDY:-runs/study} page=$results/study.md plot unfinished
    programs
    if [ ! -d "$study" ]; then
        echo "results: $study is missing; the head of this script has the commands that make it" >&2
        return 1
    fi
    train study whitebox collect --data "$data/eyes" --out "$study" --folds 3 --quick >&2 2>"$scratch/collected"
    cat "$scratch/collected" >&2
    mkdir -p "$results/plots"
    partial=$page.partial
    {
        # shellcheck disable=SC2016 # as a reader would type it
        printf '# The study\n`train study whitebox run --data $PARSEYE_DATA/eyes --out runs/study --folds 3 --quick`, then `collect`\n\n'
        # A level below the page's own heading.
        sed 's/^## /### /; t; s/^# /## /' "$study/whitebox/table.md"
        echo
        sed 's/^## /### /; t; s/^# /## /' "$study/whitebox/frames.md"
        # What is not there yet must be said.
        if unfinished=$(grep 'are not done yet' "$scratch/collected"); then printf '\n%s\n' "$unfinished"; fi
        for plot in "$study"/whitebox/{snr,learning,roc,confusion}*.svg; do
            [ -f "$plot" ] || continue
            cp "$plot" "$results/plots/"
            plot=${plot##*/}
            printf '\n![%s](plots/%s)\n' "${plot%.svg}" "$plot"
        done
    } >"$partial"
    mv "$partial" "$page"
    partial=
}

if [ "${1:-}" = --list ]; then
    for page in "${!printed[@]}"; do printf '%s\t%s\n' "$page" "${printed[$page]}"; done
    for page in "${!written[@]}"; do printf '%s\t%s\n' "$page" "${written[$page]}"; done
    exit
fi
[ $# -gt 0 ] || set -- "${quick[@]}"
for page in "$@"; do
    if [ -z "${printed[$page]:-}${written[$page]:-}" ]; then
        echo "results: no page '$page'; docs/results/make.sh --list has them all" >&2
        exit 1
    fi
done
if [ ! -e "$data/eyes/manifest.csv" ]; then
    echo "results: $data/eyes/manifest.csv is missing; set PARSEYE_DATA to the folder of the data" >&2
    exit 1
fi
for page in "$@"; do
    echo "results: $page" >&2
    if [ "$page" = study ]; then
        collect_study
    elif [ -n "${printed[$page]:-}" ]; then
        print_page "$page"
    else
        bash -euo pipefail -c "${written[$page]}" >&2
    fi
done
python3 "$results/check.py"
