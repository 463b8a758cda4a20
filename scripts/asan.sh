#!/usr/bin/env bash
# The tests of floe-runtime, floe-format, floe-codec and floe-array under AddressSanitizer, mutations of every physical layout
# among them: what is read or written out of bounds, or after it was freed, ends the run.
#
#   scripts/asan.sh [arguments of cargo test]
#
# Wants a nightly toolchain, for its sanitizer; the standard library is the one that comes with it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
TOOLCHAIN="${FLOE_NIGHTLY:-nightly}"
TARGET=x86_64-unknown-linux-gnu
if ! cargo "+$TOOLCHAIN" --version >/dev/null 2>&1; then
    echo "asan: there is no toolchain \"$TOOLCHAIN\": rustup toolchain install nightly" >&2
    exit 3
fi

export CARGO_TARGET_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/floe/asan-target"
# With a target given, the flags are those of the tests and not of build scripts.
export RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}"
# The codecs' C is checked, too: the build of C follows RUSTFLAGS. GCC takes a constant array that it has made
# static for one whose scope has ended (zstd_opt.c), so that one check is left out.
export CFLAGS="${CFLAGS:-} -fno-sanitize-address-use-after-scope"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}"
# Documentation tests would be built and linked one by one; what they show, the tests cover.
cargo "+$TOOLCHAIN" test --target "$TARGET" -p floe-runtime -p floe-format -p floe-codec -p floe-array --lib --tests "$@"
