#!/usr/bin/env bash
# Every benchmark, into docs/benchmarks and the README: 20 to 25 minutes on a machine that does nothing else.
#
#   benches/run.sh [--quick | --only TEXT | --rounds N]
#
# With --quick the results go to a file of their own, and no page is written: they are worth nothing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
results=docs/benchmarks/results.json
[[ " $* " != *" --quick "* ]] || results=$(mktemp -d)/results.json

for bench in peers memory growth replicas stages; do
    cargo bench -p floe-benches --bench "$bench" -- --json "$results" "$@"
done
cargo bench -p floe-benches --features trace --bench pipeline -- --json "$results" "$@"
for bench in servers flight; do
    cargo bench -p floe-benches --features servers --bench "$bench" -- --json "$results" "$@"
done
page=()
[[ "$results" != docs/* ]] || page=(--page docs/benchmarks/ablation.md)
[[ " $* " != *" --quick "* ]] || page=(--quick)
cargo bench -p floe-eager-benches --features switches -- "${page[@]}"
if [[ "$results" == docs/* ]]; then
    cargo bench -p floe-benches --bench report
else
    echo "results: $results"
fi
