#!/usr/bin/env bash
# floe beside pyarrow, Polars' Python package, nanoarrow, DuckDB and arrow-js: each reads what the other wrote.
#
#   tests/interop/run.sh
#
# Makes a virtualenv and an npm folder in ${FLOE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/floe} and keeps them;
# removing them brings the newest versions. What cannot be installed is skipped, loudly; with CI=true it is a
# failure. The files of a failed run are left, and their folder is named.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${FLOE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/floe}
python=$cache/venv/bin/python
export FLOE_NPM=$cache/npm PYTHONDONTWRITEBYTECODE=1
out=$(mktemp -d)
failures=0
skipped=

missing() {
    skipped=' of what could be run'
    printf '\n!!!!!!!! SKIPPED: %s !!!!!!!!\n\n' "$1" >&2
    if [ "${CI:-}" = true ]; then
        failures=$((failures + 1))
    fi
    return 1
}

run() {
    "$@" || { failures=$((failures + 1)); echo "FAILED: ${*##*/}" >&2; }
}

has_python() {
    "$python" -c 'import nanoarrow, numpy, polars, pyarrow; assert pyarrow.__version__[:3] == "26."' 2>"$out/why"
}

need_python() {
    has_python && return
    command -v python3 >/dev/null || { missing "no python3: pyarrow, Polars and nanoarrow"; return; }
    python3 -m venv "$cache/venv" &&
        "$cache/venv/bin/pip" install --quiet --disable-pip-version-check 'pyarrow==26.*' polars nanoarrow numpy >&2
    has_python || missing "pyarrow, Polars and nanoarrow cannot be installed: $(tail -1 "$out/why")"
}

has_engines() {
    "$python" -c 'import datafusion, duckdb; assert (datafusion.__version__, duckdb.__version__) == ("55.0.0", "2.0.1")' \
        2>"$out/why"
}

# Of these versions: the page says what they can do.
need_engines() {
    has_engines && return
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check 'datafusion==55.0.0' 'duckdb==2.0.1' >&2
    has_engines || missing "DataFusion and DuckDB cannot be installed: $(tail -1 "$out/why")"
}

has_npm() {
    local modules=$FLOE_NPM/node_modules
    [ -d "$modules/apache-arrow" ] && [ -d "$modules/lz4js" ] && [ -d "$modules/fzstd" ]
}

need_npm() {
    command -v node >/dev/null || { missing "no node: arrow-js"; return; }
    has_npm && return
    mkdir -p "$FLOE_NPM" &&
        (cd "$FLOE_NPM" && npm install --silent --no-audit --no-fund apache-arrow lz4js fzstd >&2)
    has_npm || missing "arrow-js cannot be installed"
}

mkdir -p "$cache" || exit 1
# The features of the whole workspace, as the tests have them: Polars is not compiled once more.
(cd "$root" && cargo build --workspace --bin interop --bin floe) || exit 1
target=${CARGO_TARGET_DIR:-target}
interop=$(cd "$root" && cd "$target/debug" && pwd)/interop
floe=$(dirname "$interop")/floe

cd "$here"
run "$interop" write "$out/floe"
if need_python; then
    run "$interop" walkthrough-write "$out/walkthrough"
    run "$python" pyarrow_walkthrough.py read "$out/walkthrough"
    run "$python" pyarrow_walkthrough.py write "$out/walkthrough-pyarrow"
    run "$interop" walkthrough-read "$out/walkthrough-pyarrow"
    run "$interop" partitions-write "$out/partitions"
    run "$python" pyarrow_dataset.py "$out/partitions"
    run "$python" pyarrow_read.py "$out/floe"
    run "$python" pyarrow_write.py "$out/pyarrow"
    run "$interop" read "$out/pyarrow"
    run "$python" polars_py.py read "$out/floe"
    run "$python" polars_py.py write "$out/polars"
    run "$interop" read "$out/polars"
    run "$python" nanoarrow_read.py "$out/floe"
    run "$python" cli_goldens.py "$floe"
    if need_engines; then
        run "$python" engines.py "$floe" "$root/docs/engines.md"
        run "$python" serve_clients.py "$floe"
    fi
fi
if need_npm; then
    run node arrow_js.mjs read "$out/floe"
    run node arrow_js.mjs write "$out/js"
    run "$interop" read "$out/js"
fi
# What floe wrote, floe reads; the JSON is the judge here too.
run "$interop" read "$out/floe"

if [ "$failures" -gt 0 ]; then
    echo "interop: $failures failed; the files are in $out"
    exit 1
fi
rm -rf "$out"
echo "interop: all passed$skipped"
