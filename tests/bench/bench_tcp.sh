# SPDX-License-Identifier: Apache-2.0
# bench_tcp.sh — the part `tcp` of ci/bench.sh: `haul bench link` against iperf3 on loopback, blocks
# and writes of 1 MiB, one connection, two processes each.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

bench_tcp() {
    local seconds=5 pair checked=() bare=() iperf=()
    ((!quick)) || seconds=1
    for ((pair = 1; pair <= pairs; pair++)); do
        tcp_haul "$seconds"
        checked+=("$figure")
        tcp_iperf "$seconds"
        iperf+=("$figure")
        tcp_haul "$seconds" --no-crc
        bare+=("$figure")
    done
    tcp_result "with checksums" 0.95 "${checked[@]}"
    tcp_result "without checksums" null "${bare[@]}"
}

# tcp_result NAME TARGET RUN...; uses the caller's array iperf.
tcp_result() {
    local name=$1 target=$2
    shift 2
    result --arg section tcp --arg name "loopback, 1 MiB, $name" --arg unit "GB/s" \
        --argjson value "$(median "$@")" --argjson runs "$(numbers "$@")" \
        --argjson other "$(median "${iperf[@]}")" --argjson other_runs "$(numbers "${iperf[@]}")" \
        --arg other_name iperf3 --argjson target "$target" --arg better more
}

# tcp_haul SECONDS [OPTION...]: sets figure, in GB/s.
tcp_haul() {
    local seconds=$1
    shift
    start_server "$work/serve.log" 'listening on ' "$haul" bench link --transport tcp --size 1M \
        --serve 127.0.0.1:0 "$@"
    [[ -n $server_line ]] || die "haul bench does not serve: $(tail -n 1 "$work/serve.log")"
    "$haul" bench link --transport tcp --size 1M --seconds "$seconds" --json \
        --to "${server_line##* }" "$@" >"$work/haul.json" || die "haul bench failed"
    wait "$server_pid" || die "haul bench --serve failed: $(tail -n 1 "$work/serve.log")"
    figure=$(jq '.bytes_per_second / 1e9' "$work/haul.json")
}

# tcp_iperf SECONDS: sets figure, in GB/s, as the receiver saw it.
tcp_iperf() {
    local port try
    for ((try = 0; try < 10; try++)); do
        port=$((20000 + RANDOM))
        start_server "$work/iperf.log" 'Server listening on' \
            iperf3 --server --one-off --bind 127.0.0.1 --port "$port" --forceflush
        [[ -z $server_line ]] || break # otherwise the port is taken
    done
    [[ -n $server_line ]] || die "iperf3 does not serve: $(tail -n 1 "$work/iperf.log")"
    iperf3 --client 127.0.0.1 --port "$port" --time "$1" --length 1M --json >"$work/iperf.json" ||
        die "iperf3 failed: $(jq -r .error "$work/iperf.json")"
    wait "$server_pid" || die "iperf3 --server failed"
    figure=$(jq '.end.sum_received.bits_per_second / 8e9' "$work/iperf.json")
}
