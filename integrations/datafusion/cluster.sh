#!/usr/bin/env bash
# Ten queries by Polars, DataFusion and a Ballista cluster of a scheduler and two executors, of the same files and streams:
# from a folder and from S3. Prints the answers side by side, and fails if any two differ. Then requests and bytes.
#
# Everything runs on the loopback and in a temporary folder, and has ended when this ends.
#
#   cluster.sh             builds, and runs the queries
#   cluster.sh --test      runs the tests of this workspace first
#   cluster.sh --warm      only builds: a quarter of an hour on two cores, when nothing has been built before
#   cluster.sh --is-warm   says whether the dependencies have been built, by these versions of them and of the compiler
#
#   FLOE_BIN             the command `floe`, which answers by Polars (default: the debug build of this repository)
#   SCALE                line items in six millions (default 0.03: 180 thousand)
#   ROWS                 how many rows of each answer are printed (default 1); all are compared
#   CLUSTER_LOGS         a folder in which the logs of all processes are kept (default: none)
#   CLUSTER_TARGET_DIR   where Cargo builds (default: beside CARGO_TARGET_DIR, or this folder's own)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
ROOT="$(cd ../.. && pwd)"
FLOE_BIN="${FLOE_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/floe}"
SCALE="${SCALE:-0.03}"
if [[ -n "${CLUSTER_TARGET_DIR:-}" ]]; then
    TARGET="$CLUSTER_TARGET_DIR"
elif [[ -n "${CARGO_TARGET_DIR:-}" ]]; then
    TARGET="$(dirname "$CARGO_TARGET_DIR")/integrations-target"
else
    TARGET="$PWD/target"
fi
export CARGO_TARGET_DIR="$TARGET"
# Dependencies are compiled once: incremental compilation would only take space.
export CARGO_INCREMENTAL=0

# The versions that the dependencies have been built by.
versions() {
    cat Cargo.lock
    rustc --version
}

case "${1:-}" in
    --is-warm) [[ -f "$TARGET/warm" ]] && cmp -s <(versions) "$TARGET/warm" && exit 0 || exit 1 ;;
    --warm | --test | "") ;;
    *) echo "cluster.sh: there is no \`$1\`, see the head of this file" >&2; exit 2 ;;
esac

cargo build
if [[ "${1:-}" == --warm || "${1:-}" == --test ]]; then cargo test --no-run; fi
versions >"$TARGET/warm"
if [[ "${1:-}" == --warm ]]; then exit 0; fi
if [[ "${1:-}" == --test ]]; then cargo test; fi
if [[ ! -x "$FLOE_BIN" ]]; then
    echo "cluster.sh: there is no $FLOE_BIN: build it (cargo build -p floe-cli) or set FLOE_BIN" >&2
    exit 2
fi
CLUSTER="$TARGET/debug/floe-cluster"
export AWS_ACCESS_KEY_ID=floe-cluster AWS_SECRET_ACCESS_KEY=not-a-secret AWS_REGION=us-east-1 AWS_ALLOW_HTTP=true

