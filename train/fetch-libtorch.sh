#!/usr/bin/env bash
# Puts libtorch, which only `train` links, into third_party/py by way of pip.
#
# Only the libraries inside the wheel are used, never Python: the wheel of any Python version does.
# Two variants: `cpu` (about 1.2 GB) leaves out everything but the two CUDA libraries that
# libtorch_cpu itself is linked to, on both architectures; `cuda` (about 5 GB) is taken where there
# is an NVIDIA GPU. PARSEYE_LIBTORCH=cpu or =cuda chooses by hand. The libraries find each other
# through the wheels' own folder layout, so it is kept. A second run does nothing, and an
# interrupted one leaves nothing half done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=.ci/log.sh
. .ci/log.sh

# The version that tch 0.26 in Cargo.toml binds, and the CUDA libraries this very wheel was built
# against.
torch=2.13.0
runtime=13.0.96
cupti=13.0.85
folder=third_party/py
stamp=$folder/parseye-libtorch
incomplete=third_party/.py-incomplete
# The oldest C library that this release's wheels run on.
oldest_glibc=2.28

fail() {
    echo "fetch-libtorch: $1" >&2
    exit 1
}
# What pip printed is shown before.
fail_with_log() {
    show_log
    fail "$1 (all of pip's output is in $log)"
}

# What is there: from the stamp, or, for a folder that was filled by hand with the same recipe,
# from the records that pip writes last.
present() {
    if [ -f "$stamp" ]; then
        cat "$stamp"
    elif [ -f "$folder/torch-$torch.dist-info/RECORD" ] &&
        [ -f "$folder/nvidia_cuda_runtime-$runtime.dist-info/RECORD" ] &&
        [ -f "$folder/nvidia_cuda_cupti-$cupti.dist-info/RECORD" ]; then
        echo "torch $torch cpu"
    fi
}

# The full variant runs without a GPU as well.
satisfied() {
    local have
    have=$(present)
    [ "$have" = "torch $torch $variant" ] || [ "$have" = "torch $torch cuda" ]
}

variant=${PARSEYE_LIBTORCH:-}
if [ -z "$variant" ]; then
    variant=cpu
    if [ -e /dev/nvidia0 ] || nvidia-smi -L >/dev/null 2>&1; then variant=cuda; fi
fi
case $variant in
cpu) wheels=("torch==$torch" "nvidia-cuda-runtime==$runtime" "nvidia-cuda-cupti==$cupti" --no-deps) room=4 ;;
cuda) wheels=("torch==$torch") room=14 ;;
*) fail "PARSEYE_LIBTORCH is '$variant'; it must be cpu or cuda, or unset" ;;
esac

if satisfied; then exit 0; fi

architecture=$(uname -m)
case $(uname -s)-$architecture in
Linux-x86_64 | Linux-aarch64) ;;
*) fail "there is no recipe for $(uname -s) on $architecture; put libtorch $torch into $folder/torch by hand (the runtime, 'make run', does not need it)" ;;
esac
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2) || glibc=
if [ -z "$glibc" ] || [ "$(printf '%s\n%s\n' "$oldest_glibc" "$glibc" | sort -V | head -n1)" != "$oldest_glibc" ]; then
    fail "libtorch $torch needs glibc $oldest_glibc or newer, this system has ${glibc:-another C library}; 'make run' does not need libtorch"
fi

mkdir -p third_party || fail "cannot make third_party; check its permissions"
# Two runs at once would fill the same folder: the second waits, and then finds all in place.
exec 9>third_party/.lock || fail "cannot write into third_party; check its permissions"
flock 9
if satisfied; then exit 0; fi
available=$(df -Pk third_party | awk 'NR == 2 { print int($4 / 1048576) }')
[ "$available" -ge "$room" ] ||
    fail "the $variant variant needs $room GB while it is unpacked, $available GB are free under third_party; make room and run this again"

trap 'rm -rf "$incomplete"' EXIT
trap 'exit 130' INT TERM HUP
rm -rf "$incomplete"
mkdir -p "$incomplete/unpacked" "$incomplete/temporary"
# pip unpacks in the temporary folder, which on small machines is a part of the memory.
TMPDIR=$PWD/$incomplete/temporary
export TMPDIR
install=(install --no-cache-dir --no-compile --target "$incomplete/unpacked")

open_log libtorch
echo "fetch-libtorch: fetching torch $torch ($variant, $room GB of room while unpacking) through pip (its output: $log)" >&2
# First for the Python at hand. Where it is too old or too new for this release, or pip too old to
# know the platform's name, the wheel of a version that certainly has one.
if ! .ci/pip.sh --output "$log" "${install[@]}" "${wheels[@]}"; then
    if grep -qE 'No matching distribution|not a supported wheel|requires a different Python' "$log"; then
        tags=(--only-binary :all: --implementation cp --python-version 3.12 --abi cp312
            --platform "manylinux2014_$architecture")
        for minor in 17 18 19 20 21 22 23 24 25 26 27 28; do
            tags+=(--platform "manylinux_2_${minor}_$architecture")
        done
        rm -rf "$incomplete/unpacked"
        .ci/pip.sh --output "$log" "${install[@]}" "${tags[@]}" "${wheels[@]}" ||
            fail_with_log "pip found no wheel of torch $torch for Python 3.12 either; check the network or pip's settings"
    else
        fail_with_log "pip could not fetch torch $torch; check the network and the free space, then run this again"
    fi
fi
[ -e "$incomplete/unpacked/torch/lib/libtorch_cpu.so" ] ||
    fail "the wheel of torch $torch holds no libtorch_cpu.so; report this"

echo "torch $torch $variant" >"$incomplete/unpacked/$(basename "$stamp")"
rm -rf "$folder"
mv "$incomplete/unpacked" "$folder"
echo "fetch-libtorch: libtorch $torch ($variant) is in $folder/torch" >&2
