#!/usr/bin/env bash
# Measures Parseye beside its peers, each pair in one run on the same images, and keeps what was printed in
# docs/results/peers-PART.txt, the plot in docs/results/plots. Parts:
#
#     crop     one eye crop and one face detection, the same ONNX files: beside onnxruntime, one thread
#     frame    a whole frame of 640x480, one core: beside MediaPipe's FaceMesh and the eye-aspect ratio
#     blinks   blinks on clips degraded step by step, beside the same (two hours of one core)
#
#     benches/peers.sh [PART...]
#
# Fetches mediapipe and onnxruntime by pip into third_party/peers (0.5 GB). Needs clips/ in PARSEYE_DATA
# (default ../shared/data) for all but `crop`. PEERS may name the built program. On a machine that does
# something else the times of `crop` and `frame` are worth nothing, but for their ratio.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=benches/data.sh
. benches/data.sh
python=third_party/peers

# What FaceMesh needs of mediapipe's requirements: without the rest, which is ten times as large.
if [ ! -d "$python/mediapipe" ]; then
    echo "peers: fetching mediapipe and onnxruntime by pip" >&2
    rm -rf "$python.partial"
    .ci/pip.sh install --quiet --target "$python.partial" --no-deps mediapipe==0.10.21 'numpy<2' absl-py \
        attrs flatbuffers opencv-python-headless==4.11.0.86 'protobuf<5' matplotlib cycler kiwisolver \
        pyparsing python-dateutil packaging pillow contourpy fonttools six onnxruntime
    rm -rf "$python"
    mv "$python.partial" "$python"
fi
export PYTHONPATH=$PWD/$python
libraries=("$python"/onnxruntime/capi/libonnxruntime.so.*)
export ORT_DYLIB_PATH=$PWD/${libraries[0]}

peers=${PEERS:-}
if [ -z "$peers" ]; then
    cargo build --quiet --locked --release -p parseye-benches --bin peers
    peers=${CARGO_TARGET_DIR:-target}/release/peers
fi

measure() { # PART ARGUMENT...: prints, and keeps what was printed
    local part=$1
    shift
    { echo "\$ peers $part"; echo; "$@"; } | tee "docs/results/peers-$part.txt.partial"
    mv "docs/results/peers-$part.txt.partial" "docs/results/peers-$part.txt"
}
# One core for both, the last one: the first has the interrupts.
one_core=(taskset -c "$(($(nproc) - 1))")

[ $# -gt 0 ] || set -- crop frame blinks
for part in "$@"; do
    case $part in
        crop) measure crop "${one_core[@]}" "$peers" crop models/{default,tiny,wrn-16-1,parseval-16-1}.onnx ;;
        frame)
            needs_data clips/blinks.csv
            measure frame "${one_core[@]}" "$peers" frame "$data"
            ;;
        blinks)
            needs_data clips/blinks.csv
            measure blinks "$peers" blinks "$data"
            ;;
        *)
            echo "peers: unknown part '$part'; give crop, frame or blinks" >&2
            exit 1
            ;;
    esac
done
