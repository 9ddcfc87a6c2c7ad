#!/usr/bin/env bash
# What each ingredient of the default model's training brings: trains variants of one recipe, shorter
# than the default's (6 or 8 epochs, nothing chosen among them), and evaluates all on the validation split, on
# whose metrics ingredients were kept or dropped; docs/results/ablation-1.md to ablation-3.md keep
# the tables of three rounds: the first two of the network of 32 pixels, the second about what was added to that which the
# first had kept; the third of today's recipe, from which one thing is left out at a time.
#
#     benches/ablation.sh [train NAME... | evaluate 1 | evaluate 2 | evaluate 3]
#
# `train` makes the named variants, all where none is named, about 7 minutes each on one core; more
# than one of these may run at a time. `evaluate` makes a round's table of those that are there
# (`judge` is its earlier name). Without an argument all is done. Needs eyes/ and eyes-wild/ in PARSEYE_DATA (default
# ../shared/data); TRAIN may name a built program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=benches/data.sh
. benches/data.sh
needs_data eyes/graded.csv
eyes=$data/eyes
train=${TRAIN:-}
if [ -z "$train" ]; then
    cargo build --quiet --locked --release -p parseye-train
    train=${CARGO_TARGET_DIR:-target}/release/train
fi
runs=runs/ablation

attacks=(--attack n-fgsm --fgsm-eps 0.001..0.1)
# Three cuts of the corrections: all that two graders agree on; without what they differ on; and that
# with every eye that a person called closed left closed where both see a slit, which the models of that time have.
mkdir -p "$runs"
git show 75fe63d:models/label-fixes.csv >"$runs/agreed.csv"
git show e07f90a:models/label-fixes.csv >"$runs/contested-out.csv"
git show 72cea77:models/label-fixes.csv >"$runs/closed-stays.csv"
labels=(--label-fixes "$runs/agreed.csv")
nature=(--corrupt 0.3)
kept="${attacks[*]} --label-fixes $runs/closed-stays.csv ${nature[*]}"
# Today's recipe (models/make-models.sh), in parts.
network="--arch wrn-16-1-in64"
wild="--data $data/eyes-wild --leave-out cew --people-weight 0.25"
openness="--openness 0.3"
labels_today="--label-fixes models/label-fixes.csv"
camera="${nature[*]} --cover 0.05"
declare -A variants=(
    [base]="${attacks[*]} ${labels[*]} ${nature[*]}"
    [no-corrections]="${attacks[*]} ${nature[*]}"
    [contested-out]="${attacks[*]} --label-fixes $runs/contested-out.csv ${nature[*]}"
    [closed-stays]=$kept
    [no-corruption]="${attacks[*]} ${labels[*]}"
    [clean]="${labels[*]} ${nature[*]}"
    [trades]="${attacks[*]} ${labels[*]} ${nature[*]} --loss trades"
    [awp]="${attacks[*]} ${labels[*]} ${nature[*]} --awp 0.005"
    [parseval]="--arch parseval-16-1 ${attacks[*]} ${labels[*]} ${nature[*]}"
    [ema]="${attacks[*]} ${labels[*]} ${nature[*]} --ema 0.999"
    [camera]="$kept --blur-sigma 4 --noise-sigma 0.8"
    [cover]="$kept --cover 0.05"
    [obstruct]="$kept --obstruct 0.2"
    [today]="$network $wild $openness $labels_today ${attacks[*]} $camera"
    [old-people]="$network $openness $labels_today ${attacks[*]} $camera"
    [size-32]="--arch wrn-16-1 $wild $openness $labels_today ${attacks[*]} $camera"
    [no-openness]="$network $wild $labels_today ${attacks[*]} $camera"
    [not-hardened]="$network $wild $openness $labels_today $camera"
    [no-cover]="$network $wild $openness $labels_today ${attacks[*]} ${nature[*]}"
    [camera-today]="$network $wild $openness $labels_today ${attacks[*]} $camera --far 0.2 --blur-sigma 4 --noise-sigma 0.8"
    [cew-patches]="$network ${wild/--leave-out cew /} $openness $labels_today ${attacks[*]} $camera"
    [published-labels]="$network $wild $openness ${attacks[*]} $camera"
)
first=(base no-corrections contested-out closed-stays no-corruption clean trades awp ema parseval)
# What these add to is `closed-stays` of the first round.
second=(camera cover obstruct)
# From the first of these the others leave one thing out, or add one.
third=(today old-people size-32 no-openness not-hardened no-cover published-labels camera-today cew-patches)

