#!/usr/bin/env bash
# A throw-away virtual machine with real V4L2 devices: Debian's own kernel with its simulated camera
# (vivid) at /dev/video0 and a loopback camera (v4l2loopback) at /dev/video10. It sees the files of
# the machine it runs on, read-only; only FOLDER can be written to.
#
# Usage: tests/camera/vm.sh prepare            fetch a kernel by apt and build the machine
#        tests/camera/vm.sh run FOLDER CMD...  run CMD as root in it, with FOLDER at /run/camera
#
# The exit status is CMD's. Nothing is installed, and no root is needed to run it. Without hardware
# virtualisation all is emulated, ten to fifty times slower: test behaviour in it, never speed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
vm=$PWD/target/camera-vm

# Seconds after which a machine that hangs is ended.
patience=${CAMERA_VM_SECONDS:-1200}

fail() {
    echo "parseye: $1" >&2
    exit 1
}

prepare() {
    [ -s "$vm/ready/initrd" ] && return
    local image release headers common kbuild loopback
    image=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$image" ] || fail "apt knows no linux-image-amd64 here: the camera machine is made from Debian's kernel, so run this on Debian (or in a Debian container)"
    release=${image#linux-image-}
    headers=linux-headers-$release
    common=linux-headers-${release%-amd64}-common
    kbuild=$(apt-cache depends "$headers" | sed -n 's/^ *Depends: \(linux-kbuild-[^ ]*\)$/\1/p' | head -n 1)
    rm -rf "$vm"
    mkdir -p "$vm/packages" "$vm/root" "$vm/files/lib" "$vm/files/bin" "$vm/being-made"
    (
        cd "$vm/packages"
        apt-get download -q "$image" "$headers" "$common" "$kbuild" v4l2loopback-dkms
    ) >&2
    local package
    for package in "$vm"/packages/*.deb; do dpkg-deb -x "$package" "$vm/root"; done

    # The headers name each other by their installed paths.
    echo "include $vm/root/usr/src/$common/Makefile" >"$vm/root/usr/src/$headers/Makefile"
    loopback=("$vm"/root/usr/src/v4l2loopback-*)
    cp -r "${loopback[0]}" "$vm/loopback"
    make -s -C "$vm/root/usr/src/$headers" M="$vm/loopback" modules >&2
    mkdir -p "$vm/root/lib/modules/$release/extra"
    cp "$vm/loopback/v4l2loopback.ko" "$vm/root/lib/modules/$release/extra/"
    depmod -b "$vm/root" "$release"

    # The modules with all that they need, in the order in which they are loaded.
    local module file
    for module in virtio_pci 9pnet_virtio 9p vivid v4l2loopback; do
        modprobe -d "$vm/root" -S "$release" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        cp "$file" "$vm/files/lib/"
        strip --strip-debug "$vm/files/lib/$(basename "$file")"
        basename "$file" .ko
    done >"$vm/files/lib/order"
    cp "$(command -v busybox)" "$vm/files/bin/busybox"
    cp tests/camera/init.sh "$vm/files/init"
    chmod +x "$vm/files/init"
    (cd "$vm/files" && find . | cpio -o -H newc --quiet | gzip -1) >"$vm/being-made/initrd"
    cp "$vm/root/boot/vmlinuz-$release" "$vm/being-made/kernel"
    rm -rf "$vm/packages" "$vm/root" "$vm/loopback" "$vm/files"
    mv "$vm/being-made" "$vm/ready"
}

# Some machines offer virtualisation and then refuse it, or never get a kernel started, so one is: without
# a root it panics and leaves within seconds.
accelerator() {
    if timeout -k 5 20 qemu-system-x86_64 -accel kvm -cpu max -m 256 -nodefaults -display none -no-reboot \
        -kernel "$vm/ready/kernel" -append "panic=-1 no_timer_check" >/dev/null 2>&1 </dev/null; then
        echo kvm
    else
        echo tcg,thread=multi
    fi
}

run() { # FOLDER CMD...
    local folder=$1 status
    shift
    printf '%q ' "$@" >"$folder/command"
    rm -f "$folder/status"
    local share="security_model=none,multidevs=remap"
    # A busy machine delays the emulated timer, whose test would then fail: no_timer_check.
    timeout -k 5 "$patience" qemu-system-x86_64 -accel "$(accelerator)" -cpu max \
        -m 1536 -smp 2 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
        -kernel "$vm/ready/kernel" -initrd "$vm/ready/initrd" \
        -append "console=ttyS0 quiet loglevel=3 panic=-1 no_timer_check" \
        -virtfs "local,path=/,mount_tag=host,readonly=on,$share" \
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
*) fail "usage: tests/camera/vm.sh prepare | run FOLDER CMD..." ;;
esac
