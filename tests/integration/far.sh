#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# far.sh — a distant peer: two network namespaces with tests/bench/delay_line.c between them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite far "$@"

names=("haul-test-a-$$" "haul-test-b-$$")

open_line() { # DELAY-MS MBIT-PER-S
    local line name
    ((EUID == 0)) || skip 'needs root'
    [[ -x $build/tests/delay_line ]] || skip 'built without the benchmarks'
    [[ -w /dev/net/tun ]] || skip 'no /dev/net/tun'
    for name in "${names[@]}"; do ip netns add "$name" 2>/dev/null || skip 'no network namespaces'; done
    trap 'status=$?; close_line; (exit $status); end_leftovers' EXIT
    exec {line_fd}< <(exec "$build/tests/delay_line" "${names[@]}" "$1" "$2" 4000 2>"$work/line.err")
    line_pid=$!
    read -r -t "$limit" -u "$line_fd" line || { cat "$work/line.err"; fail 'the line did not come up'; }
    ip -n "${names[0]}" addr add 10.77.0.1/24 dev line0
    ip -n "${names[1]}" addr add 10.77.0.2/24 dev line0
    for name in "${names[@]}"; do ip -n "$name" link set line0 up; done
}

close_line() {
    local name
    kill "${line_pid:-0}" 2>/dev/null || true
    for name in "${names[@]}"; do ip netns del "$name" 2>/dev/null || true; done
}

# far_receive: like start_receiver, but at the other end.
far_receive() {
    local line
    [[ -e key ]] || run 0 "$haul" keygen key
    exec {far_fd}< <(exec ip netns exec "${names[1]}" "$haul" recv --db target --transport tcp --once \
        --listen 10.77.0.2:7447 --key key --peer-timeout 30s --json 2>&1 >"$work/recv.json" </dev/null)
    receiver_pid=$!
    receivers+=("$receiver_pid")
    until [[ ${line:-} == *'listening on'* ]]; do
        read -r -t "$limit" -u "$far_fd" line || fail 'the receiver did not start'
    done
    cat <&"$far_fd" >>"$work/recv.log" &
}

far_send() {
    run 0 ip netns exec "${names[0]}" "$haul" send --db source --to 10.77.0.2:7447 --transport tcp \
        --key key --peer-timeout 30s --json "$@"
}

test_send__far_peer__several_links() {
    open_line 10 1000
    make_database source 20000
    far_receive
    far_send
    end_process "$receiver_pid" || fail "the receiver ended with $?"
    equal "$(json .links)" 4
    equal "$(json .verified)" true
    same source target
}

test_send__far_peer_and_one_link__as_told() {
    open_line 10 1000
    make_database source 2000
    far_receive
    far_send --links 1 --rate 100M
    end_process "$receiver_pid" || fail "the receiver ended with $?"
    equal "$(json .links)" 1
    same source target
}

test_send__slow_line__compressed() {
    open_line 1 100
    make_database source 40000
    far_receive
    far_send -v --batch-min 64K --batch-max 256K
    end_process "$receiver_pid" || fail "the receiver ended with $?"
    grep -q 'compressing payloads' "$work/err" || fail 'it does not compress'
    equal "$(json '.wire_bytes < .bytes * 0.9')" true
    same source target
}

test_send__near_peer__one_link() {
    make_database source 500
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --once
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    end_process "$receiver_pid" || fail "the receiver ended with $?"
    equal "$(json .links)" 1
}

run_tests
