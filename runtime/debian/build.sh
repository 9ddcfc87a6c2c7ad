#!/usr/bin/env bash
# Makes a Debian package of the program, its models, its manual and a service that nobody has to start:
# target/debian/parseye_VERSION_ARCH.deb. The same sources and program give the same bytes.
#
# Usage: runtime/debian/build.sh                                  build here, for here
#        DEB_ARCH=arm64 runtime/debian/build.sh                   build here, for 64-bit Arm (.ci/arm64.sh)
#        BINARY=FILE runtime/debian/build.sh                      take a program that is built already
#        DEB_ARCH=armhf BINARY=FILE runtime/debian/build.sh       the same for another architecture
#
# The program writes its own manual. Where it does not run here, an emulator runs it (qemu-user), or one of
# this machine stands in: HOST_BINARY, or it is built.
# FEATURES names what is built in beside the default ("mqtt"); MAINTAINER stands in the package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export LC_ALL=C.UTF-8 TZ=UTC
umask 022

features=${FEATURES-mqtt}
maintainer=${MAINTAINER:-Parseye maintainers <maintainers@parseye.invalid>}
target=${CARGO_TARGET_DIR:-target}
from=runtime/debian
detector=models/face-detector/face_detection_front_128x128.onnx

fail() {
    echo "deb: $1" >&2
    exit 1
}

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
[ -n "$version" ] || fail "Cargo.toml names no version in [workspace.package]"
here=$(dpkg --print-architecture)
arch=${DEB_ARCH:-$here}
# Names of the architecture: readelf's, and Rust's.
case $arch in
amd64) machine="Advanced Micro Devices X86-64" triple=x86_64-unknown-linux-gnu ;;
arm64) machine=AArch64 triple=aarch64-unknown-linux-gnu ;;
armhf) machine=ARM triple=armv7-unknown-linux-gnueabihf ;;
*) fail "DEB_ARCH is $arch; amd64, arm64 and armhf are known here" ;;
esac

# The date of the last change, so that building again on another day gives the same package.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH=$epoch

# Link-time optimisation makes a smaller program and takes minutes, which only packages are worth.
build() { CARGO_PROFILE_RELEASE_LTO=thin "${CARGO:-cargo}" build --locked --release -p parseye --features "$features"; }
binary=${BINARY:-}
if [ -z "$binary" ]; then
    case $arch in
    "$here")
        build
        binary=$target/release/parseye
        ;;
    arm64)
        FEATURES=$features .ci/arm64.sh build
        binary=$target/$triple/release/parseye
        ;;
    *) fail "for $arch a program must be given: BINARY=FILE, built with --target $triple" ;;
    esac
fi
[ -f "$binary" ] || fail "$binary: there is no such program; give another BINARY"
readelf -h "$binary" 2>/dev/null | grep -q "Machine: *$machine\$" ||
    fail "$binary is not a program for $arch; give DEB_ARCH what it was built for"
[ -f "$detector" ] || fail "$detector is missing; run 'make models'"

# What writes the manual must be of the same version.
runs() { "$@" --version >/dev/null 2>&1; }
emulated=("qemu-${triple%%-*}-static" -L "/usr/${triple%%-*}-linux-gnu" "$binary")
pages=("$binary")
if ! runs "${pages[@]}"; then
    if [ -n "${HOST_BINARY:-}" ]; then
        pages=("$HOST_BINARY")
    elif runs "${emulated[@]}"; then
        pages=("${emulated[@]}")
    else
        build
        pages=("$target/release/parseye")
    fi
fi
says=$("${pages[@]}" --version) || fail "${pages[*]} does not run"
[ "$says" = "parseye $version" ] ||
    fail "${pages[*]} says it is '$says', but this is version $version; build it anew"

