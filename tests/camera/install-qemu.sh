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
install() { apt-get install -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 "$@"; }

apt-get -q update
install "$emulator" && exit 0

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
.ci/private-apt.sh "$apt" "$(dpkg --print-architecture)" release release-updates release-backports ||
    fail "$emulator cannot be installed, and there are no backports that could be asked"
export APT_CONFIG=$apt/apt.conf
packages=()
for package in qemu-utils "$emulator" qemu-system-common qemu-system-data $firmware; do
    version=$(apt-cache madison "$package" | awk '/-backports/ { print $3; exit }')
    [ -z "$version" ] || packages+=("$package=$version")
done
install "${packages[@]}"
