#!/usr/bin/env bash
# Builds and tests the program for 64-bit Arm (a Raspberry Pi 3 or newer under a 64-bit system), on
# whatever Linux machine this is.
#
# Usage: .ci/arm64.sh build           the program, as the Debian package has it:
#                                     target/aarch64-unknown-linux-gnu/release/parseye
#        .ci/arm64.sh test [NAME...]  the library's tests (of that NAME) and the program's, on an emulated
#                                     Cortex-A72, the processor of a Raspberry Pi 4 (QEMU_CPU: another)
#        .ci/arm64.sh cargo ARGS...   anything that cargo can do for that target
#
# It needs Debian's or Ubuntu's cross compiler (.ci/system-packages.sh arm64) and Rust's standard library
# for Arm, which rustup fetches; where it cannot, the library is built of the source that Debian ships.
# FEATURES names what is built in beside the default ("mqtt").
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
triple=aarch64-unknown-linux-gnu
features=${FEATURES-mqtt}
target=${CARGO_TARGET_DIR:-$PWD/target}
program=$target/$triple/release/parseye

fail() {
    echo "parseye: $1" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

sysroot=$(rustc --print sysroot) || fail "rustc does not run; install Rust with rustup, then run make again"
has_std() {
    local found=("$sysroot/lib/rustlib/$triple/lib"/libstd-*.rlib)
    [ -e "${found[0]}" ]
}

# Debian's source of the standard library, unpacked; only the very compiler's version fits it.
std_source() {
    local version folder=$target/rust-src suite found
    version=$(rustc --version | cut -d' ' -f2)
    source=$folder/usr/src/rustc-$version/library
    [ -d "$source" ] && return
    rm -rf "$folder"
    mkdir -p "$folder"
    for suite in release release-backports stable-backports testing unstable; do
        .ci/private-apt.sh "$folder/$suite" "$(dpkg --print-architecture)" "$suite" 2>"$folder/log" || continue
        found=$(APT_CONFIG=$folder/$suite/apt.conf apt-cache madison rust-src |
            awk -v version="$version" 'index($3, version "+") == 1 { print $3; exit }')
        [ -n "$found" ] || continue
        (cd "$folder" && APT_CONFIG=$folder/$suite/apt.conf apt-get download -q "rust-src=$found" >&2) &&
            dpkg-deb -x "$folder"/rust-src_*.deb "$folder" && [ -d "$source" ] && break
    done
    rm -rf "$folder"/release "$folder"/release-backports "$folder"/stable-backports "$folder"/testing \
        "$folder"/unstable "$folder"/*.deb
    [ -d "$source" ]
}

# What cargo is told so that it builds the standard library, too.
std_arguments=()
build_std() {
    local root=$target/rust-with-src host
    host=$(rustc -vV | sed -n 's/^host: //p')
    rm -rf "$root"
    mkdir -p "$root/lib/rustlib/src/rust"
    ln -s "$sysroot/lib/rustlib/$host" "$root/lib/rustlib/$host"
    ln -s "$source" "$root/lib/rustlib/src/rust/library"
    printf '#!/bin/sh\nexec "%s/bin/rustc" --sysroot "%s" "$@"\n' "$sysroot" "$root" >"$root/rustc"
    chmod +x "$root/rustc"
    # A stable compiler builds its own library only when it is allowed to.
    export RUSTC=$root/rustc RUSTC_BOOTSTRAP=1
    std_arguments=(-Z "build-std=std,panic_abort,test")
}

set_up() {
    if ! has_std; then
        if has rustup; then
            echo "parseye: rustup target add $triple" >&2
            rustup --quiet target add "$triple" >&2 || true
        fi
        if ! has_std; then
            if ! has apt-get || ! std_source; then
                fail "Rust's standard library for 64-bit Arm is missing, and Debian has no rust-src of this version: run 'rustup target add $triple', then make again"
            fi
            build_std
        fi
    fi
    # On an Arm machine the usual compiler is the right one.
    [ "$(uname -m)" != aarch64 ] || return 0
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
    export AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar
    # libclang does not know where the cross compiler's headers are.
    export BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu="--sysroot=/usr/aarch64-linux-gnu -I/usr/aarch64-linux-gnu/include"
}

cargo_for_arm() { # COMMAND ARGS...
    local command=$1
    shift
    "${CARGO:-cargo}" "$command" --locked --target "$triple" ${std_arguments[@]+"${std_arguments[@]}"} "$@"
}

build() {
    cargo_for_arm build --release -p parseye --features "$features"
    echo "parseye: the program for 64-bit Arm is $program" >&2
}

# Tests that an emulator is no place for: it takes minutes for each look through strong noise and for each
# check of an answer, which these do by the dozen; and it tells a program that cannot be started as one
# that ended at once, with status 127.
not_emulated=(
    heavy_noise
    live::self_check
    camera::pipe::tests::what_is_no_command_is_refused
    video::tests::without_ffmpeg_the_error_names_the_remedy
    sources::without_ffmpeg_the_package_is_named
)

# The optimised program is tested, as it is used; the emulator would take many times as long for another.
tests() { # NAME...
    local runner=() left_out=() name
    # Recordings of people are long.
    export PARSEYE_DATA=none
    if [ "$(uname -m)" != aarch64 ]; then
        # By its full path: some tests start the program without a PATH.
        runner=("$(command -v qemu-aarch64-static)" -L /usr/aarch64-linux-gnu)
        export QEMU_CPU=${QEMU_CPU:-cortex-a72}
        for name in "${not_emulated[@]}"; do left_out+=(--skip "$name"); done
    fi
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="${runner[*]}"
    build
    cargo_for_arm test --release -p parseye --features "$features" --lib -- ${left_out[@]+"${left_out[@]}"} "$@"
    cargo_for_arm test --release -p parseye-vision -p parseye-capture -p parseye-events --lib -- \
        ${left_out[@]+"${left_out[@]}"} "$@"
    # The tests run here, and start that program; what compares two programs is ignored anywhere else. (Without
    # --workspace some libraries would be built anew.)
    local -x PROGRAM_UNDER_TEST="${runner[*]} $program"
    local run=("${CARGO:-cargo}" test --locked --workspace --test runtime --)
    "${run[@]}" ${left_out[@]+"${left_out[@]}"} "${@:-misuse::}"
    "${run[@]}" --ignored other_processors::
}

case ${1:-} in
build)
    set_up
    build
    ;;
test)
    shift
    set_up
    tests "$@"
    ;;
cargo)
    shift
    set_up
    cargo_for_arm "$@"
    ;;
*) fail "usage: .ci/arm64.sh build | test [NAME...] | cargo ARGS..." ;;
esac
