#!/usr/bin/env bash
# Watches real V4L2 devices in a virtual machine: see vm.sh for the machine and scenarios.py for what
# happens in it.
#
# Usage: tests/camera/run.sh [SCENARIO...]
#
# A clip of a face that blinks is taken from PARSEYE_DATA; without it that scenario is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
locator=$root/models/locator/face_detection_front_128x128.onnx
data=${PARSEYE_DATA:-$root/../shared/data}
# Two blinks within five seconds.
clip=$data/clips/aniportrait_hdtf_ref.mp4
[ -f "$clip" ] || clip=-

tests/camera/vm.sh prepare
folder=$(mktemp -d target/camera-vm/run-XXXXXX)
trap 'rm -rf "$folder"' EXIT
# A copy: the program may be built anew while this runs.
cp "${CARGO_TARGET_DIR:-target}/debug/parseye" "$folder/parseye"
tests/camera/vm.sh run "$root/$folder" python3 "$root/tests/camera/scenarios.py" \
    /run/camera/parseye "$locator" "$clip" "$@"
