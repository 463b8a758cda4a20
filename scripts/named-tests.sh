#!/usr/bin/env bash
# Every test that SECURITY.md or a page of docs/ names by its path is there: `tests/atomic`, `tests/broken/cut.rs`, ...
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
missing=0
while IFS=: read -r page path; do
    # A folder or a file, or the name of a test target without its suffix.
    if [[ ! -e "$path" && ! -e "$path.rs" && ! -e "tests/src/${path#tests/}" ]]; then
        echo "$page names $path, which does not exist" >&2
        missing=1
    fi
done < <(grep -oHE '`(crates/[a-z]+/)?tests/[a-z0-9_/.]+`' SECURITY.md docs/*.md docs/adr/*.md | tr -d '`' | sort -u)
exit "$missing"
