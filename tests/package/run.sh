#!/usr/bin/env bash
# Installs the Debian package in a clean system, uses it as its users do, removes and purges it.
#
# Usage: tests/package/run.sh [PACKAGE.deb]     target/debian's newest for this machine by default
#
# Needs root, for the clean system is a folder that this changes its root to; it is skipped without.
# The system is made once by debootstrap, in target/package-test, and copied for each run. Nothing here
# runs as a service: what systemd thinks of the unit is asked of this machine's systemd-analyze.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
place=$PWD/target/package-test

fail() {
    echo "package test: $1" >&2
    exit 1
}
skip() {
    echo "package test: SKIPPED, $1" >&2
    exit 0
}
[ "$(id -u)" = 0 ] || skip "only root can change into another system"
command -v dpkg-deb >/dev/null || skip "this is no Debian"
command -v debootstrap >/dev/null || skip "there is no debootstrap; apt install debootstrap"

arch=$(dpkg --print-architecture)
package=${1:-$(find "${CARGO_TARGET_DIR:-target}/debian" -name "parseye_*_$arch.deb" -printf '%T@ %p\n' 2>/dev/null |
    sort -rn | sed -n '1s/^[^ ]* //p')}
[ -n "$package" ] && [ -f "$package" ] || fail "there is no package; run 'make deb' first"
package=$(realpath "$package")

# Mounts go away with this script, whatever becomes of it.
if [ -z "${PARSEYE_PACKAGE_TEST:-}" ]; then
    unshare --mount true 2>/dev/null || skip "this machine does not allow mounts of one's own (a container?)"
    PARSEYE_PACKAGE_TEST=inside exec unshare --mount --propagation private "$0" "$package"
fi

base=$(tests/package/clean-system.sh)
root=$(mktemp -d "$place/root-XXXXXX")
finish() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
cp -a "$base/." "$root"
chmod 755 "$root"
mount -t proc proc "$root/proc"
# apt reaches its mirror as it does outside.
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true

