#!/usr/bin/env bash
# Watches real V4L2 devices in a virtual machine: see vm.sh for the machine and scenarios.py for what
# happens in it.
#
# Usage: [ARCH=arm64] tests/camera/run.sh [SCENARIO...]
#
# The face that blinks is a recorded one from PARSEYE_DATA, or else the project's drawn one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
detector=$root/models/face-detector/face_detection_front_128x128.onnx
data=${PARSEYE_DATA:-$root/../shared/data}
# Two blinks within five seconds.
clip=$data/clips/aniportrait_hdtf_ref.mp4

build=${CARGO_TARGET_DIR:-target}
case ${ARCH:-amd64} in
arm64) program=$build/aarch64-unknown-linux-gnu/release/parseye ;;
*) program=$build/debug/parseye ;;
esac

tests/camera/vm.sh prepare
folder=$(mktemp -d target/camera-run-XXXXXX)
trap 'rm -rf "$folder"' EXIT
if [ ! -f "$clip" ]; then
    clip=$root/$folder/clip.mp4
    DRAWN_CLIP=$clip "${CARGO:-cargo}" test --locked --workspace --test runtime -- \
        --ignored --exact live::the_clip_for_the_camera_machine_is_drawn
fi
# Copies: the program may be built anew while this runs, and a machine with a system of its own sees
# nothing else.
cp "$program" "$folder/parseye"
cp "$detector" "$folder/detector.onnx"
[ -f "$folder/clip.mp4" ] || cp "$clip" "$folder/clip.mp4"
cp tests/camera/scenarios.py "$folder"
inside=/run/camera
tests/camera/vm.sh run "$root/$folder" python3 "$inside/scenarios.py" \
    "$inside/parseye" "$inside/detector.onnx" "$inside/clip.mp4" "$@"
