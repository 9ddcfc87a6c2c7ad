#!/usr/bin/env bash
# Builds by cargo, and shows how far it is in one line instead of one for each of some hundred crates; what cargo
# prints is kept in target/log/build.log, and shown from its first error on when the build fails.
#
# Usage: .ci/build.sh CARGO_ARGS...     such as: build --locked --release -p parseye
#
# Says nothing where nothing is to be built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=.ci/log.sh
. .ci/log.sh
open_log build

progress() {
    local line count=0 begin=$SECONDS said=$SECONDS
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        case $line in
        *" Compiling "*)
            count=$((count + 1))
            line=${line#*Compiling }
            if [ -t 2 ]; then
                printf '\r\033[Kparseye: building, %d min: %d, %s' "$(((SECONDS - begin) / 60))" "$count" "${line%% (*}" >&2
            elif [ "$count" = 1 ]; then
                echo "parseye: building; from nothing it takes some ten minutes on two cores (its output: $log)" >&2
            elif [ $((SECONDS - said)) -ge 120 ]; then
                said=$SECONDS
                echo "parseye: building, $count crates after $(((SECONDS - begin) / 60)) min" >&2
            fi
            ;;
        *" Downloading "* | *" Updating "*)
            [ ! -t 2 ] || printf '\r\033[Kparseye: %s' "${line#"${line%%[! ]*}"}" >&2
            ;;
        esac
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
}

if ! CARGO_TERM_PROGRESS_WHEN=never "${CARGO:-cargo}" "$@" 2>&1 | progress; then
    sed -n '/^error/,$p' "$log" >&2
    echo "parseye: '${CARGO:-cargo} $*' failed; all that it printed is in $log" >&2
    exit 1
fi
