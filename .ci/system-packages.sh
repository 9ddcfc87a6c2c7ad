#!/usr/bin/env bash
# Makes sure that the tools a make target needs are on this machine.
#
# Usage: .ci/system-packages.sh run|test|browser|rtsp|sound|camera|arm64|test-arm64|deb|test-deb|fuzz|models|libtorch
#
# It probes for the tools themselves, so it is right on any system and for tools that were not
# installed as packages, and it is silent when nothing is missing. What is missing is installed by
# apt when this runs as root, offered through sudo at a terminal, and named in one line otherwise; what
# apt-get prints is kept in target/log/apt-get.log.
# Rust is never installed, only asked for: it belongs to the user, not to the system.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=.ci/log.sh
. .ci/log.sh

fail() {
    echo "parseye: $1" >&2
    exit 1
}

target=${1:-}
case $target in
run | test | browser | rtsp | sound | camera | arm64 | test-arm64 | deb | test-deb | fuzz | models | libtorch) ;;
*) fail "usage: .ci/system-packages.sh run|test|browser|rtsp|sound|camera|arm64|test-arm64|deb|test-deb|fuzz|models|libtorch" ;;
esac

packages=()
need() {
    local package
    for package in ${packages[@]+"${packages[@]}"}; do
        [ "$package" = "$1" ] && return
    done
    packages+=("$1")
}
has() { command -v "$1" >/dev/null 2>&1; }

# Preprocessing one header needs the compiler and the headers, and costs milliseconds.
compiles() { # COMPILER LANGUAGE HEADER
    has "$1" && echo "#include <$3>" | "$1" -E -x "$2" - >/dev/null 2>&1
}