checked=0
ok() {
    checked=$((checked + 1))
    echo "package test: ok: $1"
}
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_user() { chroot --userspec=parseye:parseye "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/nonexistent LANG=C.UTF-8 "$@"; }
# All that is there, but what apt and dpkg keep of themselves, what accounts are, and what a start of
# the machine empties.
files() {
    (cd "$root" && find . \( -path ./proc -o -path ./run \) -prune -o -print) |
        grep -Ev '^\./(var/lib/(dpkg|apt)|var/cache|var/log|tmp|etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|resolv.conf|hosts)$)' |
        sort
}

files >"$place/before"
cp "$package" "$root/tmp/parseye.deb"
# What it depends on may have to be fetched, for which apt needs to know what there is.
inside apt-get install -y -q --no-install-recommends /tmp/parseye.deb >"$place/apt.log" 2>&1 ||
    { inside apt-get update && inside apt-get install -y -q --no-install-recommends /tmp/parseye.deb; } >>"$place/apt.log" 2>&1 ||
    fail "apt cannot install it: $(grep -m1 '^E:' "$place/apt.log" || tail -n1 "$place/apt.log")"
ok "apt installs it in a clean ${base##*base-}"

version=$(dpkg-deb -f "$package" Version)
[ "$(inside parseye --version)" = "parseye $version" ] || fail "parseye --version does not say $version"
ok "parseye --version says $version"

models=$(inside parseye models)
for model in models/*.onnx; do
    case $model in *.gradient.onnx) continue ;; esac
    grep -q "^/usr/share/parseye/$model .*accuracy" <<<"$models" || fail "parseye models lacks $model: $models"
done
grep -q '^built in .*accuracy' <<<"$models" || fail "parseye models lacks the one built in: $models"
ok "parseye models lists the models of the package"

settings=$(as_user parseye --config /etc/parseye/monitor.toml config --print)
for line in 'log = "/var/log/parseye/events.jsonl"' 'dashboard = false' 'keep = 20'; do
    grep -qF "$line" <<<"$settings" || fail "the service's settings lack $line"
done
ok "the service's settings are read"
[ "$(stat -c '%a %U' "$root/etc/parseye/monitor.toml")" = "644 root" ] || fail "monitor.toml has other rights"
inside dpkg-query -W -f '${Conffiles}' parseye | grep /etc/parseye/monitor.toml >/dev/null || fail "monitor.toml is no conffile"
ok "the settings are a conffile"

# A face: the project's drawn one, which does not blink in so many pictures.
count=20
pictures=$root/tmp/pictures
mkdir "$pictures"
clip=$place/drawn.mp4
[ -f "$clip" ] || DRAWN_CLIP=$clip "${CARGO:-cargo}" test --quiet --locked --workspace --test runtime -- \
    --ignored --exact live::the_clip_for_the_camera_machine_is_drawn
ffmpeg -nostdin -loglevel error -i "$clip" -frames:v "$count" "$pictures/%03d.png"
inside install -d -o parseye -g parseye /tmp/work
as_user parseye replay /tmp/pictures --log /tmp/work/log.jsonl --summary /tmp/work/summary.json
[ "$(grep -c '"event":"eyes"' "$root/tmp/work/log.jsonl")" = "$count" ] || fail "a replay did not judge $count pictures"
open=$(grep '"event":"eyes"' "$root/tmp/work/log.jsonl" | grep -c '"state":"open"' || true)
[ "$open" -ge $((count - 3)) ] || fail "open eyes are seen in $open of $count pictures"
ok "the package's user replays $count pictures without ffmpeg; open eyes in $open"

# Two of the unit's limits can be tried without systemd: no memory that is both written and run
# (prctl 65, of Linux 6.3 or newer), and no new privileges.
number=$(case $arch in amd64) echo 157 ;; arm64) echo 167 ;; esac)
deny="exec @ARGV if syscall($number, 65, 1, 0, 0, 0) == 0; exit 99"
status=0
as_user setpriv --no-new-privs perl -e "$deny" parseye replay /tmp/pictures --log /tmp/work/denied.jsonl >/dev/null || status=$?
case $status in
0)
    cmp -s "$root/tmp/work/log.jsonl" "$root/tmp/work/denied.jsonl" || fail "under MemoryDenyWriteExecute a replay says something else"
    ok "memory that is written cannot be run, and all is as before"
    ;;
99) echo "package test: MemoryDenyWriteExecute NOT tried, this kernel is older than 6.3" ;;
*) fail "under MemoryDenyWriteExecute a replay ends with status $status" ;;
esac

for page in parseye parseye-{monitor,demo,cameras,models,replay,evaluate,summarize,config,check}; do
    file=$root/usr/share/man/man1/$page.1.gz
    [ -f "$file" ] || fail "there is no manual page $page"
    if command -v man >/dev/null; then
        words=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$file" 2>&1 >/dev/null)
        [ -z "$words" ] || fail "the manual page $page is faulty: $words"
    fi
done
ok "the manual pages are there and faultless"
for file in bash-completion/completions/parseye zsh/vendor-completions/_parseye fish/vendor_completions.d/parseye.fish; do
    [ -s "$root/usr/share/$file" ] || fail "there is no completion $file"
done
inside bash -n /usr/share/bash-completion/completions/parseye || fail "bash cannot read its completion"
candidates=$(inside bash -c '. /usr/share/bash-completion/completions/parseye
    COMP_WORDS=(parseye mon) COMP_CWORD=1
    _parseye parseye mon parseye
    echo "${COMPREPLY[@]}"')
[ "$candidates" = monitor ] || fail "bash completes 'mon' to '$candidates'"
ok "completions are there, and bash's completes"
for file in copyright changelog.gz third-party-licences.gz EVENTS.md.gz; do
    [ -s "$root/usr/share/doc/parseye/$file" ] || fail "there is no $file"
done
gzip -dc "$root/usr/share/doc/parseye/third-party-licences.gz" | grep '^tract-core v' >/dev/null || fail "the licences lack tract's"
ok "documents and licences are there"

# Nobody is watched who did not ask for it.
[ -z "$(find "$root/etc/systemd" -name '*parseye*' 2>/dev/null)" ] || fail "installing it enabled the service"
ok "the service is not enabled"
if command -v systemd-analyze >/dev/null; then
    # Beside this machine's own units, since the clean system has none.
    judged=$place/judged
    rm -rf "$judged"
    mkdir -p "$judged/usr/lib/systemd/system"
    cp -a /usr/lib/systemd/system/. "$judged/usr/lib/systemd/system/"
    dpkg-deb -x "$package" "$judged"
    words=$(systemd-analyze verify --man=no --root="$judged" parseye.service 2>&1 | grep parseye || true)
    [ -z "$words" ] || fail "systemd-analyze verify: $words"
    ok "systemd-analyze verify has nothing to say"
    systemd-analyze security --offline=true --root="$judged" parseye.service >"$place/security.txt" 2>&1 || true
    echo "package test: $(grep -a 'Overall exposure' "$place/security.txt" || echo "systemd-analyze security gives no figure here")"
else
    echo "package test: the unit NOT verified, there is no systemd-analyze on this machine"
fi

# Settings and logs outlive a removal, and nothing a purge but the user.
mkdir -p "$root/var/log/parseye" "$root/var/lib/parseye"
echo '{}' >"$root/var/log/parseye/events.jsonl"
echo '# mine' >>"$root/etc/parseye/monitor.toml"
rm -rf "$root/tmp/work"
inside apt-get remove -y -q parseye >>"$place/apt.log" 2>&1 || fail "apt cannot remove it: $(tail -n1 "$place/apt.log")"
[ ! -e "$root/usr/bin/parseye" ] || fail "the program is still there after a removal"
grep -q '# mine' "$root/etc/parseye/monitor.toml" || fail "a removal took the settings"
[ -f "$root/var/log/parseye/events.jsonl" ] || fail "a removal took the logs"
ok "a removal keeps settings and logs"
inside apt-get install -y -q --no-install-recommends /tmp/parseye.deb >>"$place/apt.log" 2>&1 || fail "apt cannot install it again"
grep -q '# mine' "$root/etc/parseye/monitor.toml" || fail "installing it again took the settings"
inside apt-get purge -y -q parseye >>"$place/apt.log" 2>&1 || fail "apt cannot purge it: $(tail -n1 "$place/apt.log")"
# What it depended on is not its own.
inside apt-get autoremove --purge -y -q >>"$place/apt.log" 2>&1
rm -rf "$root/tmp/pictures"
files >"$place/after"
left=$(diff "$place/before" "$place/after" | grep '^[<>]' || true)
[ -z "$left" ] || fail "a purge leaves or takes: $left"
[ ! -e "$root/var/log/parseye" ] && [ ! -e "$root/var/lib/parseye" ] || fail "a purge leaves logs or state"
inside getent passwd parseye >/dev/null || fail "a purge took the user"
ok "a purge leaves nothing but the user"
echo "package test: all $checked checks passed"
