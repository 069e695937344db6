#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# jobs.sh — one receiver and several senders at the same time: all arrive, one is killed or cancelled
# while the others go on, and who must wait.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite jobs "$@"

record_count=24000

# Senders that a test stops are not dead.
receive() { receive_into target "$own_host:0" --peer-timeout "${limit}s" "$@"; } # ARGUMENT...

# key NUMBER: where the record of this number begins; keys of db_bench are 8 bytes, high byte first.
key() { printf '0x%016x' "$1"; }

# quarter N: the range of a quarter of the records, N from 0.
quarter() {
    local from=$(($1 * record_count / 4)) to=$((($1 + 1) * record_count / 4))
    echo "$(key "$from"):$(key "$to")"
}

# make_sources COUNT: databases source-0 ... with the same records. No sender is held yet.
make_sources() {
    local i
    held=()
    make_database source-0 "$record_count"
    for ((i = 1; i < $1; i++)); do
        cp -r source-0 "source-$i"
        rm -rf "source-$i/IDENTITY" # a database of its own
    done
}

# start_send N ARGUMENT...: send quarter N of source-N in the background; sets senders[N].
senders=()
start_send() {
    local number=$1
    shift
    : >"$work/send-$number.err" # waits_with may be earlier than the shell of the sender
    "$haul" send --db "source-$number" --to "$receiver_address" --transport tcp --json \
        --batch-min 64K --batch-max 128K --retry "${limit}s" "$@" \
        >"$work/send-$number.out" 2>"$work/send-$number.err" </dev/null &
    senders[number]=$!
}

# start_held N ARGUMENT...: the same; stops the sender once its records arrive: a busy machine does not
# let it end before the others have come.
held=()
start_held() {
    start_send "$@" --rate 700K
    held+=("${senders[$1]}")
    receiver_has "[.running.jobs[] | select(.records > 0)] | length == ${#held[@]}"
    kill -STOP "${senders[$1]}"
}

# All that were held.
go_on() {
    kill -CONT "${held[@]}"
    held=()
}

sent() { ended "${senders[$1]}" "${2:-0}"; } # N [EXPECTED-CODE]

