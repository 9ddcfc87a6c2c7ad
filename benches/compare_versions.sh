#!/usr/bin/env bash
# Compares what two versions of Parseye report for the same recordings and the same labelled crops, or
# one version with the committed reference. Prints a table and exits with 1 on any difference.
#
#     benches/compare_versions.sh OLD NEW           two `parseye` programs, to the last digit
#     benches/compare_versions.sh --reference NEW   a program with tests/reference/clips.json
#     benches/compare_versions.sh --logs OLD.jsonl NEW.jsonl
#                                                   two event logs that are there already
#     benches/compare_versions.sh --write-reference PROGRAM --commit COMMIT
#                                                   renews the reference; COMMIT is that of PROGRAM
#
# `--keep FOLDER` keeps the logs, summaries and evaluations. Takes about five minutes on one core for two
# programs. Needs clips/ and eyes/ in PARSEYE_DATA (default ../shared/data), ffmpeg and python3 without
# packages. The face detector is the file that PARSEYE_DETECTOR__FILE names, else the one in models/; other
# settings are the defaults of each program.
set -euo pipefail
# No folder of compiled scripts beside the sources.
export PYTHONDONTWRITEBYTECODE=1
# shellcheck source=benches/data.sh
. "$(dirname "${BASH_SOURCE[0]}")/data.sh"
command=$(dirname "${BASH_SOURCE[0]}")/compare_versions.py
case " $* " in
*" --logs "* | *" -h "* | *" --help "*) exec python3 "$command" "$@" ;;
esac
if [ -z "${PARSEYE_DATA:-}" ]; then
    data=$(dirname "${BASH_SOURCE[0]}")/../$data
fi
needs_data clips/blinks.csv
needs_data eyes/manifest.csv
exec python3 "$command" --data "$data" "$@"
