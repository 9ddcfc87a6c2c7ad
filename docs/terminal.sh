#!/usr/bin/env bash
# Makes docs/terminal.svg anew: the terminal dashboard with the made-up person of
# runtime/examples/dashboards.rs, as README.md shows it.
#
#     docs/terminal.sh [SECONDS]
#
# The picture is taken SECONDS after the dashboard opened (6); the person's minutes are told in the example.
# Needs tmux and python3 without packages. DASHBOARDS may name the example, built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-6}
columns=96
rows=24
dashboards=${DASHBOARDS:-}
if [ -z "$dashboards" ]; then
    cargo build --quiet --locked -p parseye --example dashboards
    dashboards=${CARGO_TARGET_DIR:-target}/debug/examples/dashboards
fi
picture=docs/terminal.svg
# A server of its own, away from the user's and his settings.
terminal=(tmux -L "parseye-picture-$$" -f /dev/null)
trap '"${terminal[@]}" kill-server 2>/dev/null || true; rm -f "$picture.partial"' EXIT
LC_ALL=C.UTF-8 "${terminal[@]}" -u new-session -d -x "$columns" -y "$rows" \
    "env TERM=screen-256color '$dashboards' 127.0.0.1:0 600"
# Until the dashboard is there: the example lives through ten minutes first.
until "${terminal[@]}" capture-pane -p | grep -q PERCLOS; do sleep 0.2; done
sleep "$seconds"
"${terminal[@]}" capture-pane -e -p | python3 docs/terminal.py "$columns" >"$picture.partial"
mv "$picture.partial" "$picture"
echo "terminal: $picture written"
