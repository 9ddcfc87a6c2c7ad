# Read by the scripts that need people's images: where those are, and an error where they are missing.
# shellcheck shell=bash
data=${PARSEYE_DATA:-../shared/data}

needs_data() { # FILE of the data
    [ -e "$data/$1" ] && return
    echo "$(basename "$0" .sh): $data/$1 is missing; set PARSEYE_DATA to the folder of the data" >&2
    exit 1
}
