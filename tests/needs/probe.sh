#!/bin/sh
# Prints what this machine has of the things that only some tests need (src/lib.rs says what each is), one
# word a line. The attribute `needs`, `make test` and `.ci/run` all ask here. With --renew it prints nothing, and
# has the tests built anew if that has changed since it was last asked so.
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ "${1:-}" = --renew ]; then
    known=${CARGO_TARGET_DIR:-$root/target}/test-needs
    found=$("$0")
    if [ "$found" != "$(cat "$known" 2>/dev/null)" ]; then
        touch "$root/tests/needs/src/lib.rs"
        mkdir -p "${known%/*}"
        echo "$found" >"$known"
    fi
    exit
fi

has() { command -v "$1" >/dev/null 2>&1; }
all_of() {
    for program in "$@"; do has "$program" || return 1; done
}
any_of() {
    for program in "$@"; do has "$program" && return; done
    return 1
}
# A relative folder is one below the repository's root.
data=${PARSEYE_DATA:-../shared/data}
case $data in /*) ;; *) data=$root/$data ;; esac
# In a mount namespace of its own, which ends with the command.
small_disk() { unshare --mount mount -t tmpfs -o size=32k tmpfs /mnt 2>/dev/null; }
# The system's own Python: GStreamer's bindings belong to that.
rtsp_server() {
    /usr/bin/python3 - 2>/dev/null <<'PYTHON'
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ["souphttpsrc", "jpegdec", "openh264enc", "h264parse", "rtph264pay"]))
PYTHON
}
font() {
    [ -n "$(find -L /usr/share/fonts /usr/local/share/fonts "${HOME:-/}/.fonts" "${HOME:-/}/.local/share/fonts" \
        \( -name '*.ttf' -o -name '*.otf' -o -name '*.ttc' \) -print -quit 2>/dev/null)" ]
}
found() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then echo "$name"; fi
}

# Servers stand where only root looks for programs.
PATH=$PATH:/usr/sbin:/usr/local/sbin
found face_detector test -f "$root/models/face-detector/face_detection_front_128x128.onnx"
found clips test -f "$data/clips/blinks.csv"
found crops test -f "$data/eyes/manifest.csv"
found browser any_of "${PARSEYE_BROWSER:-chromium}" chromium-browser google-chrome chrome
found jq has jq
found mosquitto all_of mosquitto mosquitto_sub mosquitto_passwd
found terminal all_of script stty
found rtsp_server rtsp_server
found small_disk small_disk
found slurm all_of slurmctld slurmd sbatch sinfo squeue munged
found root test "$(id -u)" = 0
found font font
found no_camera test ! -e /dev/video0
