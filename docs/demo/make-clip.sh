#!/usr/bin/env bash
# Makes demo/clip.mp4 out of a public-domain portrait, for machines without a camera.
#
# The portrait is NASA's of the astronaut Eileen Collins, as the Python package scikit-image carries
# it. It is fetched by package name, checked, and never committed. The eyes in it are open all the
# time: the clip shows the way from a frame to a prediction, not blinks. A second run does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=.ci/log.sh
. .ci/log.sh

package=scikit-image
version=0.25.2
member=skimage/data/astronaut.png
sha256=88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5
portrait=demo/astronaut.png
clip=demo/clip.mp4

fail() {
    echo "demo: $1" >&2
    exit 1
}
has_hash() { [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$sha256" ]; }

if [ -s "$clip" ]; then exit 0; fi
mkdir -p demo || fail "cannot make the folder demo; check its permissions"
work=$(mktemp -d demo/.making-XXXXXX) || fail "cannot write into demo; check its permissions"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

if ! has_hash "$portrait"; then
    # A wheel is an archive, and only the image inside is wanted: one fixed wheel serves every
    # architecture and every version of Python.
    open_log demo
    .ci/pip.sh --output "$log" download --no-deps --no-cache-dir --dest "$work" --only-binary :all: \
        --implementation cp --python-version 3.11 --abi cp311 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        "$package==$version" || {
        show_log
        fail "pip could not fetch $package $version; check the network or pip's settings (all of pip's output is in $log)"
    }
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
        "$work"/*.whl "$member" >"$work/astronaut.png" 2>"$work/log" ||
        fail "$package $version holds no $member; report this"
    has_hash "$work/astronaut.png" ||
        fail "$member of $package $version has another sha256 than $sha256; it is not used: run this again, and report it if it stays so"
    mv "$work/astronaut.png" "$portrait"
fi

# The portrait is 512x512 with the face at (225, 112). Enlarged 2.5 times, its upper edge drawn out
# so that a tilt shows no empty corner, and cut with the face in the middle; then, over 8 s:
# the head tilts +-14 degrees, the window wanders, and from second 5 the light falls to a third.
still="scale=1280:1280:flags=lanczos,pad=1280:1580:0:300:color=gray,fillborders=top=300:mode=smear,crop=1000:860:62:150"
motion="rotate='0.244*sin(2*PI*t/4)':fillcolor=gray,crop=640:480:x='180+100*sin(2*PI*t/5.3)':y='165+45*sin(2*PI*t/3.1)'"
ffmpeg -nostdin -hide_banner -loglevel error -y -i "$portrait" \
    -vf "$still,loop=loop=199:size=1:start=0,setpts=N/25/TB,fps=25,$motion,fade=t=out:st=5:d=4.5" \
    -frames:v 200 -pix_fmt yuv420p "$work/clip.mp4" 2>"$work/log" ||
    fail "ffmpeg could not make $clip: $(tail -n1 "$work/log")"
mv "$work/clip.mp4" "$clip"
echo "demo: $clip is made" >&2
