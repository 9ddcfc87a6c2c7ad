#!/usr/bin/env bash
# Measures what docs/RESULTS.md reports and writes that page anew. Needs the labelled crops and
# clips in PARSEYE_DATA (default ../shared/data), which are not part of the repository. The study is
# collected anew into docs/study.md where PARSEYE_STUDY (default runs/study) has it, where these leave it:
#
#     train study whitebox run --data "$PARSEYE_DATA/eyes" --out runs/study --folds 3 --quick --threads 2
#     train study noise run    (the same arguments)
#
# Long measurements are what their commands last printed into docs/*.txt.
#
# docs/results.sh --kept renews only those; what the page measures itself stays as it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=benches/data.sh
. benches/data.sh
study=${PARSEYE_STUDY:-runs/study}
only_kept=${1:-}
profile=${PROFILE:-release}
case $only_kept in
"")
    needs_data eyes/manifest.csv
    cargo build --quiet --locked --profile "$profile" --workspace
    ;;
--kept) profile=$(sed -n 's/^profile `\(.*\)`\.$/\1/p' docs/RESULTS.md) ;;
*)
    echo "results: no option '$only_kept'; there is --kept" >&2
    exit 1
    ;;
esac
# Optimised either way; the folder of the profile `dev` is called debug.
programs=${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}
parseye=$programs/parseye
train=$programs/train
page=docs/RESULTS.md
partial=$page.partial
scratch=$(mktemp -d)
trap 'rm -rf "$partial" "$scratch"' EXIT

# Collects the study's tables into the page and its plots into docs/plots.
study_results() {
    local arguments=(--data "$data/eyes" --out "$study" --folds 3 --quick)
    "$train" study whitebox collect "${arguments[@]}" >&2 2>"$scratch/collected"
    cat "$scratch/collected" >&2
    mkdir -p docs/plots
    local plot
    for plot in "$study"/whitebox/{snr,learning,roc,confusion}*.svg; do
        [ -f "$plot" ] && cp "$plot" docs/plots/
    done
    printf '## The study\n`train study whitebox run --data $PARSEYE_DATA/eyes --out runs/study --folds 3 --quick`, then `collect`\n\n'
    sed 's/^# /### /; s/^## /#### /' "$study/whitebox/table.md"
    sed 's/^# /### /' "$study/whitebox/frames.md"
    # What is not there yet must be said.
    grep 'are not done yet' "$scratch/collected" || true
    plots "$study"/whitebox/{snr,learning,roc,confusion}*.svg
}

plots() { # FILE...: shows the plots of these names that docs/plots holds
    local name
    for name in "${@##*/}"; do
        if [ -f "docs/plots/$name" ]; then
            printf '\n![%s](plots/%s)\n' "${name%.svg}" "$name"
        fi
    done
}

show() { # TITLE COMMAND...: a heading, the command as a reader would type it, and what it printed
    local title=$1
    shift
    if [ -n "$only_kept" ]; then
        # As the page has it: from its heading to the next one that is no line of what was printed.
        awk -v heading="### $title" '/^```/ { inside = !inside }
            /^#/ && !inside { shown = $0 == heading }
            shown { lines = lines "\n" $0 }
            END { sub(/\n+$/, "", lines); print lines }' "$page"
        return
    fi
    printf '\n### %s\n`%s`\n```text\n' "$title" "$(sed "s|$parseye|parseye|; s|$train|train|; s|$data|\$PARSEYE_DATA|g; s|$scratch/||g" <<<"$*")"
    "$@"
    printf '```\n'
}

kept() { # TITLE COMMAND FILE [LEVEL]: what a long measurement last printed, where it was made
    [ -f "$3" ] || return 0
    printf '\n%s %s\n`%s`\n```text\n%s\n```\n' "${4:-##}" "$1" "$2" "$(<"$3")"
}

written() { # TITLE COMMAND FILE: a text that the command wrote, or that is about what it wrote
    [ -f "$3" ] || return 0
    printf '\n### %s\n`%s`\n\n%s\n' "$1" "$2" "$(<"$3")"
}

