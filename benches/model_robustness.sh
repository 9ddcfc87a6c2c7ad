#!/usr/bin/env bash
# Measures on the test split what the shipped models hold, and keeps what was printed in
# docs/robustness-PART.txt, the plots in docs/plots. Parts:
#
#     clean      all crops: by source, label, person and grade; calibration; white-box FGSM
#     natural    all crops of the default model and its clean-trained twin: natural transformations
#     noise      all crops: random noise
#     attacked   1,500 class-balanced crops: white-box PGD, and transfer from the clean-trained WRN
#     worst      the same crops, the default model: the strongest of APGD-CE, APGD-T, PGD with
#                restarts and Square, at each budget (hours)
#     failures   sheets of the default model's most confident errors, for the eyes only; what was seen on
#                them is told in docs/failures.md
#     clips      blinks on degraded clips, thresholds tuned on the others, covered eyes
#     goals      what was aimed at and what the other parts reached, as a table
#
#     benches/model_robustness.sh [PART...]
#
# Needs eyes/ and clips/ in PARSEYE_DATA (default ../shared/data). Figures stay in runs/robustness:
# what is there is not measured again. TRAIN, PARSEYE and CLIP_ROBUSTNESS may name programs that are built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=${PARSEYE_DATA:-../shared/data}
if [ ! -f "$data/eyes/graded.csv" ]; then
    echo "model_robustness: $data/eyes/graded.csv is missing; set PARSEYE_DATA to the folder of the data" >&2
    exit 1
fi
if [ -z "${TRAIN:-}" ] || [ -z "${PARSEYE:-}" ] || [ -z "${CLIP_ROBUSTNESS:-}" ]; then
    cargo build --quiet --locked --release --workspace --bins --example clip_robustness
fi
built=${CARGO_TARGET_DIR:-target}/release
train=${TRAIN:-$built/train}
parseye=${PARSEYE:-$built/parseye}
clip_robustness=${CLIP_ROBUSTNESS:-$built/examples/clip_robustness}
kept=runs/robustness
mkdir -p "$kept" docs/plots
shipped=(default tiny wrn-16-1 wrn-16-1-hardened parseval-16-1 parseval-16-1-hardened)
of_models() { printf 'models/%s.onnx\n' "$@"; }

evaluate() { # PART MODEL... -- ARGUMENT...: judges, and keeps the command and what it printed
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
    "$train" evaluate "${models[@]}" --data "$data/eyes" --split test --seed 0 --plots "$plots" \
        --json "$kept/$part.json" "$@" >>"$kept/$part.txt"
    cp "$kept/$part.txt" "docs/robustness-$part.txt"
    local plot
    for plot in "$plots"/*.svg; do cp "$plot" "docs/plots/$part-${plot##*/}"; done
}

part() { # NAME
    local all both
    mapfile -t all < <(of_models "${shipped[@]}")
    both=(models/default.onnx runs/models/default-clean/default-clean.onnx)
    case $1 in
        clean)
            evaluate clean "${all[@]}" "${both[1]}" -- --graded "$data/eyes/graded.csv" \
                --attack fgsm --snr 50,40,33,30,25
            ;;
        natural) evaluate natural "${both[@]}" -- --corruptions ;;
        noise) evaluate noise "${both[@]}" models/tiny.onnx -- --attack uniform,gaussian --snr 30 --noise-snr 20,10,5,0 ;;
        attacked)
            evaluate attacked "${all[@]:0:2}" "${all[@]:3}" "${both[1]}" -- --crops 1500 --attack pgd-20 \
                --snr 33,30,25,20 --transfer-from models/wrn-16-1.onnx
            ;;
        worst) evaluate worst models/default.onnx -- --crops 1500 --attack worst-1000 --snr 33,30,25,20 ;;
        failures)
            rm -rf "$kept/failures" "$kept/failures.json"
            "$train" evaluate models/default.onnx --data "$data/eyes" --split test --json "$kept/failures.json" \
                --failures "$kept/failures" >/dev/null
            ;;
        clips)
            : >docs/robustness-clips.txt
            local step
            for step in goals steps tuning covered; do
                printf '$ clip_robustness %s\n' "$step" >>docs/robustness-clips.txt
                "$clip_robustness" "$step" "$data" >>docs/robustness-clips.txt
            done
            ;;
        goals)
            "$parseye" evaluate --manifest "$data/eyes/manifest.csv" --split test --json "$kept/evaluation.json" >/dev/null
            python3 benches/robustness_goals.py "$kept" "$kept/evaluation.json" docs/robustness-clips.txt \
                >docs/robustness-goals.md
            ;;
        *)
            echo "model_robustness: unknown part '$1'; known: ${every[*]}" >&2
            return 1
            ;;
    esac
}

every=(clean natural noise attacked clips worst failures goals)
parts=("$@")
[ $# -gt 0 ] || parts=("${every[@]}")
for name in "${parts[@]}"; do part "$name"; done
