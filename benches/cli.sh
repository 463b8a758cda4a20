#!/usr/bin/env bash
# How fast the command `floe` is, as ratios: start-up against `true`, conversions against `cp` and the codecs' own
# commands, `info`, `count` and `head` against reading the file.
#
#   benches/cli.sh            builds both sizes of the command for release (16 minutes on 2 cores from nothing), and writes
#                             docs/benchmarks/cli.md
#   FLOE_BENCH_DIR=/dev/shm benches/cli.sh     where the files go (4 GB); by default a folder in /dev/shm if that has room
#   FLOE_SMALL=a/floe FLOE_FULL=b/floe benches/cli.sh     commands that are there already
#
# The data are a month of flights, many times over: one file of 1 GB in about 64 batches, one of about 18,000 small batches,
# one of a single batch of 128 MB. Each figure is the least of several runs.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${CARGO_TARGET_DIR:-target}"
small="${FLOE_SMALL:-$target/cli-small/release/floe}"
full="${FLOE_FULL:-$target/cli-full/release/floe}"
[[ -n "${FLOE_SMALL:-}" ]] || cargo build --release -p floe-cli --no-default-features --target-dir "$target/cli-small"
[[ -n "${FLOE_FULL:-}" ]] || cargo build --release -p floe-cli --target-dir "$target/cli-full"

room() {
    [[ -d "$1" ]] && (($(df --output=avail -k "$1" | tail -1) > 5000000))
}

if [[ -n "${FLOE_BENCH_DIR:-}" ]]; then
    folder="$(mktemp -d -p "$FLOE_BENCH_DIR")"
elif room /dev/shm; then
    folder="$(mktemp -d -p /dev/shm)"
else
    folder="$(mktemp -d)"
fi
trap 'rm -rf "$folder"' EXIT
python3 benches/cli.py "$small" "$full" examples/data/flights-2013-01.csv.gz "$folder" docs/benchmarks/cli.md
