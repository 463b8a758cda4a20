#!/usr/bin/env bash
# The page in the binary: `floe serve`, built with the feature `page`, sends the files of the bundle, byte for byte and
# without `--web-dir`. A binary without the feature says how to get the page.
#
#   scripts/web-page.sh          needs what scripts/web.sh has built
#   FLOE=target/release/floe scripts/web-page.sh     a binary that is there already, with the page
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
dist=crates/serve/web/dist
[[ -f "$dist/index.html" ]] || { echo "the page is not built: run scripts/web.sh" >&2; exit 1; }
debug="${CARGO_TARGET_DIR:-target}/debug"
scratch="$(mktemp -d)"
server=""
stop() {
    [[ -z "$server" ]] || kill "$server" 2>/dev/null || true
    [[ -z "$server" ]] || wait "$server" || true
    server=""
}
trap 'stop; rm -rf "$scratch"' EXIT
printf 'n\n1\n2\n' >"$scratch/numbers.csv"

# serve <binary>: starts it; `url` is its address.
serve() {
    "$1" serve "$scratch/numbers.csv" --no-open >"$scratch/address" 2>"$scratch/log" &
    server=$!
    for _ in $(seq 300); do
        [[ ! -s "$scratch/address" ]] || break
        sleep 0.1
    done
    url="$(grep -o 'http://[^ ]*' "$scratch/address" | head -1)" || true
    url="${url%/}"
    [[ -n "$url" ]] || { echo "floe serve printed no address:" >&2; cat "$scratch/log" >&2; exit 1; }
}

# header <name>: of the answer that was taken last.
header() {
    tr -d '\r' <"$scratch/head" | sed -n "s/^$1: //Ip"
}

# The features of the whole workspace, so that nothing else is compiled anew.
binary="${FLOE:-}"
if [[ -z "$binary" ]]; then
    cargo build --quiet --workspace --bin floe
    serve "$debug/floe"
    curl -sf "$url/" >"$scratch/without.html"
    stop
    for text in 'without the page' 'scripts/web.sh' 'cargo build --features page'; do
        grep -qF "$text" "$scratch/without.html" || { echo "without the page, / does not say \"$text\"" >&2; exit 1; }
    done
    cargo build --quiet --workspace --features floe-cli/page --bin floe
    binary="$debug/floe"
fi

declare -A types=([html]='text/html; charset=utf-8' [js]='text/javascript; charset=utf-8' [css]='text/css; charset=utf-8' [txt]='text/plain; charset=utf-8')
serve "$binary"
files=0
for file in "$dist"/*; do
    name="$(basename "$file")"
    path="/$name"
    [[ "$name" != index.html ]] || path=/
    curl -sf -D "$scratch/head" "$url$path" >"$scratch/file" || { echo "$path is not served" >&2; exit 1; }
    cmp "$file" "$scratch/file" || { echo "$path is not $file" >&2; exit 1; }
    kind="$(header content-type)"
    if [[ "$kind" != "${types[${name##*.}]:-}" ]] || [[ "$(header content-length)" != "$(stat -c %s "$file")" ]] \
        || [[ "$(header cache-control)" != no-cache ]]; then
        echo "$path has other headers:" >&2
        cat "$scratch/head" >&2
        exit 1
    fi
    files=$((files + 1))
done
[[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/nothing.js")" == 404 ]] || { echo "/nothing.js is not 404" >&2; exit 1; }
[[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/src/main.ts")" == 404 ]] || { echo "/src/main.ts is not 404" >&2; exit 1; }
echo "the page in the binary: $files files are those of the bundle"
