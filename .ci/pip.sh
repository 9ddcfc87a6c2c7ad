#!/usr/bin/env bash
# Runs pip with the arguments given: this machine's own, or one in a private virtual environment
# under third_party/ where Python comes without pip. It installs nothing outside this folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
private=$root/third_party/pip

export PIP_DISABLE_PIP_VERSION_CHECK=1
if python3 -m pip --version >/dev/null 2>&1; then
    exec python3 -m pip "$@"
fi
if ! "$private/bin/python3" -m pip --version >/dev/null 2>&1; then
    rm -rf "$private"
    mkdir -p "$root/third_party"
    if ! python3 -m venv "$private" >/dev/null 2>&1; then
        rm -rf "$private"
        echo "parseye: Python's pip is missing; install it (on Debian, Ubuntu and Raspberry Pi OS: apt-get install python3-pip), then run this again" >&2
        exit 1
    fi
fi
exec "$private/bin/python3" -m pip "$@"
