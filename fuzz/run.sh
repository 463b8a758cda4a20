#!/usr/bin/env bash
# Every fuzz target for a while, from a corpus that seed.rs fills. Fails when one of them finds something, and
# says where the input is.
#
#   fuzz/run.sh [seconds a target, 60] [target...]
#
# FLOE_FUZZ_SEED fixes the fuzzers' random numbers (0, the default: new ones each time).
# Wants a nightly toolchain; installs cargo-fuzz if it is missing. Set ARROW_TEST_DATA for golden files in the
# corpus. An input that was found: cargo +nightly fuzz run --dev <target> <input>
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
SECONDS_EACH="${1:-60}"
shift || true
TARGETS=("$@")
((${#TARGETS[@]} > 0)) || TARGETS=(stream file hostile roundtrip differential)
TOOLCHAIN="${FLOE_NIGHTLY:-nightly}"
TRIPLE=x86_64-unknown-linux-gnu
TARGET_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/floe/fuzz-target"

if ! cargo "+$TOOLCHAIN" --version >/dev/null 2>&1; then
    echo "fuzz: there is no toolchain \"$TOOLCHAIN\": rustup toolchain install nightly" >&2
    exit 3
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install cargo-fuzz --locked
fi
# A relative path starts at the workspace, as in the tests.
if [[ -z "${ARROW_TEST_DATA:-}" && -d ../shared/arrow-testing/data ]]; then
    ARROW_TEST_DATA=../shared/arrow-testing/data
fi
if [[ -n "${ARROW_TEST_DATA:-}" ]]; then
    export ARROW_TEST_DATA="$(cd "$ARROW_TEST_DATA" && pwd)"
fi

# The development profile, which fuzz/Cargo.toml optimises: overflow checks and assertions are on.
unset CARGO_TARGET_DIR
cargo "+$TOOLCHAIN" fuzz build --dev --fuzz-dir fuzz --target "$TRIPLE" --target-dir "$TARGET_DIR"
BIN="$TARGET_DIR/$TRIPLE/debug"

# One thread for Polars' pool beside the fuzzer's own: more are slower.
export POLARS_MAX_THREADS="${POLARS_MAX_THREADS:-2}"
"$BIN/seed"

FAILED=()
for target in "${TARGETS[@]}"; do
    printf '\n---- %s, %s s\n' "$target" "$SECONDS_EACH"
    artifacts="fuzz/artifacts/$target"
    mkdir -p "$artifacts" "fuzz/corpus/$target"
    log="$(mktemp)"
    status=0
    # In a process of its own, which the memory it may use is measured for.
    "$BIN/$target" "fuzz/corpus/$target" -artifact_prefix="$artifacts/" -max_total_time="$SECONDS_EACH" \
        -seed="${FLOE_FUZZ_SEED:-0}" -rss_limit_mb=2048 -timeout=20 -max_len=65536 -print_final_stats=1 >"$log" 2>&1 || status=$?
    if ((status == 0)); then
        grep -E 'stat::(number_of_executed_units|peak_rss_mb)|^Done ' "$log" || true
    else
        tail -n 60 "$log"
        FAILED+=("$target: $(grep -o 'Test unit written to .*' "$log" | tail -n 1 || true)")
    fi
    rm -f "$log"
done

if ((${#FAILED[@]} > 0)); then
    printf '\nfuzz: FOUND SOMETHING\n'
    printf '  %s\n' "${FAILED[@]}"
    exit 1
fi
