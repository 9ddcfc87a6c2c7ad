#!/usr/bin/env bash
# Measures the accuracy and robustness of the shipped models on the test split, and keeps what was printed in
# docs/results/robustness-PART.txt, the plots in docs/results/plots. Parts:
#
#     clean      all crops: by source, label, person and grade; calibration; white-box FGSM
#     natural    all crops, the default model: corruptions
#     noise      all crops, the default model: random noise
#     attacked   1,500 class-balanced crops: white-box PGD
#     transfer   the same, PGD's examples of the clean-trained WRN against the default model
#     worst-SNR  the same crops, the default model: the strongest of APGD-CE, APGD-T, PGD with restarts
#                and Square within this budget: 33, 30, 25 or 20 dB (a quarter of an hour each)
#     worst-wild-SNR  the same on 1,200 class-balanced crops of eyes-wild/
#     failures   sheets of the default model's most confident errors, to look at; what was seen on
#                them is described in docs/results/failures.md
#     clips      blinks on degraded clips, thresholds tuned on the others, covered eyes
#     clips-wild blinks on degraded clips of clips-wild/
#     lids       three clips over time: P(closed), P(looking down) and openness, as a plot
#     goals      goals and what the other parts reached, as a table
#
#     benches/model_robustness.sh [PART...]
#
# Needs eyes/, eyes-wild/, clips/ and clips-wild/ in PARSEYE_DATA (default ../shared/data). Metrics stay in runs/robustness,
# from which `goals` reads them. Parts may run side by side. TRAIN, PARSEYE and CLIP_ROBUSTNESS may
# name programs that are built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=benches/data.sh
. benches/data.sh
needs_data eyes/graded.csv
if [ -z "${TRAIN:-}" ] || [ -z "${PARSEYE:-}" ] || [ -z "${CLIP_ROBUSTNESS:-}" ]; then
    cargo build --quiet --locked --release -p parseye -p parseye-train -p parseye-benches --bins
fi
built=${CARGO_TARGET_DIR:-target}/release
train=${TRAIN:-$built/train}
parseye=${PARSEYE:-$built/parseye}
clip_robustness=${CLIP_ROBUSTNESS:-$built/clip_robustness}
kept=runs/robustness
mkdir -p "$kept" docs/results/plots
shipped=(default tiny wrn-16-1 wrn-16-1-hardened parseval-16-1 parseval-16-1-hardened)
# Folder of the crops.
crops=eyes
of_models() { printf 'models/%s.onnx\n' "$@"; }

evaluate() { # PART MODEL... -- ARGUMENT...: evaluates, and keeps the command and what it printed
    local part=$1 models=()
    shift
    while [ "$1" != -- ]; do models+=("$1"); shift; done
    shift
    local plots=$kept/plots-$part
    {
        printf '$ train evaluate'
        printf ' %s' "${models[@]##*/}" "$@"
        printf '\n\n'
    } | sed "s|$data|\$PARSEYE_DATA|g" >"$kept/$part.txt"
    "$train" evaluate "${models[@]}" --data "$data/$crops" --split test --seed 0 --plots "$plots" \
        --json "$kept/$part.json" "$@" >>"$kept/$part.txt"
    cp "$kept/$part.txt" "docs/results/robustness-$part.txt"
    # The one plot that a part is about.
    local plot
    case $part in
        clean) plot=reliability ;;
        attacked | noise) plot=$part ;;
        *) return 0 ;;
    esac
    cp "$plots/$plot.svg" "docs/results/plots/models-$plot.svg"
}

part() { # NAME
    local all twin=runs/models/default-clean/default-clean.onnx
    local balanced=(--crops 1500 --threads 1)
    mapfile -t all < <(of_models "${shipped[@]}")
    case $1 in
        clean)
            evaluate clean "${all[@]}" "$twin" -- --graded "$data/eyes/graded.csv" --attack fgsm --snr 33,25 --threads 1
            ;;
        natural) evaluate natural models/default.onnx -- --corruptions --threads 1 ;;
        noise)
            evaluate noise models/default.onnx -- --attack uniform,gaussian --snr 30 --noise-snr 20,10,5,0 --threads 1
            ;;
        attacked)
            mapfile -t all < <(of_models default tiny wrn-16-1 wrn-16-1-hardened parseval-16-1-hardened)
            evaluate attacked "${all[@]}" -- "${balanced[@]}" --attack pgd-20 --snr 25,20
            ;;
        transfer)
            evaluate transfer models/default.onnx -- "${balanced[@]}" --attack pgd-20 --snr 25,20 \
                --transfer-from models/wrn-16-1.onnx
            ;;
        worst-wild-33 | worst-wild-30 | worst-wild-25 | worst-wild-20)
            crops=eyes-wild
            evaluate "$1" models/default.onnx -- --crops 1200 --threads 1 --attack worst-300 --snr "${1#worst-wild-}"
            crops=eyes
            ;;
        worst-33 | worst-30 | worst-25 | worst-20)
            evaluate "$1" models/default.onnx -- "${balanced[@]}" --attack worst-300 --snr "${1#worst-}"
            ;;
        failures)
            rm -rf "$kept/failures" "$kept/failures.json"
            "$train" evaluate models/default.onnx --data "$data/eyes" --split test --json "$kept/failures.json" \
                --failures "$kept/failures" >/dev/null
            ;;
        clips)
            : >docs/results/robustness-clips.txt
            local step
            for step in goals tuning covered; do
                printf '$ clip_robustness %s\n' "$step" >>docs/results/robustness-clips.txt
                "$clip_robustness" "$step" "$data" >>docs/results/robustness-clips.txt
            done
            ;;
        clips-wild)
            printf '$ clip_robustness goals --clips clips-wild\n' >docs/results/robustness-clips-wild.txt
            "$clip_robustness" goals "$data" --clips clips-wild >>docs/results/robustness-clips-wild.txt
            ;;
        lids) "$clip_robustness" lids "$data" --plot docs/results/plots/lids.svg ;;
        goals)
            "$parseye" evaluate --manifest "$data/eyes/manifest.csv" --split test --json "$kept/evaluation.json" >/dev/null
            {
                printf '# Goals: accuracy and robustness\n`benches/model_robustness.sh goals`\n\n'
                python3 benches/robustness_goals.py "$kept" "$kept/evaluation.json" docs/results/robustness-clips.txt
            } >docs/results/robustness-goals.md
            ;;
        *)
            echo "model_robustness: unknown part '$1'; known: ${every[*]}" >&2
            return 1
            ;;
    esac
}

every=(clean natural noise attacked transfer worst-{33,30,25,20} worst-wild-{33,30,25,20} failures clips clips-wild lids goals)
parts=("$@")
[ $# -gt 0 ] || parts=("${every[@]}")
for name in "${parts[@]}"; do part "$name"; done
