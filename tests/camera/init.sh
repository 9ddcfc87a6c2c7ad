#!/bin/busybox sh
# shellcheck shell=dash
# The first and only program of the camera machine: mounts the host's files, loads the cameras and
# runs the command that lies in the shared folder. See vm.sh.
/bin/busybox mkdir -p /proc /sys /dev /host /folder
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

while read -r module; do
    case $module in
    # One webcam, and a node that holds data about its pictures instead of pictures.
    vivid) options="n_devs=1 node_types=0x20001 num_inputs=1 input_types=0x0 vid_cap_nr=0 no_error_inj=0" ;;
    # With exclusive_caps=1 it could be fed only once by programs that write() to it, as ffmpeg does.
    v4l2loopback) options="devices=1 video_nr=10 card_label=Loopback exclusive_caps=0 max_buffers=4" ;;
    *) options= ;;
    esac
    # shellcheck disable=SC2086 # several words
    insmod "/lib/$module.ko" $options || echo "camera machine: $module cannot be loaded"
done </lib/order

over_virtio=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "ro,$over_virtio,cache=loose" host /host
mount -t 9p -o "$over_virtio" folder /folder
for shared in proc sys dev; do mount -o bind "/$shared" "/host/$shared"; done
mount -t tmpfs tmpfs /host/run
mkdir -p /host/run/camera /host/run/tmp /host/dev/shm
mount -o bind /folder /host/run/camera
mount -t tmpfs tmpfs /host/dev/shm

chroot /host /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/run/tmp TMPDIR=/run/tmp LANG=C.UTF-8 /bin/sh /run/camera/command
echo $? >/folder/status
sync
poweroff -f