# What the bindings generator of the camera crate looks for: libclang and clang's own headers,
# which some systems package apart from it.
has_libclang() {
    local found=()
    shopt -s nullglob
    if [ -n "${LIBCLANG_PATH:-}" ]; then
        found=("$LIBCLANG_PATH" "$LIBCLANG_PATH"/libclang*.so*)
        shopt -u nullglob
        [ ${#found[@]} -gt 1 ] || [ -f "$LIBCLANG_PATH" ]
        return
    fi
    found=(/usr/lib/llvm*/lib/libclang.so* /usr/lib/llvm*/lib/libclang-[0-9]*.so*
        /usr/lib*/libclang.so* /usr/lib*/libclang-[0-9]*.so*
        /usr/lib/*-linux-gnu*/libclang.so* /usr/lib/*-linux-gnu*/libclang-[0-9]*.so*
        /usr/local/lib*/libclang.so* /usr/local/lib*/libclang-[0-9]*.so*)
    local headers=(/usr/lib/llvm*/lib/clang/*/include/stddef.h /usr/lib*/clang/*/include/stddef.h
        /usr/local/lib*/clang/*/include/stddef.h)
    shopt -u nullglob
    [ ${#found[@]} -gt 0 ] && [ ${#headers[@]} -gt 0 ]
}

# A fresh pip can be made from ensurepip where pip itself is absent (see .ci/pip.sh).
has_python_module() {
    has python3 && python3 - "$@" <<'PYTHON' 2>/dev/null
import importlib.util, sys
sys.exit(not any(importlib.util.find_spec(name) for name in sys.argv[1:]))
PYTHON
}

for_building() {
    compiles cc c linux/videodev2.h || need g++
    has_libclang || need libclang-dev
    { has ffmpeg && has ffprobe; } || need ffmpeg
}
for_face_detector() {
    [ -s models/face-detector/face_detection_front_128x128.onnx ] && return
    # Where earlier versions put it, from where it is moved.
    [ -s models/locator/face_detection_front_128x128.onnx ] && return
    for_network
    has npm || has_python_module pip || need python3-pip
}
for_libtorch() {
    compiles c++ c++ vector || need g++
    [ -e third_party/py/torch/lib/libtorch_cpu.so ] && return
    for_pip
}
# The camera machine: a kernel module is compiled, and a small file system made. Its emulator is left
# to tests/camera/install-qemu.sh.
for_camera() {
    for_network
    compiles cc c stdio.h || need gcc
    has make || need make
    has strip || need binutils
    has busybox || need busybox-static
    { has modprobe && has depmod; } || need kmod
    has cpio || need cpio
    has v4l2-ctl || need v4l-utils
    has python3 || need python3
}
# The cross compiler of Debian and Ubuntu; on an Arm machine the usual one. What runs while building is
# built for this machine.
for_arm64() {
    if [ "$(uname -m)" = aarch64 ]; then
        for_building
        return
    fi
    compiles cc c stdio.h || need g++
    has_libclang || need libclang-dev
    compiles aarch64-linux-gnu-gcc c linux/videodev2.h && return
    need gcc-aarch64-linux-gnu
    need libc6-dev-arm64-cross
}
for_running_arm64() {
    [ "$(uname -m)" = aarch64 ] || has qemu-aarch64-static || need qemu-user-static
}
# libFuzzer is C++. No face is detected, so that the face detector is not needed.
for_fuzz() {
    for_building
    compiles c++ c++ vector || need g++
}
# The package is made by Debian's own tool; stripped and looked into.
for_deb() {
    has dpkg-deb || need dpkg
    { has strip && has readelf; } || need binutils
}
# The package is installed in a clean system.
for_test_deb() {
    has debootstrap || need debootstrap
    has unshare || need util-linux
}
# tests/runtime/browser.rs looks at the web page in it, and is ignored without.
for_browser() {
    has "${PARSEYE_BROWSER:-chromium}" || has chromium-browser || has google-chrome || has chrome || need chromium
}
# tests/rtsp/server.py, with which network cameras are tested; those tests are ignored without.
for_rtsp() {
    tests/needs/probe.sh | grep -qx rtsp_server && return
    need python3-gi
    need gir1.2-gst-rtsp-server-1.0
    need gstreamer1.0-plugins-base
    need gstreamer1.0-plugins-good
    need gstreamer1.0-plugins-bad
}
# The feature `sound` is linked to ALSA; `notifications` speaks D-Bus by itself.
for_sound() {
    has pkg-config || need pkg-config
    compiles cc c alsa/asoundlib.h || need libasound2-dev
}
for_pip() {
    for_network
    has_python_module pip ensurepip || need python3-pip
}
for_network() {
    [ -n "${SSL_CERT_FILE:-}${SSL_CERT_DIR:-}" ] || [ -e /etc/ssl/certs/ca-certificates.crt ] ||
        [ -e /etc/pki/tls/certs/ca-bundle.crt ] || [ -e /etc/ssl/cert.pem ] || need ca-certificates
}

case $target in
run)
    for_building
    for_face_detector
    ;;
test)
    for_building
    for_face_detector
    for_libtorch
    ;;
browser) for_browser ;;
rtsp) for_rtsp ;;
sound) for_sound ;;
camera)
    for_building
    for_face_detector
    for_camera
    [ "${ARCH:-amd64}" != arm64 ] || for_arm64
    ;;
arm64) for_arm64 ;;
test-arm64)
    for_building
    for_face_detector
    for_arm64
    for_running_arm64
    ;;
deb)
    for_building
    for_face_detector
    for_deb
    if [ "${DEB_ARCH:-}" = arm64 ]; then
        for_arm64
        for_running_arm64
    fi
    ;;
test-deb)
    for_building
    for_face_detector
    for_deb
    # Without root the test is skipped, so that nothing need be there for it.
    [ "$(id -u)" != 0 ] || for_test_deb
    ;;
fuzz) for_fuzz ;;
models) for_face_detector ;;
libtorch) for_libtorch ;;
esac

# Asks nothing: a question would be asked in the log.
install_with() { # COMMAND PREFIX...
    local lists=(/var/lib/apt/lists/*_Packages* /var/lib/apt/lists/*_InRelease)
    local apt=("$@" env DEBIAN_FRONTEND=noninteractive apt-get)
    # No lists at all, as in a fresh container, or lists that name versions no longer served.
    [ -e "${lists[0]}" ] || [ -e "${lists[1]:-}" ] || "${apt[@]}" update || return 1
    "${apt[@]}" install -y --no-install-recommends "${packages[@]}" && return
    "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${packages[@]}"
}
# Tells beforehand what is coming, since it takes minutes, and afterwards what was installed.
install_packages() { # COMMAND PREFIX...
    open_log apt-get
    echo "parseye: installing ${packages[*]} by apt-get (its output: $log)" >&2
    if ! install_with "$@" >>"$log" 2>&1; then
        show_log
        fail "apt-get could not install ${packages[*]}; all that it printed is in $log; run by hand: ${1:+$1 }$by_hand"
    fi
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query --show --showformat 'parseye: installed ${Package} ${Version}\n' "${packages[@]}" >&2 || true
}

if [ ${#packages[@]} -gt 0 ]; then
    by_hand="apt-get install --no-install-recommends ${packages[*]}"
    if ! has apt-get; then
        fail "missing on this system: ${packages[*]} (Debian's package names); install what your system calls them, then run make again"
    elif [ "$(id -u)" = 0 ]; then
        install_packages
    elif [ -t 0 ] && [ -t 2 ] && has sudo; then
        read -r -p "parseye: missing: ${packages[*]}. Run 'sudo $by_hand' now? [Y/n] " answer || answer=no
        case $answer in
        '' | [Yy]*) ;;
        *) fail "nothing was installed; to go on, run: sudo $by_hand" ;;
        esac
        install_packages sudo
    else
        fail "missing system packages; run as root, then make again: $by_hand"
    fi
fi

case $target in
browser | rtsp | sound | models | libtorch) exit 0 ;;
esac

oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
has cargo ||
    fail "Rust is missing: install it with rustup (Rust's own installer), $oldest or newer, open a new shell, then run make again"
version=$(cargo --version 2>/dev/null | cut -d' ' -f2) || version=
[ -n "$version" ] ||
    fail "'cargo --version' fails: run 'rustup toolchain install stable', then make again (RUSTUP_TOOLCHAIN=NAME makes do with another that is installed)"
if [ "$(printf '%s\n%s\n' "$oldest" "$version" | sort -V | head -n1)" != "$oldest" ]; then
    fail "Rust $version is too old, $oldest or newer is needed: run 'rustup update stable' (where Rust came with the system, install rustup first), then make again"
fi
