# Read by the scripts that set a machine up (sh and bash): a package manager prints hundreds of lines that
# nobody needs unless it fails, so they go to a file below the target folder. People see a line for each
# thing that is installed, and, when it fails, the last lines and the file's name.
#
#     open_log apt-get
#     apt-get install ... >>"$log" 2>&1 || { show_log; fail "... (all of it: $log)"; }
#
# The caller stands in the repository's root, or names it in `root`.
# shellcheck shell=sh

# Begins an empty log and names it in `log`.
open_log() { # NAME
    log=${CARGO_TARGET_DIR:-${root:+$root/}target}/log/$1.log
    # A folder that belongs to somebody else is no reason to install nothing.
    if ! { mkdir -p "${log%/*}" && true >"$log"; } 2>/dev/null; then
        log=$(mktemp "${TMPDIR:-/tmp}/parseye-$1-XXXXXX") || log=/dev/null
    fi
}

# Shows how the log ends.
show_log() {
    echo "parseye: $log ends with:" >&2
    tail -n 15 "$log" | sed 's/^/    /' >&2
}
