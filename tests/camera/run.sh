#!/usr/bin/env bash
# Watches real V4L2 devices in a virtual machine: see vm.sh for the machine and scenarios.py for what
# happens in it.
#
# Usage: tests/camera/run.sh [SCENARIO...]
#
# The face that blinks is a recorded one from PARSEYE_DATA, or else the project's drawn one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
locator=$root/models/locator/face_detection_front_128x128.onnx
data=${PARSEYE_DATA:-$root/../shared/data}
# Two blinks within five seconds.
clip=$data/clips/aniportrait_hdtf_ref.mp4

tests/camera/vm.sh prepare
folder=$(mktemp -d target/camera-vm/run-XXXXXX)
trap 'rm -rf "$folder"' EXIT
if [ ! -f "$clip" ]; then
    clip=/run/camera/drawn.mp4
    DRAWN_CLIP=$root/$folder/drawn.mp4 "${CARGO:-cargo}" test --locked --workspace --test live -- \
        --ignored --exact the_clip_for_the_camera_machine_is_drawn
fi
# A copy: the program may be built anew while this runs.
cp "${CARGO_TARGET_DIR:-target}/debug/parseye" "$folder/parseye"
tests/camera/vm.sh run "$root/$folder" python3 "$root/tests/camera/scenarios.py" \
    /run/camera/parseye "$locator" "$clip" "$@"
