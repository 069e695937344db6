# SPDX-License-Identifier: Apache-2.0
# bench_live.sh — the part `live` of ci/bench.sh: how a migration affects a writer. The tool's own
# load (10,000 writes a second into the range, 1 KB records around them) runs before and during a
# whole migration over TCP, on this machine; 20 migrations at full speed, then some at half of that.
# Finally 1 GB moves at 40 MB/s while 20,000 writes a second go to 5,000,000 keys, nearly each to a
# new one: what both sides remember of touched keys does not grow with them.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

bench_live() {
    local size=500000000 runs=20 full=() half=() gaps=() pauses=() i rate
    ((!quick)) || { size=50000000 runs=2; }
    fill_live "$size"
    for ((i = 0; i < runs; i++)); do
        live_run
        full+=("$(jq '.load.during.p99_us / .load.before.p99_us' "$work/live.json")")
        pauses+=("$(jq .write_pause_ms "$work/live.json")")
        gaps+=("$(jq .load.longest_gap_ms "$work/live.json")")
    done
    rate=$(jq '.bytes / .seconds / 2 | floor' "$work/live.json")
    for ((i = 0; i < (runs + 3) / 4; i++)); do
        live_run --rate "$rate"
        half+=("$(jq '.load.during.p99_us / .load.before.p99_us' "$work/live.json")")
    done
    live_result 'write pause, median' ms null "$(median "${pauses[@]}")" "${pauses[@]}"
    live_result 'write pause, maximum' ms 50 "$(maximum "${pauses[@]}")" "${pauses[@]}"
    live_result 'longest gap between two writes, median' ms null "$(median "${gaps[@]}")" "${gaps[@]}"
    live_result 'longest gap between two writes, maximum' ms 50 "$(maximum "${gaps[@]}")" "${gaps[@]}"
    live_result 'p99 latency, full rate, during : before' x 2 "$(median "${full[@]}")" "${full[@]}"
    live_result 'p99 latency, half rate, during : before' x 1.2 "$(median "${half[@]}")" "${half[@]}"
    bench_many_keys
}

# The pause must not grow with the number of written keys: few of them, then many.
bench_many_keys() {
    local size=1000000000 runs=3 keys pauses=() i
    ((!quick)) || { size=50000000 runs=1; }
    fill_live "$size"
    for keys in 50000 5000000; do
        pauses=()
        for ((i = 0; i < runs; i++)); do
            live_run --rate 40M --load 20000 --load-keys "$keys" --load-value 100
            pauses+=("$(jq .write_pause_ms "$work/live.json")")
        done
        live_result "write pause, 20,000 writes/s to $keys keys, 40 MB/s, maximum" ms 50 \
            "$(maximum "${pauses[@]}")" "${pauses[@]}"
    done
}

# fill_live BYTES: the database that each migration copies.
fill_live() {
    rm -rf "$work/live"
    db_bench --db="$work/live" --benchmarks=fillseq --num=$(($1 / 1016)) --value_size=1000 \
        --key_size=16 --compression_type=none >"$work/db_bench.log" 2>&1 || die "db_bench failed"
}

maximum() { printf '%s\n' "$@" | sort -g | tail -n 1; }

# live_run OPTION...: one migration; its result in live.json.
live_run() {
    rm -rf "$work/source" "$work/target"
    cp -a --reflink=auto "$work/live" "$work/source"
    start_server "$work/serve.log" 'listening on ' "$haul" recv --db "$work/target" \
        --listen 127.0.0.1:0 --once
    [[ -n $server_line ]] || die "haul recv does not listen: $(tail -n 1 "$work/serve.log")"
    "$haul" send --db "$work/source" --to "${server_line##* }" --transport tcp --quiet --json \
        --load 10000 --load-for 2s "$@" >"$work/live.json" || die "haul send failed"
    wait "$server_pid" || die "haul recv failed: $(tail -n 1 "$work/serve.log")"
}

# live_result NAME UNIT TARGET VALUE RUN...
live_result() {
    local name=$1 unit=$2 target=$3 value=$4
    shift 4
    result --arg section live --arg name "$name" --arg unit "$unit" --argjson value "$value" \
        --argjson runs "$(numbers "$@")" --argjson target "$target" --arg better less \
        --arg note 'writes go into the range; sender, receiver and load share the machine'
}