# receiver_has FILTER: wait until `haul status` of the target matches it.
receiver_has() {
    local i
    for ((i = 0; i < 3000; i++)); do
        "$haul" status --db target --json >"$work/status.json" 2>"$work/status.err" || true
        [[ $(jq "$1" "$work/status.json") != true ]] || return 0
        sleep 0.02
    done
    cat "$work/status.json" "$work"/*.err "$work"/*.log
    fail "never seen: $1"
}

# waits_with N TEXT: sender N retries, and logs why.
waits_with() {
    timeout "$limit" grep -q -m 1 -- "$2" <(tail -n +1 -f "$work/send-$1.err" --pid="${senders[$1]}") ||
        { cat "$work/send-$1.err"; fail "sender $1 does not wait with: $2"; }
}

stop_receiver() {
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
}

same_in() { # RANGE DIR: the target has the same records as DIR there
    timeout "$limit" "$haul" verify --db "$2" --with target --range "$1" >/dev/null 2>"$work/verify.err" ||
        { cat "$work/verify.err"; fail "$2 and the target differ in $1"; }
}

job_of() { jq -r ".running.jobs[$1].job" "$work/status.json"; } # INDEX

test_recv__four_senders_at_once__all_arrive() {
    local i
    make_sources 4
    receive
    for i in 0 1 2 3; do
        start_held "$i" --range "$(quarter "$i")"
    done
    receiver_has '.running.jobs | length == 4'
    equal "$(jq '[.running.jobs[].job] | unique | length' "$work/status.json")" 4
    "$haul" status --db target >"$work/status.txt"
    equal "$(grep -c '^  job .* from .*copying' "$work/status.txt")" 4
    go_on
    for i in 0 1 2 3; do
        sent "$i"
        equal "$(json_of "$work/send-$i.out" .status)" ok
    done
    stop_receiver
    same source-0 target
    # One document for each job, and one for the receiver's own end.
    equal "$(wc -l <"$work/recv.log.json")" 5
    equal "$(jq -s '[.[] | select(.status == "ok") | .job] | unique | length' "$work/recv.log.json")" 4
    [[ ! -e target/haul/staging ]] || fail 'the staging directory stays'
}

test_recv__more_senders_than_places__one_waits() {
    make_sources 3
    receive --jobs 2
    start_held 0 --range "$(quarter 0)"
    start_held 1 --range "$(quarter 1)"
    start_send 2 --range "$(quarter 2)"
    waits_with 2 '2 other jobs run on this receiver'
    go_on
    sent 0
    sent 1
    sent 2
    stop_receiver
    same_in "$(quarter 0)" source-0
    same_in "$(quarter 2)" source-0
}

test_recv__one_sender_killed__others_go_on_and_it_comes_back() {
    make_sources 3
    receive
    start_held 0 --range "$(quarter 0)"
    start_held 1 --range "$(quarter 1)"
    start_held 2 --range "$(quarter 2)"
    kill -9 "${senders[1]}"
    end_process "${senders[1]}" || true
    receiver_has '.running.jobs | length == 2'
    kill -CONT "${senders[0]}" "${senders[2]}"
    sent 0
    sent 2
    start_send 1 --range "$(quarter 1)"
    sent 1
    equal "$(json_of "$work/send-1.out" .resumed)" true
    stop_receiver
    same_in "$(quarter 0)" source-0
    same_in "$(quarter 1)" source-1
    same_in "$(quarter 2)" source-2
}

test_recv__killed_with_three_jobs__all_go_on_after_it() {
    local i
    make_sources 3
    receive
    for i in 0 1 2; do
        start_held "$i" --range "$(quarter "$i")"
    done
    local address=$receiver_address
    kill_and_reap "$receiver_pid"
    go_on
    receive_into target "$address"
    for i in 0 1 2; do
        sent "$i"
    done
    stop_receiver
    same_in "$(quarter 0)" source-0
    same_in "$(quarter 1)" source-0
    same_in "$(quarter 2)" source-0
}

test_cancel__one_job_of_a_receiver__others_go_on() {
    make_sources 2
    receive
    start_held 0 --range "$(quarter 0)"
    local job
    job=$(job_of 0)
    start_held 1 --range "$(quarter 1)"
    run 5 "$haul" cancel --db target --job ffffffffffffffffffff
    run 0 "$haul" cancel --db target --job "${job:0:12}" --json
    equal "$(json .cancelled)" 1
    go_on
    sent 0 9
    sent 1
    receiver_has '.running.phase == "listening"'
    stop_receiver
    same_in "$(quarter 1)" source-1
    equal "$("$haul" verify --db target --with target --range "$(quarter 0)" --json | jq '[.families[].records] | add')" 0
}

test_send__ranges_overlap__waits_for_the_other() {
    make_sources 2
    receive
    start_held 0 --range "$(quarter 0)"
    start_send 1 --range "$(key 100):$(key 200)"
    waits_with 1 'brings a part of these ranges'
    go_on
    run 0 "$haul" cancel --db source-0
    sent 0 9
    sent 1
    stop_receiver
    same_in "$(key 100):$(key 200)" source-1
}

test_recv__once__takes_a_single_job() {
    make_sources 2
    run 2 "$haul" recv --db target --listen "$own_host:0" --once --jobs 2
    one_error 'once.*single'
    receive --once
    start_held 0 --range "$(quarter 0)"
    start_send 1 --range "$(quarter 1)"
    waits_with 1 'another job runs on this receiver'
    go_on
    sent 0
    ended "$receiver_pid" 0
    kill -TERM "${senders[1]}"
    sent 1 143
    same_in "$(quarter 0)" source-0
}

test_cancel__whole_receiver__ends_all_its_jobs() {
    make_sources 2
    receive
    start_held 0 --range "$(quarter 0)"
    start_held 1 --range "$(quarter 1)"
    run 0 "$haul" cancel --db target
    go_on
    ended "$receiver_pid" 9
    sent 0 9
    sent 1 9
    equal "$(records_of target)" 0
}

# RocksDB lets one process open a database for writing, so the tool sends one job of it at a time;
# a program that has it open sends several (test_side_by_side.c).
test_send__second_of_one_database__refused_while_the_first_runs() {
    make_sources 1
    receive
    start_held 0 --range "$(quarter 0)"
    run 5 "$haul" send --db source-0 --to "$receiver_address" --transport tcp --range "$(quarter 1)" --retry 1s
    one_error 'in use'
    go_on
    run 0 "$haul" cancel --db source-0
    sent 0 9
    stop_receiver
}

run_tests
