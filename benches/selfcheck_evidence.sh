#!/usr/bin/env bash
# Measures how good the self-check's own measurements are (benches/src/bin/selfcheck_evidence) and prints
# all four parts; docs/results/selfcheck.txt keeps what was printed. With EVERY, only one of so many
# clips and crops is measured: all of them take hours. The plots go to docs/results/plots/selfcheck-*.svg.
#
#     benches/selfcheck_evidence.sh [EVERY]
#
# Needs eyes/ and clips/ in PARSEYE_DATA (default ../shared/data).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
every=${1:-4}
# shellcheck source=benches/data.sh
. benches/data.sh
needs_data clips/blinks.csv
cargo build --quiet --locked --release -p parseye-benches --bin selfcheck_evidence
points=$(mktemp -d)
trap 'rm -rf "$points"' EXIT
echo "one of $every clips and crops"
for part in camera-snr flips headroom drift; do
    printf '\n%s\n' "$part"
    "${CARGO_TARGET_DIR:-target}/release/selfcheck_evidence" "$part" "$data" "$points" "$every"
done
mkdir -p docs/results/plots
cp "$points"/selfcheck-*.svg docs/results/plots/