{
    cat <<'HEAD'
# Results

This page is written by `docs/results.sh`; change that, not this. Each figure stands below the
command that printed it. The data ($PARSEYE_DATA) is not part of the repository; splits are by
person, and intervals are 95 % bootstrap intervals over people. Labels of `partially_open` are
mostly a landmark model's and noisy, so take its figures as a floor. "Open against closed" asks
which of P(open) and P(closed) is larger on crops that people labelled open or closed.
Frames per second depend on the machine and on what else it does; these programs were built with the
profile PROFILE.

White-box FGSM accuracies of a model on the validation split are in its card (the ONNX metadata
`parseye.card`), with the command that made it.
HEAD
    show 'The models' "$parseye" models
    show 'Eye states on the test split' "$parseye" evaluate --manifest "$data/eyes/manifest.csv" --split test
    show 'White-box FGSM on the test split, by the runtime' "$parseye" check --manifest "$data/eyes/manifest.csv" --split test --snr 50,45,40,33,30
    show 'The same by libtorch' "$train" evaluate models/default.onnx --data "$data/eyes" --split test --attack fgsm --snr 50,45,40,33,30 --noise-snr 20 --threads 1 --json "$scratch/evaluation.json"
    show 'Blinks on twelve real clips' "$parseye" replay "$data"/clips/*.mp4 --truth "$data/clips/blinks.csv"
    printf '\n## What the models hold\n'
    written 'Goals and what was reached' 'benches/model_robustness.sh' docs/robustness-goals.md
    written 'Failures looked at' 'benches/model_robustness.sh failures' docs/failures.md
    for part in clean attacked transfer worst-{33,30,25,20} noise natural clips; do
        kept "Test split: $part" "benches/model_robustness.sh $part" "docs/robustness-$part.txt" "###"
    done
    plots docs/plots/models-*.svg
    written 'What each ingredient brings' 'benches/ablation.sh judge 1' docs/ablation-1.md
    written 'What more brings' 'benches/ablation.sh judge 2' docs/ablation-2.md
    printf '\n## Speed\n'
    written 'Goals and what was reached' 'benches/goals.sh speed' docs/goals-speed.md
    kept 'Looking for the face less often' 'clip_robustness looks' docs/locator-looks.txt '###'
    kept 'The networks beside onnxruntime' 'make bench-peers ARGS=crop' docs/peers-crop.txt '###'
    printf '\n[Where the time goes and what was tried](inference-speed.md)\n'
    kept 'A whole frame beside FaceMesh' 'make bench-peers ARGS=frame' docs/peers-frame.txt '###'
    kept 'Blinks on degraded clips beside FaceMesh' 'make bench-peers ARGS=blinks' docs/peers-blinks.txt '###'
    plots docs/plots/peers-blinks.svg
    kept 'What it takes: size, memory, start, replay' 'make bench-footprint' docs/footprint.txt '###'
    kept 'Speed of the training beside PyTorch' 'make bench-train' docs/throughput.txt '###'
    kept 'Live latency, with the self-check off and on' 'make bench-live' docs/live-latency.txt '###'
    kept 'Long runs: memory, threads, descriptors' 'make soak' docs/soak.txt '###'
    printf '\n## At home\n'
    written 'Packages, 64-bit Arm, cameras' 'benches/goals.sh home' docs/goals-home.md
    printf '\n## Hardened\n'
    written 'Faults, damaged input, dependencies' 'benches/goals.sh hardened' docs/goals-hardened.md
    kept 'Fuzzing' 'make fuzz' docs/fuzzing.txt '###'
    if [ -n "$only_kept" ]; then
        :
    elif [ -d "$study" ]; then
        study_results >"$scratch/study.md"
        cp "$scratch/study.md" docs/study.md
    else
        echo "results: $study is missing, the study's part is what it was; see the head of this script" >&2
    fi
    printf '\n'
    cat docs/study.md
    kept 'From readings to blinks' 'make bench-temporal' docs/temporal-filters.txt
    kept 'How good the self-check is' 'make bench-selfcheck ARGS=EVERY' docs/selfcheck.txt
    plots docs/plots/selfcheck-*.svg
} | sed "s/^profile PROFILE\.\$/profile \`$profile\`./" >"$partial"
mv "$partial" "$page"
echo "results: $page written"
