#!/usr/bin/env bash
# A throw-away virtual machine with real V4L2 devices: Debian's own kernel with its simulated camera
# (vivid) at /dev/video0 and a loopback camera (v4l2loopback) at /dev/video10. It sees the files of
# the machine it runs on, or, with the processor of another, a system of its own, both read-only; only
# FOLDER can be written to.
#
# Usage: [ARCH=arm64] tests/camera/vm.sh prepare            fetch by apt and build the machine
#        [ARCH=arm64] tests/camera/vm.sh run FOLDER CMD...  run CMD as root in it, with FOLDER at /run/camera
#
# The exit status is CMD's. Nothing is installed, and no root is needed to run it. Without hardware
# virtualisation all is emulated, ten to fifty times slower: test behaviour in it, never speed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Seconds after which a machine that hangs is ended.
patience=${CAMERA_VM_SECONDS:-1200}

fail() {
    echo "parseye: $1" >&2
    exit 1
}

# `image` names the kernel's package without its version, `kernel_make` what its makefiles are told.
arch=${ARCH:-amd64}
case $arch in
amd64)
    vm=$PWD/target/camera-vm image=linux-image-amd64 kernel_make=(ARCH=x86_64) strip=strip
    emulator=(qemu-system-x86_64 -cpu max) console=ttyS0
    ;;
arm64)
    vm=$PWD/target/camera-vm-arm64 image=linux-image-arm64 kernel_make=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
    strip=aarch64-linux-gnu-strip
    # The processor of a Raspberry Pi 4.
    emulator=(qemu-system-aarch64 -M virt -cpu cortex-a72) console=ttyAMA0
    ;;
*) fail "ARCH is '$arch'; the camera machine knows amd64 and arm64" ;;
esac

prepare() {
    [ -s "$vm/ready/initrd" ] && return
    rm -rf "$vm"
    mkdir -p "$vm/packages" "$vm/root" "$vm/files/lib" "$vm/files/bin" "$vm/being-made"
    if [ "$arch" != amd64 ]; then
        .ci/private-apt.sh "$vm/apt" "$arch" release
        tests/camera/system.sh "$vm/apt" "$vm/being-made/system"
        export APT_CONFIG=$vm/apt/apt.conf
    fi
    local versioned release headers common kbuild
    versioned=$(apt-cache depends "$image" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$versioned" ] || fail "apt knows no $image here: the camera machine is made from Debian's kernel, so run this on Debian (or in a Debian container)"
    release=${versioned#linux-image-}
    headers=linux-headers-$release
    common=linux-headers-${release%-"$arch"}-common
    kbuild=$(apt-cache depends "$headers" | sed -n 's/^ *Depends: \(linux-kbuild-[^ :]*\).*$/\1/p' | head -n 1)
    (
        cd "$vm/packages"
        # The tools in kbuild run here.
        apt-get download -q "$versioned" "$headers" "$common" "$kbuild:$(dpkg --print-architecture)" v4l2loopback-dkms
    ) >&2
    local package
    for package in "$vm"/packages/*.deb; do dpkg-deb -x "$package" "$vm/root"; done
    make_modules "$release" "$headers" "$common"
    make_initrd "$release"
    cp "$vm/root/boot/vmlinuz-$release" "$vm/being-made/kernel"
    rm -rf "$vm/packages" "$vm/root" "$vm/loopback" "$vm/files" "$vm/apt"
    mv "$vm/being-made" "$vm/ready"
}

make_modules() { # RELEASE HEADERS COMMON
    local loopback
    # The headers name each other by their installed paths.
    echo "include $vm/root/usr/src/$3/Makefile" >"$vm/root/usr/src/$2/Makefile"
    loopback=("$vm"/root/usr/src/v4l2loopback-*)
    cp -r "${loopback[0]}" "$vm/loopback"
    make -s -C "$vm/root/usr/src/$2" "${kernel_make[@]}" M="$vm/loopback" modules >&2
    mkdir -p "$vm/root/lib/modules/$1/extra"
    cp "$vm/loopback/v4l2loopback.ko" "$vm/root/lib/modules/$1/extra/"
    depmod -b "$vm/root" "$1"
}

make_initrd() { # RELEASE
    local module file busybox
    # The modules with all that they need, in the order in which they are loaded.
    for module in virtio_pci 9pnet_virtio 9p vivid v4l2loopback; do
        modprobe -d "$vm/root" -S "$1" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        cp "$file" "$vm/files/lib/"
        "$strip" --strip-debug "$vm/files/lib/$(basename "$file")"
        basename "$file" .ko
    done >"$vm/files/lib/order"
    if [ -d "$vm/being-made/system" ]; then
        busybox=$vm/being-made/system/bin/busybox
    else
        busybox=$(command -v busybox)
    fi
    cp "$busybox" "$vm/files/bin/busybox"
    cp tests/camera/init.sh "$vm/files/init"
    chmod +x "$vm/files/init"
    (cd "$vm/files" && find . | cpio -o -H newc --quiet | gzip -1) >"$vm/being-made/initrd"
}

# Some machines offer virtualisation and then refuse it, or never get a kernel started, so one is: without
# a root it panics and leaves within seconds.
accelerator() {
    if [ "$arch" = amd64 ] &&
        timeout -k 5 20 "${emulator[@]}" -accel kvm -m 256 -nodefaults -display none -no-reboot \
            -kernel "$vm/ready/kernel" -append "panic=-1 no_timer_check" >/dev/null 2>&1 </dev/null; then
        echo kvm
    else
        echo tcg,thread=multi
    fi
}

run() { # FOLDER CMD...
    local folder=$1 system=/ status
    shift
    [ ! -d "$vm/ready/system" ] || system=$vm/ready/system
    printf '%q ' "$@" >"$folder/command"
    rm -f "$folder/status"
    local share="security_model=none,multidevs=remap"
    # A busy machine delays the emulated timer, whose test would then fail: no_timer_check.
    timeout -k 5 "$patience" "${emulator[@]}" -accel "$(accelerator)" \
        -m 1536 -smp 2 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
        -kernel "$vm/ready/kernel" -initrd "$vm/ready/initrd" \
        -append "console=$console quiet loglevel=3 panic=-1 no_timer_check" \
        -virtfs "local,path=$system,mount_tag=host,readonly=on,$share" \
        -virtfs "local,path=$folder,mount_tag=folder,$share" </dev/null 2>"$folder/qemu.txt" &
    machine=$!
    # The machine ends with this script.
    trap 'kill "$machine" 2>/dev/null || true' EXIT
    trap 'exit 130' INT TERM HUP
    wait "$machine" || true
    [ -s "$folder/status" ] || {
        tail -n 5 "$folder/qemu.txt" >&2
        fail "the camera machine did not come to its end, or not within $patience seconds"
    }
    status=$(cat "$folder/status")
    return "$status"
}

case ${1:-} in
prepare) prepare ;;
run)
    shift
    run "$@"
    ;;
*) fail "usage: [ARCH=arm64] tests/camera/vm.sh prepare | run FOLDER CMD..." ;;
esac
