#!/usr/bin/env bash
# Makes a clean Debian of this machine's release in target/package-test, once, and prints its folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
place=$PWD/target/package-test

fail() {
    echo "clean system: $1" >&2
    exit 1
}

# shellcheck source=/dev/null # names the release
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
base=$place/base-$suite
if [ ! -d "$base" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
        grep -v security | head -n 1)
    [ -n "$mirror" ] || fail "apt names no place to fetch a clean system from"
    mkdir -p "$place/cache"
    rm -rf "$place/making"
    echo "clean system: making a clean $suite" >&2
    debootstrap --variant=minbase --cache-dir="$place/cache" "$suite" "$place/making" "$mirror" \
        >"$place/debootstrap.log" 2>&1 ||
        fail "debootstrap could not make it: $(tail -n1 "$place/debootstrap.log")"
    mv "$place/making" "$base"
fi
echo "$base"
