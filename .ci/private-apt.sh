#!/usr/bin/env bash
# Sets up an apt of its own, which knows other packages than this machine's and changes nothing here.
#
# Usage: .ci/private-apt.sh FOLDER ARCHITECTURE SUITE...
#
# A SUITE may begin with `release`, this machine's: release-backports. With APT_CONFIG=FOLDER/apt.conf the
# commands of apt then use it. Packages of another architecture are seen as in an empty system.
set -euo pipefail
folder=$1 arch=$2
shift 2

fail() {
    echo "parseye: $1" >&2
    exit 1
}

# shellcheck source=/dev/null # names the release
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep -v security | head -n 1) || mirror=
keys=/usr/share/keyrings/debian-archive-keyring.gpg
if [ -z "$release" ] || [ -z "$mirror" ] || [ ! -f "$keys" ]; then
    fail "apt names no mirror of Debian here; run this on Debian (or in a Debian container), after apt-get update"
fi

here=$(dpkg --print-architecture)
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
folder=$(realpath "$folder")
for suite in "$@"; do
    echo "deb [arch=$arch,$here signed-by=$keys] $mirror ${suite/#release/$release} main"
done >"$folder/sources.list"
cat >"$folder/apt.conf" <<SETTINGS
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State::lists "$folder/lists";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
SETTINGS
if [ "$arch" != "$here" ]; then
    : >"$folder/status"
    cat >>"$folder/apt.conf" <<SETTINGS
APT::Architecture "$arch";
APT::Architectures { "$arch"; "$here"; };
Dir::State "$folder";
Dir::State::status "$folder/status";
Debug::NoLocking "true";
SETTINGS
fi
APT_CONFIG=$folder/apt.conf apt-get -q update >&2
