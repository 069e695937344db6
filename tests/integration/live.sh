#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# live.sh — migrations under a load that keeps a ledger: no acknowledged write may be lost, whatever
# dies meanwhile.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite live "$@"

receive() { receive_into target "${1:-$own_host:0}" --once; }

# send EXPECTED-CODE ARGUMENT...
send() {
    local expected=$1
    shift
    run "$expected" "$haul" send --db source --to "$receiver_address" --transport tcp --json \
        --load 2000 --load-keys 1000 --load-ledger ledger --load-for 200ms "$@"
}

ledger_is_complete() { run 0 "$haul" verify --db "$1" --ledger ledger; }

# send_behind ARGUMENT...: in the background, slowly; returns in the middle of the copy.
send_behind() {
    local i
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 8M --batch-min 64K \
        --batch-max 256K --load 2000 --load-keys 1000 --load-ledger ledger --load-for 200ms \
        "$@" >"$work/send.out" 2>"$work/send.err" </dev/null &
    sender=$!
    sender_reaches '.running != null and .running.records > 2000'
}

test_load__each_lane__ledger_complete_and_equal() {
    local lane
    for lane in ingest writebatch; do
        rm -rf source target ledger
        make_database source 20000
        receive
        send 0 --lane "$lane"
        received
        equal "$(json '.load.before.writes > 0 and .load.during.writes > 0')" true
        equal "$(json '.write_pause_ms > 0 and .load.longest_gap_ms > 0 and .rounds >= 1')" true
        ledger_is_complete target
        same source target
    done
}

test_load__keys_outside_the_range__usage() {
    make_database source 10
    run 2 "$haul" send --db source --to 127.0.0.1:1 --prefix user: --load 10
    one_error 'outside the range'
}

test_verify__ledger_with_a_lost_write__exit_6() {
    make_database source 100
    receive
    send 0
    received
    # Delete the newest acknowledged put.
    local key
    key=$(ldb --db=target scan --from=load: --to=load:~ --max_keys=1 --no_value 2>/dev/null |
        head -n 1 | awk '{ print $1 }')
    [[ $key == load:* ]] || fail "no key of the load: '$key'"
    ldb --db=target delete "$key"
    run 6 "$haul" verify --db target --ledger ledger
    one_error "$key"
}

test_verify__no_ledger__not_found() {
    make_database source 10
    run 3 "$haul" verify --db source --ledger nothing
    one_error 'ledger nothing'
}

test_send__killed_among_writes__goes_on_with_the_ledger() {
    make_database source 20000
    receive
    send_behind
    kill_and_reap "$sender"
    ledger_is_complete source
    send 0
    equal "$(json .resumed)" true
    received
    ledger_is_complete target
    same source target
}

test_recv__killed_among_writes__goes_on_with_the_ledger() {
    make_database source 20000
    receive
    local address=$receiver_address
    send_behind
    kill_and_reap "$receiver_pid"
    receive "$address"
    end_process "$sender" || { cat "$work/send.err"; fail "the sender ended with $?"; }
    received
    ledger_is_complete target
    same source target
}

run_tests
