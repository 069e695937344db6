#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# interrupted.sh — a job is interrupted, somebody else uses one of the databases, and the job goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite interrupted "$@"
maker=$build/tests/store_maker
reader=$build/tests/store_reader

# receive OPTION...: a receiver at an address that the next one can have again.
receive() {
    start_receiver "$work/recv.log" --db target --listen "${address:-$own_host:0}" --table-size 1M "$@"
    [[ -n $receiver_address ]] || { cat "$work/recv.log"; fail 'the receiver did not start'; }
    address=$receiver_address
}

# stop_receiver [SIGNAL]
stop_receiver() {
    kill -"${1:-TERM}" "$receiver_pid"
    end_process "$receiver_pid" || true
}

# send_until RECORDS OPTION...: a sender that is stopped when so many records are safe on the target.
send_until() {
    local records=$1 i
    shift
    env --default-signal=INT "$haul" send --db source --to "$address" --transport tcp --rate 6M "$@" \
        >"$work/out" 2>"$work/err" </dev/null &
    local sender=$!
    for ((i = 0; i < 2000; i++)); do
        "$haul" status --db source --json >status.json 2>status.err || true
        [[ $(jq ".running.durable_records >= $records" status.json) != true ]] || break
        kill -0 "$sender" 2>/dev/null || { cat "$work/err"; fail 'the sender has ended'; }
    done
    ((i < 2000)) || fail 'nothing became safe'
    kill -INT "$sender"
    local code=0
    end_process "$sender" || code=$?
    equal "$code" 130
}

# goes_on OPTION...: the job goes on to its end, and both read alike.
goes_on() {
    run 0 "$haul" resume --db source --to "$address" --transport tcp --json "$@"
    stop_receiver
    reads_alike
}

reads_alike() {
    "$reader" --digest source >source.digest
    "$reader" --digest target >target.digest
    diff source.digest target.digest || fail 'the databases read differently'
}

# warned PATTERN: a line of the sender's.
warned() { grep -qE -- "$1" "$work/err" || { cat "$work/err"; fail "no line matches /$1/"; }; }
silent() { ! grep -qE -- "$1" "$work/err" || { cat "$work/err"; fail "a line matches /$1/"; }; }

# interrupted OPTION...: a part of the source's records is on the target, and no process runs.
interrupted() {
    "$maker" source 'options avoid_flush_during_recovery=true' 'create x' 'use x' 'fill x 1000 1000' \
        flush 'use default' 'fill k 20000 1000' flush
    receive "$@"
    send_until 6000
    stop_receiver
}

# --- the source's log -----------------------------------------------------------------------------

test_log__hole_between_two_records__copied_anew() {
    interrupted
    "$maker" source 'use x' 'put q1 a' 'use default' 'ingest k00000200 other k00000700 another' \
        'use x' 'put q2 b' leave
    receive
    goes_on
    warned 'the earlier job cannot go on, it is copied anew: the write-ahead log has a hole'
    equal "$(json .resumed)" false
}

test_log__whole__goes_on() {
    interrupted
    "$maker" source 'use x' 'put q1 a' 'use default' 'put k00000200 other' 'delete k00000300' leave
    receive
    goes_on
    silent 'anew'
    equal "$(json .resumed)" true
}

run_tests