out=$target/debian
mkdir -p "$out"
work=$(mktemp -d "$out/.making-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
root=$work/root
share=$root/usr/share
doc=$share/doc/parseye
packed() { gzip -9n >"$1"; }

# The program. Tools of the system know its own architecture only; those of Rust and LLVM know all.
strip_program() { # FILE
    local tool sysroot
    sysroot=$(rustc --print sysroot 2>/dev/null) || sysroot=
    for tool in "${triple%%-*}-linux-gnu-strip" "$sysroot"/lib/rustlib/*/bin/rust-objcopy llvm-strip strip; do
        command -v "$tool" >/dev/null && "$tool" --strip-all "$1" 2>"$work/strip" && return
    done
    fail "$binary cannot be stripped ($(tail -n1 "$work/strip" 2>/dev/null)); install binutils-${triple%%-*}-linux-gnu or llvm"
}
install -D -m 755 "$binary" "$root/usr/bin/parseye"
strip_program "$root/usr/bin/parseye"

# The oldest C library that has all symbols that it asks for. All else it brings along.
depends() {
    local library packages=()
    readelf -d "$root/usr/bin/parseye" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' >"$work/needed"
    while read -r library; do
        case $library in
        libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux*) ;;
        libgcc_s.so.1) packages+=("libgcc-s1 (>= 4.2)") ;;
        libasound.so.2) packages+=("libasound2 | libasound2t64") ;;
        *) fail "$binary is linked to $library, whose package $from/build.sh does not know; add it there" ;;
        esac
    done <"$work/needed"
    local libc
    libc=$(readelf --version-info "$root/usr/bin/parseye" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    [ -n "$libc" ] || fail "$binary names no version of the C library; is it linked statically?"
    packages=("adduser" "libc6 (>= ${libc#GLIBC_})" ${packages[@]+"${packages[@]}"})
    printf '%s, ' "${packages[@]}" | sed 's/, $//'
}
depends >"$work/depends"

install -D -m 644 -t "$share/parseye/face-detector" "$detector"
install -D -m 644 -t "$share/parseye/models" models/*.onnx

# Settings: all of configs/monitor.toml, less what a service needs otherwise.
settings() {
    awk -v note="$from/build.sh no longer fits configs/monitor.toml" '
        function change(line) { print line; changed++ }
        NR == 1, /^$/ {
            if (NR == 1) {
                print "# Settings of the service parseye.service, each with its default or what the service needs, and its"
                print "# reason. After a change:  systemctl restart parseye"
                print "# An environment variable PARSEYE_<SECTION>__<KEY>, such as PARSEYE_CAMERA__FRAME_RATE=15, wins over"
                print "# this file, and a flag over everything."
                print "# Lines that begin with `#: ` are settings without a default."
            }
            if ($0 == "") print
            next
        }
        $0 == "#: log = \"parseye.jsonl\"" { change("log = \"/var/log/parseye/events.jsonl\""); next }
        $0 == "status_every_s = 1.0" {
            print "# The service: a line a minute in the journal; `systemctl status` has newer ones."
            change("status_every_s = 60.0")
            next
        }
        $0 == "keep = 0" {
            print "# The service: about 5 GB at most, which is three days of watching without a pause."
            change("keep = 20")
            next
        }
        $0 == "dashboard = true" { change("dashboard = false"); next }
        { gsub(/where `make models` puts it/, "in /usr/share/parseye/face-detector"); print }
        END { if (changed != 4) { print note >"/dev/stderr"; exit 1 } }' configs/monitor.toml
}
mkdir -p "$root/etc/parseye"
settings >"$root/etc/parseye/monitor.toml"
"${pages[@]}" --config "$root/etc/parseye/monitor.toml" config --print >/dev/null

install -D -m 644 -t "$root/usr/lib/systemd/system" "$from/parseye.service"

# Manual and completions.
mkdir -p "$share/man/man1"
"${pages[@]}" man "$share/man/man1"
gzip -9n "$share"/man/man1/*.1
completion() { # SHELL FILE
    mkdir -p "$(dirname "$2")"
    "${pages[@]}" completions "$1" >"$2"
}
completion bash "$share/bash-completion/completions/parseye"
completion zsh "$share/zsh/vendor-completions/_parseye"
completion fish "$share/fish/vendor_completions.d/parseye.fish"

# Documents.
install -D -m 644 -t "$doc" "$from/copyright"
install -D -m 644 -t "$doc/examples" "$from"/*.conf
for page in README.md docs/EVENTS.md docs/DASHBOARDS.md docs/MODELS.md; do
    packed "$doc/$(basename "$page").gz" <"$page"
done
packed "$doc/NEWS.gz" <CHANGELOG.md
packed "$doc/changelog.gz" <<CHANGES
parseye ($version) unstable; urgency=medium

  * Version $version; NEWS.gz tells what is new.

 -- $maintainer  $(date -R -d "@$epoch")
CHANGES

# The licences of the libraries inside ask to be told along with them.
licences() {
    local name numbered licence folder file
    "${CARGO:-cargo}" tree --locked --quiet -p parseye --features "$features" -e normal --target "$triple" \
        --prefix none --format '{p}|{l}' | sed 's/ (proc-macro)//' | sort -u >"$work/crates"
    echo "Libraries in the program parseye $version, and their licences."
    while IFS='|' read -r name licence; do
        case $name in *" ("*) continue ;; esac # the project itself
        numbered=${name/ v/-}
        printf '\n%s: %s\n' "$name" "$licence"
        folder=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -mindepth 2 -maxdepth 2 -name "$numbered" -print -quit)
        [ -n "$folder" ] || fail "the sources of $name are not there; run 'cargo fetch'"
        find "$folder" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' \) |
            sort >"$work/texts"
        while read -r file; do
            printf '\n%s of %s:\n\n' "$(basename "$file")" "$name"
            # Apache's text and the like are the same in a hundred libraries.
            cat "$file"
        done <"$work/texts"
    done <"$work/crates"
}
licences >"$work/licences"
packed "$doc/third-party-licences.gz" <"$work/licences"

# The package's own data.
control=$root/DEBIAN
mkdir -p "$control"
install -m 755 -t "$control" "$from/postinst" "$from/prerm" "$from/postrm"
echo /etc/parseye/monitor.toml >"$control/conffiles"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
size=$(find "$root" -path "$control" -prune -o -type f -printf '%s\n' | awk '{ kb += int(($1 + 1023) / 1024) } END { print kb }')
cat >"$control/control" <<CONTROL
Package: parseye
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $size
Depends: $(cat "$work/depends")
Recommends: ffmpeg
Section: video
Priority: optional
Description: watches a person's eyes through a camera, and its own answers
 Parseye says for each eye and each frame of an ordinary camera whether it is
 open, partially open, closed or not visible; over time it finds blinks, long
 closures and PERCLOS. It runs on the processor of a small computer, without a
 network connection, and keeps measuring how far its answers can be trusted.
 .
 The service parseye.service is installed, but neither enabled nor started.
 Recordings are read by ffmpeg; cameras and folders of pictures need no other
 program.
 .
 It is not a safety or medical device.
CONTROL

find "$root" -exec touch -h -d "@$epoch" {} +
package=$out/parseye_${version}_$arch.deb
# One thread: how many there are would show in the compressed bytes.
DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$root" "$work/package.deb" >/dev/null
mv "$work/package.deb" "$package"
echo "deb: $package, $(stat -c %s "$package") bytes; install it with: apt install ./$package" >&2
