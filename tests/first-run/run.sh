#!/usr/bin/env bash
# Does what a stranger does first: `make run` in a clean clone on a clean Debian that has Rust, make and git, and no
# camera. It must install what is missing, build, show the demonstration and end well.
#
# Usage: tests/first-run/run.sh [SECONDS]     of the demonstration, 60 by default
#
# Needs root, for the clean system is a folder that this changes its root to; it is skipped without. The system is
# the one of tests/package. Rust, what cargo has downloaded and whose certificates are trusted are this machine's;
# nothing that was built is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
place=$PWD/target/package-test

fail() {
    echo "first run: $1" >&2
    exit 1
}
skip() {
    echo "first run: SKIPPED, $1" >&2
    exit 0
}
[ "$(id -u)" = 0 ] || skip "only root can change into another system"
command -v debootstrap >/dev/null || skip "there is no debootstrap; apt install debootstrap"

# Mounts go away with this script, whatever becomes of it.
if [ -z "${PARSEYE_FIRST_RUN:-}" ]; then
    unshare --mount true 2>/dev/null || skip "this machine does not allow mounts of one's own (a container?)"
    PARSEYE_FIRST_RUN=inside exec unshare --mount --propagation private "$0" "$@"
fi
seconds=${1:-60}

base=$(tests/package/clean-system.sh)
root=$(mktemp -d "$place/root-XXXXXX")
finish() {
    umount "$root/proc" "$root/opt/rust" "$root/opt/cargo/registry" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
cp -a "$base/." "$root"
chmod 755 "$root"
mount -t proc proc "$root/proc"
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true

toolchain=$(rustc --print sysroot)
registry=${CARGO_HOME:-$HOME/.cargo}/registry
mkdir -p "$root/opt/rust" "$root/opt/cargo/registry" "$registry"
mount --bind "$toolchain" "$root/opt/rust"
mount --bind "$registry" "$root/opt/cargo/registry"
git clone --quiet . "$root/root/parseye"

certificates=/etc/ssl/certs/ca-certificates.crt
inside() {
    chroot "$root" /usr/bin/env -i PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive CARGO_HOME=/opt/cargo \
        ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=$certificates} "$@"
}
{ inside apt-get update && inside apt-get install -y -q --no-install-recommends make git ca-certificates; } \
    >"$place/apt.log" 2>&1 || fail "apt cannot install make and git: $(tail -n1 "$place/apt.log")"
[ ! -f "$certificates" ] || cp "$certificates" "$root$certificates"

begin=$(date +%s)
inside make -C /root/parseye run ARGS="--duration $seconds --log log.jsonl" </dev/null >"$place/first-run.log" 2>&1 ||
    fail "make run ended with status $?: $(tail -n5 "$place/first-run.log")"
echo "first run: ended well after $((($(date +%s) - begin + 30) / 60)) min, having printed:"
cat "$place/first-run.log"

log=$root/root/parseye/log.jsonl
grep -q '"event":"end".*"outcome":"complete"' "$log" || fail "its log does not end well"
for kind in blink long_closure; do
    grep -q "\"event\":\"$kind\"" "$log" || fail "its log has no $kind of the script"
done
