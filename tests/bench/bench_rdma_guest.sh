#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench_rdma_guest.sh — the inner half of the part `rdma` of ci/bench.sh; runs in the rig.
#   bench_rdma_guest.sh HAUL DIRECTORY PAIRS "SECONDS..." "ITERATIONS..."
# Runs every contender for each of the lengths, again for each pair. The guest's clock cannot be
# trusted, so the script measures nothing: it prints a line when a sending side starts and when it
# has ended, so that the host can time them, and
#   bytes NAME LENGTH BYTES
# before the latter. LENGTH counts from 0.
set -euo pipefail
haul=$1 directory=$2 pairs=$3
read -ra seconds <<<"$4"
read -ra iterations <<<"$5"
device=$(basename /sys/class/infiniband/*)
message_bytes=1048576 perftest_port=18515

fail() { echo "bench: $*" >&2; exit 1; }

# Wait until a process listens on a TCP port, or the process has ended.
await_listener() {
    local pattern
    pattern=$(printf ':%04X 0*:0000 0A ' "$2")
    until grep -qE "$pattern" /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.05
    done
}

# run_haul INDEX NAME [OPTION...]
run_haul() {
    local index=$1 name=$2 line='' server fd
    shift 2
    exec {fd}< <(exec "$haul" bench link --transport rdma --size 1M \
        --serve "$HAUL_RIG_ADDRESS:0" --insecure "$@" 2>&1 </dev/null)
    server=$!
    while IFS= read -r -u "$fd" line && [[ $line != *'listening on '* ]]; do echo "$line" >&2; done
    [[ -n $line ]] || fail "haul bench does not serve"
    echo "begin $name $index"
    "$haul" bench link --transport rdma --size 1M --seconds "${seconds[index]}" --json \
        --to "${line##* }" --insecure "$@" >"$directory/haul.json" || fail "haul bench failed"
    echo "end $name $index"
    wait "$server" || fail "haul bench --serve failed: $(cat <&"$fd")"
    exec {fd}<&-
    echo "bytes $name $index $(jq .bytes "$directory/haul.json")"
}

# run_perftest INDEX QUEUE-PAIRS
run_perftest() {
    local index=$1 name=ib_write_bw-$2 server
    local arguments=(-F -d "$device" -s "$message_bytes" -q "$2" -p "$perftest_port"
        -n "$((iterations[index] / $2))")
    ib_write_bw "${arguments[@]}" >"$directory/server.log" 2>&1 </dev/null &
    server=$!
    await_listener "$server" "$perftest_port" || fail "ib_write_bw: $(tail -n 1 "$directory/server.log")"
    echo "begin $name $index"
    ib_write_bw "${arguments[@]}" "$HAUL_RIG_ADDRESS" >"$directory/client.log" 2>&1 ||
        fail "ib_write_bw failed: $(tail -n 3 "$directory/client.log")"
    echo "end $name $index"
    wait "$server" || fail "ib_write_bw's server failed: $(tail -n 3 "$directory/server.log")"
    # Its own count is the sum of all queue pairs.
    echo "bytes $name $index $(awk -v size="$message_bytes" '$1 == size { print $1 * $2 }' \
        "$directory/client.log")"
}

# run_migration INDEX TRANSPORT: a whole migration of a database of the directory, in memory.
run_migration() {
    local index=$1 transport=$2 name=migration-$2 line='' server fd memory=/dev/shm/haul-bench
    rm -rf "$memory"
    mkdir "$memory"
    cp -r "$directory/source$index" "$memory/source"
    exec {fd}< <(exec "$haul" recv --db "$memory/target" --listen "$HAUL_RIG_ADDRESS:0" \
        --transport "$transport" --insecure --once 2>&1 </dev/null)
    server=$!
    while IFS= read -r -u "$fd" line && [[ $line != *'listening on '* ]]; do echo "$line" >&2; done
    [[ -n $line ]] || fail "haul recv does not listen"
    echo "begin $name $index"
    "$haul" send --db "$memory/source" --to "${line##* }" --transport "$transport" \
        --insecure --quiet --json >"$directory/send.json" || fail "haul send failed: $(cat "$directory/send.json")"
    echo "end $name $index"
    wait "$server" || fail "haul recv failed: $(cat <&"$fd")"
    exec {fd}<&-
    [[ $(jq -r .transport "$directory/send.json") == "$transport" ]] || fail "not over $transport"
    echo "bytes $name $index $(jq .bytes "$directory/send.json")"
}

for ((pair = 0; pair < pairs; pair++)); do
    for index in "${!seconds[@]}"; do
        run_migration "$index" rdma
        run_migration "$index" tcp
        run_haul "$index" haul
        run_perftest "$index" 1
        run_haul "$index" haul-no-crc --no-crc
        run_perftest "$index" 2
        run_perftest "$index" 4
    done
done
