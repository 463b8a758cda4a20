#!/usr/bin/env bash
# The tests of floe-runtime, floe-format and floe-array under Miri, for machines that have it: slow, and it sees what a
# sanitizer cannot (uninitialised memory, aliasing, alignment).
#
#   scripts/miri.sh [arguments of cargo test]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
TOOLCHAIN="${FLOE_NIGHTLY:-nightly}"
if ! cargo "+$TOOLCHAIN" miri --version >/dev/null 2>&1; then
    echo "miri: NOT RUN, it is not installed: rustup +$TOOLCHAIN component add miri rust-src" >&2
    exit 3
fi

export CARGO_TARGET_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/floe/miri-target"
# Buffers are cast between types by Polars: aliasing by tree borrows.
export MIRIFLAGS="${MIRIFLAGS:--Zmiri-tree-borrows -Zmiri-disable-isolation}"
# Miri runs no C, so no codec: a mutation test of its own leaves the compressed inputs out.
cargo "+$TOOLCHAIN" miri test -p floe-runtime -p floe-format -p floe-array --lib --tests "$@"
