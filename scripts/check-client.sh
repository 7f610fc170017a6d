#!/bin/bash
# Starts a broker in a fresh directory and runs the tests of WeirClient that need a real one.
# Usage: scripts/check-client.sh [path of the weir binary]
set -eu
cd "$(dirname "$0")/.."
weir=${1:-.build/debug/weir}
data=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
"$weir" serve --data "$data" --kafka "127.0.0.1:$port" >"$data.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$data" "$data.log"' EXIT
for _ in $(seq 100); do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || { cat "$data.log"; exit 1; }
    sleep 0.1
done
WEIR_TEST_BROKER="127.0.0.1:$port" swift test --filter 'Real.*Tests'
