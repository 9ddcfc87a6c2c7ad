#!/usr/bin/env bash
# Trains the models that ship, on the labelled crops of PARSEYE_DATA (default ../shared/data), and puts
# each with its gradient into this folder:
#
#     models/make-models.sh [NAME...]
#
# A run that was cut off goes on where it was when the same is typed again; runs/models/NAME holds its
# checkpoint and metrics. A run repeats bit by bit with the same number of threads, two unless PARSEYE_THREADS says
# otherwise, and seed, 0 unless PARSEYE_SEED does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=${PARSEYE_DATA:-../shared/data}
for folder in eyes eyes-wild; do
    if [ ! -f "$data/$folder/manifest.csv" ]; then
        echo "make-models: $data/$folder/manifest.csv is missing; set PARSEYE_DATA to the folder of the data" >&2
        exit 1
    fi
done
train=${TRAIN:-}
if [ -z "$train" ]; then
    cargo build --quiet --locked --release -p parseye-train
    train=${CARGO_TARGET_DIR:-target}/release/train
fi

# The study's recipe, on its kind of data and the labels as they were published.
study=(--data "$data/eyes" --ema 0.999)
hardened=(--fgsm-eps 0.001..0.03)
# Parseye's own; docs/MODELS.md says what each part brought. The patches of cew are left out for the same faces in
# whole pictures, cewface.
own=(--data "$data/eyes" --data "$data/eyes-wild" --leave-out cew --people-weight 0.25 --openness 0.3
    --label-fixes models/label-fixes.csv --corrupt 0.3 --cover 0.05 --epochs 16)
own_hardened=(--attack n-fgsm --fgsm-eps 0.001..0.1)

arguments_of() { # NAME: the arguments that make it, one a line
    case $1 in
        wrn-16-1) printf '%s\n' --arch wrn-16-1 "${study[@]}" ;;
        wrn-16-1-hardened) printf '%s\n' --arch wrn-16-1 "${study[@]}" "${hardened[@]}" ;;
        parseval-16-1) printf '%s\n' --arch parseval-16-1 "${study[@]}" ;;
        parseval-16-1-hardened) printf '%s\n' --arch parseval-16-1 "${study[@]}" "${hardened[@]}" ;;
        default) printf '%s\n' --arch wrn-16-1-in64 "${own[@]}" "${own_hardened[@]}" ;;
        default-clean) printf '%s\n' --arch wrn-16-1-in64 "${own[@]}" ;;
        tiny) printf '%s\n' --arch wrn-16-1-s2-in64 "${own[@]}" "${own_hardened[@]}" --teacher models/default.onnx ;;
        *)
            echo "make-models: unknown model '$1'; known: ${known[*]}" >&2
            return 1
            ;;
    esac
}

# `default-clean` does not ship: it is what the default is compared with to see what hardening costs.
known=(wrn-16-1 wrn-16-1-hardened parseval-16-1 parseval-16-1-hardened default default-clean tiny)
names=("$@")
[ $# -gt 0 ] || names=("${known[@]}")
for name in "${names[@]}"; do
    mapfile -t arguments < <(arguments_of "$name")
    [ ${#arguments[@]} -gt 0 ] || exit 1
    out=runs/models/$name
    resume=()
    if [ -f "$out/checkpoint.safetensors" ]; then resume=(--resume); fi
    "$train" "${arguments[@]}" --seed "${PARSEYE_SEED:-0}" --precision f32 --threads "${PARSEYE_THREADS:-2}" \
        --name "$name" --out "$out" "${resume[@]}"
    if [ "$name" != default-clean ]; then
        cp "$out/$name.onnx" "$out/$name.gradient.onnx" models/
    fi
done
