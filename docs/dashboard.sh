#!/usr/bin/env bash
# Makes docs/dashboard.png anew: the web dashboard with the demonstration, as README.md shows it.
#
#     docs/dashboard.sh [SECONDS]
#
# The image is taken SECONDS after the demonstration began (46, as docs/terminal.sh does).
# Needs ffmpeg and Chromium, or another browser like it that PARSEYE_BROWSER names. PARSEYE may name the program, built
# already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-46}
program=${PARSEYE:-}
if [ -z "$program" ]; then
    cargo build --quiet --locked --release -p parseye
    program=${CARGO_TARGET_DIR:-target}/release/parseye
fi
image=docs/dashboard.png
work=$(mktemp -d)
"$program" demo --web 127.0.0.1:0 --no-terminal --duration 600 >"$work/out" 2>"$work/messages" &
demonstration=$!
trap 'kill "$demonstration" 2>/dev/null || true; rm -rf "$work"' EXIT
sleep "$seconds"
address=$(sed -n 's|.*web dashboard at \(http://[^ ]*\).*|\1|p' "$work/messages")
[ -n "$address" ] || {
    cat "$work/messages" >&2
    exit 1
}
# The page holds its stream open for ever: the browser is told to take what is there after nine seconds.
"${PARSEYE_BROWSER:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1500 \
    --user-data-dir="$work/profile" --timeout=9000 --screenshot="$work/dashboard.png" "$address" \
    >"$work/browser" 2>&1 || {
    cat "$work/browser" >&2
    exit 1
}
# As a palette it is half as long, and looks the same.
ffmpeg -nostdin -loglevel error -y -i "$work/dashboard.png" \
    -vf "split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=none" "$image"
echo "dashboard: $image written"
