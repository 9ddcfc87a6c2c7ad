#!/usr/bin/env bash
# Installs the emulator of the camera machine, where it is missing; needs root.
#
# Usage: tests/camera/install-qemu.sh [amd64|arm64]     whose processor is emulated; amd64 by default
#
# Where qemu's tools are installed already in a newer version than the system's release has, its
# emulator can only come from the same place, which on Debian is backports; nothing that is
# installed is ever removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=.ci/log.sh
. .ci/log.sh
case ${1:-amd64} in
amd64) program=qemu-system-x86_64 emulator=qemu-system-x86 firmware=seabios ;;
arm64) program=qemu-system-aarch64 emulator=qemu-system-arm firmware= ;;
*)
    echo "parseye: usage: tests/camera/install-qemu.sh [amd64|arm64]" >&2
    exit 1
    ;;
esac
command -v "$program" >/dev/null && exit 0

fail() {
    echo "parseye: $1" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || fail "the emulator is missing: as root, run apt-get install $emulator"
export DEBIAN_FRONTEND=noninteractive
open_log qemu
install() { apt-get install -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1; }
tell_installed() {
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query --show --showformat 'parseye: installed ${Package} ${Version}\n' "$emulator" >&2
    exit 0
}
fail_with_log() {
    show_log
    fail "$1 (all that apt-get printed is in $log)"
}

echo "parseye: installing $emulator by apt-get (its output: $log)" >&2
apt-get -q update >>"$log" 2>&1 || fail_with_log "apt-get cannot update its lists"
install "$emulator" && tell_installed

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
.ci/private-apt.sh "$apt" "$(dpkg --print-architecture)" release release-updates release-backports 2>>"$log" ||
    fail_with_log "$emulator cannot be installed, and there are no backports that could be asked"
export APT_CONFIG=$apt/apt.conf
packages=()
for package in qemu-utils "$emulator" qemu-system-common qemu-system-data $firmware; do
    version=$(apt-cache madison "$package" | awk '/-backports/ { print $3; exit }')
    [ -z "$version" ] || packages+=("$package=$version")
done
install "${packages[@]}" || fail_with_log "$emulator cannot be installed from the backports either"
tell_installed
