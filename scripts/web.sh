#!/usr/bin/env bash
# The page of `floe serve`: installs what it is made of, and builds or tests it.
#
#   scripts/web.sh          builds crates/serve/web/dist, which the feature `page` embeds
#   scripts/web.sh test     checks the types, runs the unit tests
#
# Needs Node.js 20 or newer with npm. The versions are those of package-lock.json; no package's script is run.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../crates/serve/web"
command -v npm >/dev/null || { echo "there is no npm: install Node.js 20 or newer" >&2; exit 1; }

# npm ci removes and copies everything, so it is left out while the lock file is the one installed from.
stamp=node_modules/.floe-lock
if ! cmp -s package-lock.json "$stamp"; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json "$stamp"
fi

case "${1:-build}" in
build)
    node build.mjs
    ;;
test)
    npx --no-install tsc --noEmit
    npx --no-install vitest run
    ;;
*)
    echo "usage: scripts/web.sh [build|test]" >&2
    exit 2
    ;;
esac