WORK="$(mktemp -d)"
PIDS=()
stop() {
    local pid
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [[ -n "${CLUSTER_LOGS:-}" ]]; then mkdir -p "$CLUSTER_LOGS" && cp "$WORK"/*.log "$CLUSTER_LOGS/" || true; fi
    rm -rf "$WORK"
}
trap stop EXIT
trap 'exit 143' INT TERM

# start <name> <command..>: in the background, for ten minutes at most, with its output in a file.
start() {
    local name="$1"
    shift
    timeout -k 10 600 "$@" >"$WORK/$name.log" 2>&1 &
    PIDS+=($!)
}

# run <seconds> <command..>: to its end. A signal ends this script, and the command with it.
run() {
    timeout -k 10 "$@" &
    PIDS+=($!)
    wait "$!"
}

# reachable <name> <port>: until something listens there, for 30 seconds at most.
reachable() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "cluster.sh: $1 does not listen on port $2" >&2
    tail -n 20 "$WORK/$1.log" >&2
    return 1
}

# free_ports <n>: ports of the loopback that nobody listens on, all different.
free_ports() {
    python3 - "$1" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))
PY
}

# The data: written by floe, in two codecs, as files in Hive folders and as streams.
make_data() {
    local data="$1" part
    mkdir -p "$data/lineitem_stream" "$data/flights_stream"
    run 300 "$CLUSTER" lineitem --scale "$SCALE" --out "$WORK/lineitem.arrow"
    "$FLOE_BIN" convert "$WORK/lineitem.arrow" "$data/lineitem" --partition-by l_shipyear \
        --compression zstd --batch-rows 2048 --statistics
    # In one file as well, of which `bytes` reads parts.
    mkdir -p "$data/lineitem_file"
    "$FLOE_BIN" convert "$WORK/lineitem.arrow" "$data/lineitem_file/part-0.arrow" \
        --compression zstd --batch-rows 16384 --statistics
    for part in AIR RAIL; do
        "$FLOE_BIN" convert "$WORK/lineitem.arrow" "$data/lineitem_stream/$part.arrow" --format arrows \
            --compression lz4 --batch-rows 8192 --where "l_shipmode = '$part'"
    done
    "$FLOE_BIN" sql --output "$WORK/flights.arrow" "SELECT month, day, carrier, flight, tailnum, origin, dest, distance,
        CAST(NULLIF(dep_delay, 'NA') AS BIGINT) AS dep_delay, CAST(NULLIF(arr_delay, 'NA') AS BIGINT) AS arr_delay,
        time_hour FROM '$ROOT/examples/data/flights-2013-01.csv.gz'"
    "$FLOE_BIN" convert "$WORK/flights.arrow" "$data/flights" --partition-by origin \
        --compression lz4 --batch-rows 2048 --statistics
    "$FLOE_BIN" convert "$WORK/flights.arrow" "$data/flights_stream/part-0.arrow" --format arrows --batch-rows 4096
}

mkdir -p "$WORK/data" "$WORK/store/floe"
make_data "$WORK/data"
cp -r "$WORK/data/." "$WORK/store/floe/"
echo "data: $(find "$WORK/data" -type f | wc -l) files, $(du -sk "$WORK/data" | cut -f1) KiB"

read -r STORE SCHEDULER FLIGHT1 GRPC1 FLIGHT2 GRPC2 HEALTH1 HEALTH2 <<<"$(free_ports 8)"
export AWS_ENDPOINT="http://127.0.0.1:$STORE"
start store "$CLUSTER" store --root "$WORK/store" --port "$STORE"
start scheduler "$CLUSTER" scheduler --bind-host 127.0.0.1 --external-host 127.0.0.1 --bind-port "$SCHEDULER" \
    --task-distribution round-robin
reachable store "$STORE"
reachable scheduler "$SCHEDULER"
executor() {
    mkdir -p "$WORK/$1"
    start "$1" "$CLUSTER" executor --scheduler-host 127.0.0.1 --scheduler-port "$SCHEDULER" --bind-host 127.0.0.1 \
        --external-host 127.0.0.1 --bind-port "$2" --bind-grpc-port "$3" --bind-health-port "$4" \
        --work-dir "$WORK/$1" --vcores 2
    reachable "$1" "$2"
}
executor executor1 "$FLIGHT1" "$GRPC1" "$HEALTH1"
executor executor2 "$FLIGHT2" "$GRPC2" "$HEALTH2"

status=0
run 900 "$CLUSTER" queries --floe "$FLOE_BIN" --data "$WORK/data" --bucket s3://floe \
    --scheduler "df://127.0.0.1:$SCHEDULER" --rows "${ROWS:-1}" || status=$?
for executor in executor1 executor2; do
    tasks="$(grep -c 'Finished task' "$WORK/$executor.log" || true)"
    echo "$executor finished $tasks tasks"
    ((tasks > 0)) || status=1
done
echo
run 300 "$CLUSTER" bytes --bucket s3://floe || status=$?
if ((status != 0)); then
    tail -n 30 "$WORK"/*.log >&2
    exit 1
fi
