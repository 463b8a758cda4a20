#!/usr/bin/env bash
# Flight with other implementations: pyarrow's client and server, and ADBC's driver for Flight SQL, on loopback.
#
#   scripts/flight-clients.sh
#
# Uses the virtualenv of tests/interop/run.sh, and adds ADBC to it. What cannot be installed is skipped, loudly; with
# CI=true it is a failure.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache="${FLOE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/floe}"
python="$cache/venv/bin/python"
export PYTHONDONTWRITEBYTECODE=1

skip() {
    printf '\n!!!!!!!! SKIPPED: Flight with other implementations: %s !!!!!!!!\n\n' "$1" >&2
    [[ "${CI:-}" != true ]] || exit 1
    exit 0
}

has_python() {
    "$python" -c 'import adbc_driver_flightsql.dbapi, nanoarrow, numpy, pyarrow.flight' 2>/dev/null
}

if ! has_python; then
    command -v python3 >/dev/null || skip "no python3"
    mkdir -p "$cache"
    [[ -x "$python" ]] || python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check \
        'pyarrow==26.*' nanoarrow numpy adbc-driver-flightsql adbc-driver-manager >&2 || true
    has_python || skip "pyarrow and ADBC cannot be installed"
fi

# The features of the whole workspace, as the tests have them: Polars is not compiled once more.
cargo build --quiet --workspace --bin interop \
    --example flight_server --example flight_client --example flight_copy
target="$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)"

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$target/interop" write "$folder/floe"
(cd tests/interop && "$python" pyarrow_write.py "$folder/pyarrow" && "$python" flight.py "$target/examples" "$folder")
