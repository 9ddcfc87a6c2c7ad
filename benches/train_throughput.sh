#!/usr/bin/env bash
# Trains the same network on the same images with `train` and with PyTorch, one after the other,
# several times in turn, and prints images per second of both and their ratio; docs/results/throughput.txt
# keeps what was printed. Both load, vary and
# learn: crops at native resolution, shift, scale, roll, flip, exposure, blur and noise, batches of
# 128, Nesterov SGD, f32, the same number of threads.
#
#     benches/train_throughput.sh [DATA] [ROUNDS]
#
# DATA is a folder with manifest.csv (default $PARSEYE_DATA/eyes). PyTorch is installed by pip into
# third_party/bench-py on the first run (about 5 GB).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=${1:-${PARSEYE_DATA:-../shared/data}/eyes}
rounds=${2:-3}
architecture=wrn-16-1
crops=5120
threads=$(nproc)
python=third_party/bench-py
if [ ! -f "$data/manifest.csv" ]; then
    echo "train_throughput: $data/manifest.csv is missing; give the folder of a data set" >&2
    exit 1
fi
if [ ! -d "$python/torch" ]; then
    python3 -m pip install --quiet --target "$python" torch==2.13.0 numpy pillow
fi
cargo build --quiet --locked --workspace --release
train=${CARGO_TARGET_DIR:-target}/release/train
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ours() { # HARDENING...: images/s of the second epoch, the first being warm-up
    rm -rf "$scratch/run"
    "$train" --data "$data" --arch "$architecture" --epochs 2 --epoch-crops "$crops" --precision f32 \
        --threads "$threads" --keep last --device cpu "$@" --out "$scratch/run" 2>/dev/null
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "images_per_second") column = i }
             END { print $column }' "$scratch/run/metrics.csv"
}
theirs() {
    PYTHONPATH=$python python3 benches/train_throughput.py "$data" "$crops" "$threads" "$@"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

{
    printf '$ make bench-train\n\n'
    echo "$architecture, $threads threads, batch 128, $crops crops an epoch, f32, median of $rounds rounds in turn"
    printf '%-28s %14s %14s %8s\n' training 'train img/s' 'PyTorch img/s' ratio
    for hardening in '' '--fgsm-eps 0.03'; do
        : >"$scratch/ours" && : >"$scratch/theirs"
        for _ in $(seq "$rounds"); do
            # shellcheck disable=SC2086 # two words on purpose
            ours $hardening >>"$scratch/ours"
            # shellcheck disable=SC2086
            theirs $hardening >>"$scratch/theirs"
        done
        a=$(median <"$scratch/ours")
        b=$(median <"$scratch/theirs")
        awk -v name="${hardening:-plain}" -v a="$a" -v b="$b" \
            'BEGIN { printf "%-28s %14.0f %14.0f %8.2f\n", name, a, b, a / b }'
    done
} | tee docs/results/throughput.txt
