#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# floods.sh — strangers that open 2,000 connections a second, of every kind: a sender connects within a
# second all the same, a running migration keeps its speed, and the receiver stays small and quiet.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
. "$(dirname "${BASH_SOURCE[0]}")/certificate_files.sh"
suite floods "$@"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo 'floods: 0 passed, 0 failed, 1 skipped: no python3'; exit 77; }

rate=2000         # connections a second
connect_ms=1000   # a sender must be connected after this
rss_kib_max=4096  # what a flood may add to the receiver: one TLS handshake; 64 places of 4 KiB are there
kinds='silent half garbage preamble link slow wrong hello' # each by itself; `mixed` has them all
flood_pid=''

# flood KIND SECONDS [SOURCE-ADDRESS...]: in the background, from now on
flood() {
    python3 -B "$here/flood.py" "$receiver_address" "$1" "$rate" "$2" "${@:3}" >flood.out 2>flood.err &
    flood_pid=$!
    wait_for grep -q flooding flood.out
}

# The flood has lasted long enough, and was one.
flooded() {
    local opened
    kill -0 "$flood_pid" 2>/dev/null || { cat flood.err; fail 'the flood ended too early'; }
    end_process "$flood_pid" || { cat flood.err; fail 'the flood broke off'; }
    opened=$(sed -n 's/^opened //p' flood.out)
    ((opened >= rate * $1 * 9 / 10)) || skip "this machine opens $((opened / $1)) connections a second, not $rate"
}

# Addresses of this host, so that no limit of one address helps.
many_addresses() { seq -f '127.9.0.%.0f' 1 60; }

# The most memory that the receiver has had so far.
rss_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$receiver_pid/status"; }

stop_receiver() {
    kill -TERM "$receiver_pid"
    received 143
}

# send_number N ARGUMENT...: a job of a few records; its time goes to $took_ms
send_number() {
    local begin
    begin=$(date +%s%N)
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --prefix "p$1." "${@:2}"
    took_ms=$((($(date +%s%N) - begin) / 1000000))
}

fill_source() {
    local words=() i
    for ((i = 10; i < 60; i++)); do words+=("p$i.a" 1 "p$i.b" 2); done
    "$kv" put source "${words[@]}"
}

# check_small KIB: it had this much before; nothing of the flood is left, and little was logged
check_small() {
    local rss lines fds
    rss=$(rss_kib)
    ((rss < $1 + rss_kib_max)) || fail "$rss KiB, $1 before"
    lines=$(wc -l <"$work/recv.log")
    ((lines < 250)) || fail "$lines lines in the log"
    fds=$(find "/proc/$receiver_pid/fd" | wc -l)
    ((fds < 64 + 128 + 64)) || fail "$fds descriptors"
}

# connects NAME ARGUMENT...: during a flood of every kind. The receiver's arguments are in $receiving.
connects() {
    local quiet_ms=0 worst_ms=0 i=10 last kind rss_before
    fill_source
    # shellcheck disable=SC2086 # words
    receive_into target "$own_host:0" $receiving
    for ((; i < 15; i++)); do
        send_number "$i" "$@"
        ((took_ms <= quiet_ms)) || quiet_ms=$took_ms
    done
    rss_before=$(rss_kib)
    for kind in $kinds; do
        flood "$kind" 3
        send_number $((i++)) "$@"
        ((took_ms <= worst_ms)) || worst_ms=$took_ms
        echo "$kind: $took_ms ms, $quiet_ms ms without"
        flooded 3
    done
    # shellcheck disable=SC2046 # words
    flood mixed 8 $(many_addresses)
    for ((last = i + 8; i < last; i++)); do
        send_number "$i" "$@"
        ((took_ms <= worst_ms)) || worst_ms=$took_ms
        echo "mixed: $took_ms ms, $quiet_ms ms without"
    done
    echo "$rss_before KiB before, $(rss_kib) KiB after"
    check_small "$rss_before"
    flooded 8
    ((worst_ms < quiet_ms + connect_ms)) || fail "a sender took $worst_ms ms, $quiet_ms ms without a flood"
    stop_receiver
    run 0 "$haul" status --db target --json
    equal "$(json '.jobs | length')" 0
}

test_flood__with_keys__a_sender_connects_within_a_second() {
    run 0 "$haul" keygen key
    receiving='--key key'
    connects --key key
}

test_flood__with_certificates__a_sender_connects_within_a_second() {
    kinds=''
    make_usual
    with receiver
    receiving=${tls[*]}
    rss_kib_max=8192 # 64 handshakes at once, of 64 KiB each
    with sender
    connects "${tls[@]}"
}

test_flood__without_keys__a_sender_connects_within_a_second() {
    kinds=''
    receiving=''
    rss_kib_max=16384 # whoever connects may greet, and 64 may do so at once
    connects
}

# speed SECONDS: bytes a second of a limited job during a flood of that time; 0: without one
speed() {
    rm -rf source target
    cp -r full source
    receive_into target "$own_host:0" --key key
    [[ $1 == 0 ]] || flood mixed "$1"
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --rate 20M --key key --json
    speed_bytes=$(json '.bytes / .seconds | floor')
    [[ $1 == 0 ]] || flooded "$1"
    stop_receiver
}

# Other work on the machine may slow one job down, hence the tries.
test_flood__migration_runs__it_keeps_its_speed() {
    local without try
    make_database full 100000
    run 0 "$haul" keygen key
    for try in 1 2 3; do
        speed 0
        without=$speed_bytes
        speed 7
        echo "$try: $speed_bytes bytes a second, $without without a flood"
        ((speed_bytes < without * 9 / 10)) || return 0
    done
    fail 'too slow'
}

run_tests
