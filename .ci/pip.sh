#!/usr/bin/env bash
# Runs pip with the arguments given: this machine's own, or one in a private virtual environment
# under third_party/ where Python comes without pip. It installs nothing outside this folder.
#
# Usage: .ci/pip.sh ARGS...                what pip prints goes to target/log/pip.log; said are the packages
#                                          that were installed, or why none was
#        .ci/pip.sh --output FILE ARGS...  what pip prints goes to FILE, and all is left to the caller to say
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
private=$root/third_party/pip
# shellcheck source=.ci/log.sh
. "$root/.ci/log.sh"

quiet=
if [ "${1:-}" = --output ]; then
    quiet=yes log=$2
    shift 2
else
    open_log pip
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
    python=$private/bin/python3
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$private"
        mkdir -p "$root/third_party"
        if ! python3 -m venv "$private" >"$log" 2>&1; then
            rm -rf "$private"
            missing="Python's pip is missing; install it (on Debian, Ubuntu and Raspberry Pi OS: apt-get install python3-pip), then run this again"
            echo "ERROR: $missing" >>"$log"
            [ -n "$quiet" ] || echo "parseye: $missing" >&2
            exit 1
        fi
    fi
fi

status=0
"$python" -m pip "$@" >"$log" 2>&1 || status=$?
if [ -z "$quiet" ]; then
    if [ "$status" = 0 ]; then
        # One line for each package: pip names them all in one, as NAME-VERSION.
        sed -n 's/^Successfully installed //p' "$log" | tr ' ' '\n' | sed -n 's/^\(.*\)-\([^-]*\)$/parseye: installed \1 \2 (by pip)/p' >&2
    else
        show_log
        echo "parseye: pip failed; all that it printed is in $log" >&2
    fi
fi
exit "$status"
