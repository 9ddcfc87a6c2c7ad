#!/usr/bin/env bash
# Plays the clips of PARSEYE_DATA (default ../shared/data) again and again and watches what the program
# uses: memory, threads and file descriptors must not grow after the first minute, or after the first
# pass over the clips where that takes longer. First all clips at full speed, MINUTES of their own time
# (60); then one of them as a camera would show it, for LIVE_MINUTES (10), its web dashboard read all
# the while. 0 leaves a part out.
#
#     benches/soak.sh [MINUTES [LIVE_MINUTES]]
#
# Linux only (/proc). docs/results/soak.txt keeps what was printed. PARSEYE may name a program that is built
# already. The exit status is 1 where something grew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-60}
live_minutes=${2:-10}
# shellcheck source=benches/data.sh
. benches/data.sh
needs_data clips/blinks.csv
clips=("$data"/clips/*.mp4)
if [ -z "${PARSEYE:-}" ]; then
    cargo build --quiet --locked --release -p parseye
    PARSEYE=${CARGO_TARGET_DIR:-target}/release/parseye
fi
scratch=$(mktemp -d)
helpers=()
finish() {
    [ ${#helpers[@]} -eq 0 ] || kill "${helpers[@]}" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

# Seconds between two samples.
every=2

# Samples of a process until it ends: seconds since its start, KB, threads, descriptors.
watch_over() { # PID COMMAND...: run at each sample
    local pid=$1 begin=$SECONDS status descriptors
    shift
    while sleep "$every" && [ -d "/proc/$pid/fd" ]; do
        # It may end while it is sampled.
        status=$(awk '/^VmRSS/ { rss = $2 } /^Threads/ { print rss, $2 }' "/proc/$pid/status" 2>/dev/null) || continue
        descriptors=("/proc/$pid/fd/"*)
        [ -n "${status% *}" ] && echo "$((SECONDS - begin)) $status ${#descriptors[@]}"
        "$@"
    done
}

# A table of samples, and the verdict as its exit status. Memory is compared by its greatest values,
# threads and descriptors by their medians: while one clip follows another, two are open for a moment.
verdict() { # SAMPLES PASSES: how often the clips were played
    awk -v passes="$2" '
        function median(values, n,    i, j, value) {
            for (i = 2; i <= n; i++) {
                value = values[i]
                for (j = i - 1; j >= 1 && values[j] > value; j--) values[j + 1] = values[j]
                values[j + 1] = value
            }
            return values[int((n + 1) / 2)]
        }
        function row(name, from, to,    i, n, low, high) {
            n = high = 0
            for (i = 1; i <= samples; i++) {
                if (at[i] < from || at[i] >= to) continue
                n++
                if (n == 1 || rss[i] < low) low = rss[i]
                if (rss[i] > high) high = rss[i]
                t[n] = threads[i]; d[n] = descriptors[i]
            }
            if (n == 0) return
            rss_high = high; median_threads = median(t, n); median_descriptors = median(d, n)
            if (name != "")
                printf "%-14s %9.1f %9.1f %9d %12d\n", name, low / 1024, high / 1024, median_threads, median_descriptors
        }
        { samples++; at[samples] = $1; rss[samples] = $2; threads[samples] = $3; descriptors[samples] = $4 }
        END {
            last = at[samples]
            if (last < 90) { print "too short for a verdict: it ended after " last " s"; exit 1 }
            warm = last / passes > 60 ? int(last / passes) + 1 : 60
            print "               least MB   most MB   threads  descriptors"
            row("first " warm " s", 0, warm)
            first_rss = rss_high; first_threads = median_threads; first_descriptors = median_descriptors
            for (from = warm; from <= last; from = to) {
                to = (int(from / 600) + 1) * 600
                row(sprintf("to %.1f min", (to < last ? to : last) / 60), from, to)
            }
            row("", warm, last + 1)
            growth = (rss_high - first_rss) / 1024
            # What has leaked is there at the end.
            row("", last - 600 > warm ? last - 600 : warm, last + 1)
            more_threads = median_threads - first_threads
            more_descriptors = median_descriptors - first_descriptors
            printf "after the first %d s: %+.1f MB, %+d threads, %+d descriptors\n", warm, growth, more_threads, more_descriptors
            exit growth >= 5 || more_threads > 0 || more_descriptors > 0
        }' "$1"
}

passes() { # MINUTES CLIP...
    local minutes=$1 clip
    shift
    for clip in "$@"; do
        ffprobe -v error -show_entries format=duration -of csv=p=0 "$clip"
    done | awk -v minutes="$minutes" '{ length_s += $1 } END { print 60 * minutes / length_s }'
}

watched() { # TITLE PASSES PID COMMAND...: samples a process, prints its table
    local title=$1 passes=$2 pid=$3 ended=0
    shift 3
    watch_over "$pid" "$@" >"$scratch/samples"
    wait "$pid" || ended=$?
    printf '\n%s\n' "$title"
    verdict "$scratch/samples" "$passes" || failed=1
    if [ "$ended" -ne 0 ]; then
        echo "the program ended with status $ended: $(tail -n 1 "$scratch/errors")"
        failed=1
    fi
}

request() { # PATH: from the web dashboard
    exec {web}<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" "$port" >&"$web"
    cat <&"$web" >/dev/null
    exec {web}>&-
}

failed=0
if [ "$minutes" != 0 ]; then
    "$PARSEYE" replay "${clips[@]}" --loop --duration $((60 * minutes)) --log "$scratch/log.jsonl" \
        >"$scratch/sums" 2>"$scratch/errors" &
    watched "${#clips[@]} clips at full speed, $minutes minutes of their time" "$(passes "$minutes" "${clips[@]}")" $! true
    tail -n 1 "$scratch/sums"
fi
if [ "$live_minutes" != 0 ]; then
    clip=${clips[0]}
    "$PARSEYE" replay "$clip" --realtime --loop --duration $((60 * live_minutes)) --no-terminal \
        --web 127.0.0.1:0 --log "$scratch/log.jsonl" >"$scratch/sums" 2>"$scratch/errors" &
    pid=$!
    until port=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/.*|\1|p;T;q' "$scratch/errors") && [ -n "$port" ]; do
        kill -0 "$pid" || { cat "$scratch/errors" >&2; exit 1; }
        sleep 0.1
    done
    request /events &
    helpers+=($!)
    watched "one clip live, $live_minutes minutes, its web dashboard read and its metrics scraped" \
        "$(passes "$live_minutes" "$clip")" "$pid" request /metrics
    cat "$scratch/sums"
fi
exit "$failed"
