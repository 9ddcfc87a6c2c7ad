#!/usr/bin/env bash
# Makes docs/terminal.svg anew: the terminal dashboard with the demonstration, as README.md shows it.
#
#     docs/terminal.sh [SECONDS]
#
# The image is taken SECONDS after the dashboard opened (46, when the person is awake and the light is back;
# runtime/demo/src/script.rs says what happens when).
# Needs tmux and python3 without packages. PARSEYE may name the program, built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-46}
columns=96
rows=24
program=${PARSEYE:-}
if [ -z "$program" ]; then
    cargo build --quiet --locked --release -p parseye
    program=${CARGO_TARGET_DIR:-target}/release/parseye
fi
image=docs/terminal.svg
# A server of its own, away from the user's and his settings.
terminal=(tmux -L "parseye-terminal-$$" -f /dev/null)
trap '"${terminal[@]}" kill-server 2>/dev/null || true; rm -f "$image.partial"' EXIT
LC_ALL=C.UTF-8 "${terminal[@]}" -u new-session -d -x "$columns" -y "$rows" \
    "env -u NO_COLOR TERM=screen-256color '$program' demo --web 127.0.0.1:0"
until "${terminal[@]}" capture-pane -p | grep -q PERCLOS; do sleep 0.2; done
sleep "$seconds"
# Any free port does, but a reader looks for the usual one.
"${terminal[@]}" capture-pane -e -p | sed 's|127\.0\.0\.1:[0-9]*|127.0.0.1:8080|' |
    python3 docs/terminal.py "$columns" >"$image.partial"
mv "$image.partial" "$image"
echo "terminal: $image written"
