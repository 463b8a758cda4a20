#!/usr/bin/env bash
# The page of `floe serve` in headless Chromium: on a real server, on the flights of January 2013 and on three million
# rows made of them. Says how soon the first rows are on screen, and how much memory the page takes.
#
#   scripts/web-browser.sh [--write] [--only TEXT]
#
# With `--write`, the pictures in docs/pictures are taken anew. Needs what scripts/web.sh has built, and chromium
# (Debian: `apt-get install chromium`); without chromium it is skipped, loudly, but for CI: scripts/chromium.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
MAX_BYTES=150000
PICTURES=docs/pictures

status=0
browser="$(bash scripts/chromium.sh "the page of floe serve")" || status=$?
((status != 3)) || exit 0
((status == 0)) || exit "$status"
[[ -f crates/serve/web/dist/index.html ]] || { echo "the page is not built: run scripts/web.sh" >&2; exit 1; }

# FLOE is a binary that is there already; it takes the page from the folder. Else the one that people install, with the page
# in it, and with the features of the whole workspace: then nothing of Polars is compiled anew.
floe="${FLOE:-}"
folder=(--web-dir "$PWD/crates/serve/web/dist")
if [[ -z "$floe" ]]; then
    cargo build --quiet --workspace --features floe-cli/page --bin floe
    floe="$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)/floe"
    folder=()
fi

taken="$(mktemp -d)"
trap 'rm -rf "$taken"' EXIT
arguments=(--floe "$floe" --chromium "$browser" --root "$PWD" "${folder[@]}")
write=false
while (($# > 0)); do
    case "$1" in
    --write) write=true ;;
    --only) arguments+=(--only "$2"); shift ;;
    *) echo "usage: scripts/web-browser.sh [--write] [--only TEXT]" >&2; exit 2 ;;
    esac
    shift
done
[[ "${arguments[*]}" == *--only* ]] || arguments+=(--pictures "$taken")
node crates/serve/web/browser/run.mjs "${arguments[@]}"

for picture in "$taken"/*.png; do
    [[ -f "$picture" ]] || continue
    bytes="$(stat -c %s "$picture")"
    ((bytes > 5000)) || { echo "$(basename "$picture") has $bytes bytes: the page is empty" >&2; exit 1; }
    if [[ "$write" == true ]]; then
        mkdir -p "$PICTURES"
        cp "$picture" "$PICTURES/"
    fi
done
for picture in serve serve-dark serve-phone; do
    kept="$PICTURES/$picture.png"
    [[ -f "$kept" ]] || { echo "there is no $kept: run with --write" >&2; exit 1; }
    (($(stat -c %s "$kept") <= MAX_BYTES)) || { echo "$kept has more than $MAX_BYTES bytes" >&2; exit 1; }
done
