#!/usr/bin/env bash
# Prints the path of a Chromium. With CI=true one that is missing is installed as Debian's package, where that is
# possible, and is a failure where it is not.
#
#   browser="$(scripts/chromium.sh "what it is for")"      exit code 3: skipped, which is said loudly
set -euo pipefail

find_it() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

find_it && exit 0
if [[ "${CI:-false}" == true ]]; then
    if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
        {
            timeout 300 apt-get update -q || true
            DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -q -y --no-install-recommends chromium || true
        } >&2
        find_it && exit 0
    fi
    echo "CI: there is no chromium, and it could not be installed: ${1:-a page} is not opened" >&2
    exit 1
fi
printf '\n!!!!!!!! SKIPPED: there is no chromium for %s (Debian: apt-get install chromium) !!!!!!!!\n\n' "${1:-a page}" >&2
exit 3
