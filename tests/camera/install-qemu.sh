#!/usr/bin/env bash
# Installs the emulator of the camera machine, where it is missing; needs root.
#
# Where qemu's tools are installed already in a newer version than the system's release has, its
# emulator can only come from the same place, which on Debian is backports; nothing that is
# installed is ever removed.
set -euo pipefail
command -v qemu-system-x86_64 >/dev/null && exit 0

fail() {
    echo "parseye: $1" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || fail "the emulator is missing: as root, run apt-get install qemu-system-x86"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 "$@"; }

apt-get -q update
install qemu-system-x86 && exit 0

# shellcheck source=/dev/null # names the release
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    grep -v security | head -n 1)
[ -n "$release" ] && [ -n "$mirror" ] || fail "qemu-system-x86 cannot be installed, and this is no Debian whose backports could be asked"
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for suite in "$release" "$release-updates" "$release-backports"; do
    echo "deb [signed-by=$keys] $mirror $suite main"
done >"$apt/sources.list"
cat >"$apt/apt.conf" <<SETTINGS
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
SETTINGS
export APT_CONFIG=$apt/apt.conf
apt-get -q update
packages=()
for package in qemu-utils qemu-system-x86 qemu-system-common qemu-system-data seabios; do
    version=$(apt-cache madison "$package" | awk -v suite="$release-backports" '$0 ~ suite { print $3; exit }')
    [ -z "$version" ] || packages+=("$package=$version")
done
install "${packages[@]}"
