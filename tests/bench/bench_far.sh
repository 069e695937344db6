# SPDX-License-Identifier: Apache-2.0
# bench_far.sh — the part `far` of ci/bench.sh: a whole migration over a line of 1 Gb/s with a round
# trip of 50 ms, between two network namespaces. The line is tests/bench/delay_line.c: packets of
# 1500 bytes, and a queue of 50 ms in front that drops the excess. Needs root and /dev/net/tun.
# shellcheck shell=bash disable=SC2154,SC2034 # variables of ci/bench.sh

far_rate=125000000 far_names=("haul-far-a-$$" "haul-far-b-$$")

bench_far() {
    local size=3000000000 way directory=$work/far
    ((!quick)) || size=100000000
    if ((EUID != 0)) || [[ ! -w /dev/net/tun ]]; then
        say 'part far: left out, it needs root and /dev/net/tun'
        return
    fi
    far_open
    mkdir "$directory"
    db_bench --db="$directory/source" --benchmarks=fillseq,flush,waitforcompaction \
        --num=$((size / 1016)) --value_size=1000 --key_size=16 --compression_type=none --seed=1 >"$directory/db_bench.log" 2>&1 ||
        die 'db_bench failed'
    far_result 'defaults, compression off' null --compress off
    far_result '--rate 114M (what the line carries), 2 links, compression off' 0.9 --compress off --links 2 --rate 114M
    far_result 'defaults (compression: auto)' null
    rm -rf "$directory"
    far_close
}

far_open() {
    local name
    for name in "${far_names[@]}"; do
        ip netns add "$name" || die 'no network namespaces here'
        ip -n "$name" link set lo up
    done
    start_server "$work/far.log" ready "$build/tests/delay_line" "${far_names[@]}" 25 1000 6250
    [[ -n $server_line ]] || die "the line did not come up: $(cat "$work/far.log")"
    far_line=$server_pid
    ip -n "${far_names[0]}" addr add 10.77.0.1/24 dev line0
    ip -n "${far_names[1]}" addr add 10.77.0.2/24 dev line0
    for name in "${far_names[@]}"; do ip -n "$name" link set line0 txqueuelen 20000 up; done
}

far_close() {
    kill "$far_line" 2>/dev/null || true
    for name in "${far_names[@]}"; do ip netns del "$name" 2>/dev/null || true; done
}

# Bytes that have come over the line so far, with IP and TCP headers: the line's rate counts them.
far_arrived() { ip netns exec "${far_names[1]}" cat /sys/class/net/line0/statistics/rx_bytes; }

# far_result NAME TARGET OPTION...: the share of the line's rate that was used from start to owned,
# and the rate of keys and values.
far_result() {
    local name=$1 target=$2 pair rates=() lines=() before
    shift 2
    for ((pair = 0; pair < (pairs + 1) / 2; pair++)); do
        rm -rf "$work/far/target" "$work/far/source/haul"
        start_server "$work/far/receiver.log" 'listening on ' ip netns exec "${far_names[1]}" \
            "$haul" recv --db "$work/far/target" --listen 10.77.0.2:7447 --transport tcp --once --insecure
        [[ -n $server_line ]] || die "haul recv: $(tail -n 1 "$work/far/receiver.log")"
        before=$(far_arrived)
        ip netns exec "${far_names[0]}" "$haul" send --db "$work/far/source" --to 10.77.0.2:7447 \
            --transport tcp --insecure --quiet --json "$@" >"$work/far/send.json" ||
            die "haul send: $(cat "$work/far/send.json")"
        wait "$server_pid" || die "haul recv: $(tail -n 1 "$work/far/receiver.log")"
        rates+=("$(jq '.bytes / .seconds / 1e9' "$work/far/send.json")")
        lines+=("$(jq "($(far_arrived) - $before) / .seconds / 1e9" "$work/far/send.json")")
    done
    far_row "1 Gb/s, 50 ms, $name, on the line" "$target" "${lines[@]}"
    far_row "1 Gb/s, 50 ms, $name, keys and values" null "${rates[@]}"
}

# far_row NAME TARGET RATE...
far_row() {
    local name=$1 target=$2
    shift 2
    result --arg section far --arg name "$name" --arg unit GB/s \
        --argjson value "$(median "$@")" --argjson runs "$(numbers "$@")" \
        --argjson other "$(jq -n "$far_rate / 1e9")" --arg other_name 'the line' \
        --argjson target "$target" --arg better more \
        --argjson wire_bytes "$(jq .wire_bytes "$work/far/send.json")" \
        --arg note 'by the whole time, from start to owned; of 1500 bytes on the line 1448 are payload'
}