make_variants() { # NAME...
    local name arguments epochs
    for name in "$@"; do
        epochs=8
        [[ " ${third[*]} " != *" $name "* ]] || epochs=6
        if [ -z "${variants[$name]:-}" ]; then
            echo "ablation: unknown variant '$name'; known: ${!variants[*]}" >&2
            exit 1
        fi
        [ ! -f "$runs/$name/$name.onnx" ] || continue
        read -ra arguments <<<"${variants[$name]}"
        "$train" --data "$eyes" --threads 1 --precision f32 --seed 0 --epochs "$epochs" --keep last \
            "${arguments[@]}" --out "$runs/$name" --name "$name"
    done
}

evaluate() { # 1|2|3
    local name names title from epochs=8 models=() folders=(--data "$eyes")
    case ${1:-} in
        1)
            names=("${first[@]}")
            title='Ablation: what each ingredient contributes'
            from='`base` is n-fgsm up to 0.1 in half of each batch, corrected labels, and corruptions
of 0.3 of the crops; each other row changes one thing.'
            ;;
        2)
            names=("${second[@]}")
            title='Ablation, second round: what more contributes'
            from='Each row adds one thing to `closed-stays` of the first table.'
            ;;
        3)
            names=("${third[@]}")
            title="Ablation, third round: what each part of today's recipe contributes"
            from='`today` is the recipe of the default; each other row leaves one part of it out or adds one. Crops of the old and the new
people, with the labels as published.'
            epochs=6
            folders+=(--data "$data/eyes-wild")
            ;;
        *)
            echo "ablation: there is no round '${1:-}'; give evaluate 1, 2 or 3" >&2
            exit 1
            ;;
    esac
    for name in "${names[@]}"; do
        [ ! -f "$runs/$name/$name.onnx" ] || models+=("$runs/$name/$name.onnx")
    done
    "$train" evaluate "${models[@]}" "${folders[@]}" --split val --crops 1000 --graded "$eyes/graded.csv" \
        --attack pgd-10 --snr 25 --corruptions --threads 1 --seed 0 --json "$runs/ablation-$1.json" >"$runs/ablation-$1.txt"
    {
        echo "# $title"
        echo "Made by \`benches/ablation.sh evaluate $1\`: $epochs epochs of 20,000 crops each, seed 0, the last epoch kept; evaluated on"
        echo '1,000 crops of the validation split, at most 250 of each state. Metrics are macro accuracies but for'
        echo '"accuracy", "partially open" (recall), "ECE" and "hard cases" (accuracy on crops that two graders'
        echo "graded alike). $from"
        echo
        for name in "${names[@]}"; do
            [ ! -f "$runs/$name/$name.onnx" ] || printf -- '- `%s`: `%s`\n' "$name" "${variants[$name]}"
        done
        echo
        sed -n '/^| model/,$p' "$runs/ablation-$1.txt"
    } >"docs/results/ablation-$1.md"
}

case ${1:-all} in
    train)
        shift
        if [ $# -eq 0 ]; then set -- "${first[@]}" "${second[@]}" "${third[@]}"; fi
        make_variants "$@"
        ;;
    evaluate | judge) evaluate "${2:-}" ;;
    all)
        make_variants "${first[@]}" "${second[@]}" "${third[@]}"
        evaluate 1
        evaluate 2
        evaluate 3
        ;;
    *)
        echo "ablation: unknown argument '$1'; give train or evaluate" >&2
        exit 1
        ;;
esac
