#!/usr/bin/env bash
# Unpacks what the scenarios need of a Debian of another architecture: Python, ffmpeg, v4l2-ctl and all
# that they need. Nothing of it runs here, so neither an emulator nor root is needed.
#
# Usage: tests/camera/system.sh APT FOLDER     APT: a folder of .ci/private-apt.sh
set -euo pipefail
apt=$1 system=$2
export APT_CONFIG=$apt/apt.conf
apt-get install -q -y --download-only --no-install-recommends \
    base-files busybox-static coreutils dash ffmpeg libc6 libgcc-s1 python3 v4l-utils >&2
mkdir -p "$system"
for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$system"
done
mkdir -p "$system"/{proc,sys,dev,run,tmp}
# The packages' scripts would have done it, as alternatives.
libraries=("$system"/usr/lib/*-linux-gnu)
for name in blas lapack; do
    ln -s "$name/lib$name.so.3" "${libraries[0]}/lib$name.so.3"
done
# What nobody reads in there.
rm -rf "$system"/usr/share/{doc,man,locale,info}
