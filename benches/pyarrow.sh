#!/usr/bin/env bash
# Prints the path of a python that has pyarrow 26, for the benchmarks; makes a virtualenv for it if need be.
#
#   benches/pyarrow.sh [--no-install]
#
# Takes the virtualenv of tests/interop/run.sh if it is there, else one of its own in the same cache.
set -uo pipefail

cache=${FLOE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/floe}

has() {
    [ -x "$1" ] && "$1" -c 'import pyarrow; assert pyarrow.__version__[:3] == "26."' 2>/dev/null
}

for venv in venv venv-bench; do
    if has "$cache/$venv/bin/python"; then
        echo "$cache/$venv/bin/python"
        exit 0
    fi
done
if [ "${1:-}" = --no-install ]; then
    echo "pyarrow 26 is not installed" >&2
    exit 1
fi
command -v python3 >/dev/null || { echo "there is no python3" >&2; exit 1; }
mkdir -p "$cache"
python3 -m venv "$cache/venv-bench" >&2 || exit 1
"$cache/venv-bench/bin/pip" install --quiet --disable-pip-version-check 'pyarrow==26.*' numpy >&2 || exit 1
has "$cache/venv-bench/bin/python" || { echo "pyarrow 26 cannot be installed" >&2; exit 1; }
echo "$cache/venv-bench/bin/python"
