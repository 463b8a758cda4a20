#!/usr/bin/env bash
# The page of `floe layout` in a browser: it opens in headless Chromium, and the sizes that stand in it sum to the
# file's size. With `--write`, the picture in the README is taken anew.
#
#   scripts/layout-picture.sh [--write]
#
# Needs chromium (Debian: `apt-get install chromium`); without it is skipped, loudly, but for CI: scripts/chromium.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PICTURE=docs/layout.png
MAX_BYTES=150000

status=0
browser="$(bash scripts/chromium.sh "the page of floe layout")" || status=$?
((status != 3)) || exit 0
((status == 0)) || exit "$status"

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
# The features of the whole workspace, as the tests have them: Polars is not compiled once more.
cargo build --quiet --workspace --bin floe
floe="$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)/floe"
cp examples/data/flights-2013-01.csv.gz "$folder/flights.csv.gz"

browse() {
    "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$folder/profile" "$@" 2>"$folder/log" ||
        { cat "$folder/log" >&2; return 1; }
}

cd "$folder"
"$floe" convert flights.csv.gz flights.arrow --compression zstd --statistics --batch-rows 4000
"$floe" layout flights.arrow -o layout.html
browse --dump-dom "file://$folder/layout.html" >dom.html
sum="$(grep -o 'data-bytes="[0-9]*"' dom.html | tr -dc '0-9\n' | awk '{ sum += $1 } END { printf "%d", sum }')"
size="$(stat -c %s flights.arrow)"
segments="$(grep -c '<rect.*<title>' dom.html)"
if [[ "$sum" != "$size" || "$segments" -lt 100 ]]; then
    echo "the page shows $sum bytes in $segments segments, the file has $size" >&2
    exit 1
fi
browse --screenshot="$folder/layout.png" --window-size=1230,420 "file://$folder/layout.html"
pixels="$(stat -c %s layout.png)"
if ((pixels > MAX_BYTES || pixels < 2000)); then
    echo "the picture has $pixels bytes: at most $MAX_BYTES, and more than an empty page has" >&2
    exit 1
fi
cd "$OLDPWD"
if [[ "${1:-}" == --write ]]; then
    cp "$folder/layout.png" "$PICTURE"
fi
kept="$(stat -c %s "$PICTURE")"
if ((kept > MAX_BYTES)); then
    echo "$PICTURE has $kept bytes, more than $MAX_BYTES" >&2
    exit 1
fi
echo "floe layout: $segments segments sum to $size bytes in $(basename "$browser"); the picture has $pixels bytes"
