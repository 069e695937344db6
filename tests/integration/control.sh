#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# control.sh — watching, ending and resuming jobs from another shell: status, cancel, resume.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite control "$@"

receive() { receive_into target "${1:-$own_host:0}" --once; }

# Slow enough to be caught in mid-copy, on a busy machine and under a sanitizer: 20 MB at 4 MB/s.
start_copy() {
    make_database source 20000
    receive
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4M \
        --batch-min 64K --batch-max 256K --json "$@" \
        >"$work/send.json" 2>"$work/send.err" </dev/null &
    sender=$!
    wait_for_copy source
}

# wait_for_copy DIR: wait until the command that runs on DIR has copied something.
wait_for_copy() {
    sender_reaches '.running != null and .running.phase == "copying" and .running.records > 2000' "$1"
}

test_status__running_send__tells_both_sides() {
    start_copy
    equal "$(jq -r .running.command "$work/status.json")" send
    equal "$(jq -r .running.pid "$work/status.json")" "$sender"
    equal "$(jq -r '.jobs[0].role' "$work/status.json")" source
    equal "$(jq -r '.jobs[0].phase' "$work/status.json")" COPYING
    kill -STOP "$sender" # a busy machine does not let it end first
    run 0 "$haul" status --db target
    kill -CONT "$sender"
    grep -q 'running: haul recv' "$work/out" || fail 'no receiver'
    grep -q 'this is the target' "$work/out" || fail 'no job of the target'
    ! grep -q 'haul cancel' "$work/out" || fail 'a way out of a job that runs'
    ended "$sender" 0
    ended "$receiver_pid" 0
    run 0 "$haul" status --db source
    grep -qx 'no job' "$work/out"
    [[ ! -e source/haul/control && ! -e target/haul/control ]] || fail 'a socket was left'
}

test_status__no_database__not_found() {
    run 3 "$haul" status --db nowhere
    one_error nowhere
}

# Damaged journals are jobs too, and have ids.
test_cancel__beginning_of_two_ids__refused_and_both_stay() {
    local id
    make_database source 10
    mkdir -p source/haul
    for id in ab00 ab11; do
        echo 'no journal' >"source/haul/source-${id}0000000000000000000000000000.journal"
    done
    run 2 "$haul" cancel --db source --job ab --accept-two-owners
    one_error 'beginning of 2 ids'
    equal "$(find source/haul -name 'source-ab*.journal' | wc -l)" 2
    run 0 "$haul" cancel --db source --job ab0 --accept-two-owners
    equal "$(find source/haul -name 'source-ab*.journal' | wc -l)" 1
}

test_cancel__running_send__nothing_moved() {
    start_copy
    run 0 "$haul" cancel --db source --json
    equal "$(json .cancelled)" 1
    ended "$sender" 9
    ended "$receiver_pid" 9
    equal "$(jq -r .error.code "$work/send.json")" CANCELLED
    equal "$(jq -r .error.retryable "$work/send.json")" false
    equal "$(records_of target)" 0
    equal "$(find target/haul -name '*.sst' -o -name '*.journal' | wc -l)" 0
    opens source
}

test_cancel__running_receive__nothing_moved() {
    start_copy
    run 0 "$haul" cancel --db target
    ended "$receiver_pid" 9
    ended "$sender" 9
    equal "$(records_of target)" 0
}

# stop_and_resume SIGNAL: the sender is stopped; what it sent is kept, and the job continues.
stop_and_resume() {
    local sent
    start_copy
    kill "-$1" "$sender"
    ended "$sender" $((128 + $(kill -l "$1")))
    equal "$(jq -r .error.code "$work/send.json")" STOPPED
    equal "$(jq -r .error.retryable "$work/send.json")" true
    grep -q 'haul resume' "$work/send.err" || fail 'no word of resume'
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | length')" 1
    equal "$(json '.jobs[0].claim')" serves
    sent=$(json_of "$work/send.json" .wire_bytes)
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    # No table file was full, and yet what had arrived need not be sent again.
    (($(json .wire_bytes) < 20500000 - sent / 2)) || fail "$sent bytes were sent again"
    ended "$receiver_pid" 0
    same source target
}

test_stop__sender_by_sigterm__kept_and_resume_goes_on() { stop_and_resume TERM; }
test_stop__sender_by_sighup__kept_and_resume_goes_on() { stop_and_resume HUP; }

test_stop__sender_twice__ends_at_once_and_resume_goes_on() {
    start_copy
    kill -STOP "$sender" # both signals are pending when it continues
    kill -TERM "$sender"
    kill -HUP "$sender"
    kill -CONT "$sender"
    local code=0
    end_process "$sender" || code=$?
    [[ $code == 129 || $code == 143 ]] || fail "exit code $code"
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
}

# Nothing is decided, and yet only the receiver knows whether it owns: `resolve` waits for it.
test_resolve__nothing_is_decided_and_nobody_listens__waits_for_the_receiver() {
    start_copy
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    "$haul" resolve --db source --to "$receiver_address" --retry 2m >"$work/resolve.out" 2>"$work/resolve.err" </dev/null &
    local resolver=$!
    wait_for grep -q 'trying again for up to 120 s' "$work/resolve.err"
    receive "$receiver_address"
    ended "$resolver" 3
    grep -q 'no job of this database is in doubt: .*resume' "$work/resolve.err" || fail 'no answer of the receiver'
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
}

# The sender learns the reason, and waits until the receiver is restarted.
test_stop__receiver_by_sigterm__kept_and_a_new_one_goes_on() {
    start_copy
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
    equal "$(json_of "$work/recv.log.json" .error.code)" STOPPED
    run 0 "$haul" status --db target --json
    equal "$(json '.jobs | length')" 1
    receive "$receiver_address"
    ended "$sender" 0
    ended "$receiver_pid" 0
    equal "$(jq -r .resumed "$work/send.json")" true
    same source target
}

# What somebody can mend, here a limit of the receiver's process, costs nothing that has arrived.
test_limit__of_the_receivers_files__kept_and_a_new_one_goes_on() {
    start_copy
    prlimit --pid "$receiver_pid" --fsize=65536
    ended "$sender" 8
    equal "$(jq -r .error.code "$work/send.json")" LIMIT
    grep -q 'ulimit -f' "$work/send.err" "$work/send.json" || fail 'no hint of the limit'
    ended "$receiver_pid" 8
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | map(.phase) | join(" ")')" COPYING
    receive "$receiver_address"
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
}

test_stop__then_cancel__nothing_is_left() {
    start_copy
    kill -TERM "$sender"
    ended "$sender" 143
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" cancel --db source
    run 0 "$haul" cancel --db target
    equal "$(records_of target)" 0
    equal "$(find target/haul -name '*.sst' -o -name '*.journal' | wc -l)" 0
    opens source
}

test_cancel__no_job__not_found() {
    make_database source 10
    run 3 "$haul" cancel --db source
    one_error 'no job'
}

test_resume__killed_sender__goes_on() {
    start_copy
    kill_and_reap "$sender"
    run 0 "$haul" status --db source --json
    equal "$(json .running)" null
    equal "$(json '.jobs[0].claim')" serves
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
}

# resume_with_blobs ARGUMENT...: the log of the job holds LogData; the target's log goes to `log`.
resume_with_blobs() {
    "$maker" target 'options WAL_ttl_seconds=3600' 'put other x' 'delete other'
    start_copy --lane writebatch # ingested tables leave holes in the log
    kill_and_reap "$sender"
    "$maker" source 'batch #one x1=a x2=b' 'batch x3=c' 'batch x1- #two x4=d' 'batch #alone'
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json "$@"
    equal "$(json .resumed)" true
    equal "$(json .verified)" true
    ended "$receiver_pid" 0
    "$reader" --log target | grep -v '^.x00' >log # db_bench's keys
}

# Read by RocksDB's own TransactionLogIterator.
test_resume__log_data__in_the_targets_log_beside_its_records() {
    resume_with_blobs --log-data
    equal "$(grep -c '#' log)" 2
    grep -qx '#one x1 x2' log || fail 'not as it was written'
    grep -qx 'x3 x1- #two x4' log || fail 'not as it was written'
}

test_resume__log_data_not_wanted__only_records() {
    resume_with_blobs
    ! grep -q '#' log || fail 'LogData came'
    grep -qx 'x1 x2 x3 x1- x4' log || fail 'not the changes'
}

test_send__after_a_killed_sender__goes_on() {
    start_copy
    kill_and_reap "$sender"
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
}

# refused_and_kept ARGUMENT...: this attempt does not match, and costs nothing of what has arrived.
refused_and_kept() {
    local status
    run 3 "$haul" send --db source --to "$receiver_address" --json "$@"
    for status in source target; do
        run 0 "$haul" status --db "$status" --json
        equal "$(json '.jobs | length')" 1
        equal "$(json '.over | length')" 0
    done
}

test_send__unfit_after_a_killed_sender__kept_and_goes_on() {
    start_copy
    kill_and_reap "$sender"
    refused_and_kept --transport tcp --slot-size 8M
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    receive_into target "$receiver_address" --once --transport tcp
    refused_and_kept --transport rdma
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
}

test_send__other_slots_at_the_first_attempt__refused_and_nothing_is_left() {
    make_database source 100
    receive
    run 3 "$haul" send --db source --to "$receiver_address" --transport tcp --slot-size 8M
    one_error "the target's slots have 4194304 bytes, ours 8388608.*--slot-size"
    run 0 "$haul" status --db source
    grep -qx "no job" "$work/out" || { cat "$work/out"; fail "a job"; }
    run 0 "$haul" status --db target
    ! grep -q '^job' "$work/out" || fail 'a job was left'
}

test_send__other_range_after_a_killed_sender__begins_anew() {
    start_copy
    kill_and_reap "$sender"
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --json \
        --range 0x:0x0000000000002000
    equal "$(json .resumed)" false
    grep -q 'its ranges, column families, metadata families or config version are not' "$work/err" || fail 'it does not say why'
    ended "$receiver_pid" 0
}

test_cancel__killed_sender__next_send_begins_anew() {
    start_copy
    kill_and_reap "$sender"
    run 0 "$haul" cancel --db source --json
    equal "$(json .cancelled)" 1
    run 3 "$haul" resume --db source --to "$receiver_address" --transport tcp
    one_error 'no job to continue'
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" false
    ended "$receiver_pid" 0
    same source target
}

test_cancel__killed_receiver__its_part_is_removed() {
    start_copy --retry 1ms
    kill_and_reap "$receiver_pid"
    ended "$sender" 5
    run 0 "$haul" cancel --db target
    equal "$(records_of target)" 0
    equal "$(find target/haul -name '*.sst' -o -name '*.journal' | wc -l)" 0
}

test_send__second_job_on_the_target__busy_and_the_first_goes_on() {
    make_database other 100
    start_copy
    kill -STOP "$sender" # a busy machine does not let it end first
    run 5 "$haul" send --db other --to "$receiver_address" --transport tcp --json --retry 300ms
    kill -CONT "$sender"
    one_error 'job'
    equal "$(json .error.code)" BUSY
    equal "$(json .error.retryable)" true
    run 0 "$haul" status --db other --json
    equal "$(json '.jobs | length')" 0
    opens other
    ended "$sender" 0
    ended "$receiver_pid" 0
    same source target
}

# It has no job yet that the target knows of, and so nothing to continue.
test_stop__send_that_waits_for_a_busy_target__says_that_nothing_was_sent() {
    make_database other 100
    start_copy
    kill -STOP "$sender" # a busy machine does not let it end first
    local first=$sender
    "$haul" send --db other --to "$receiver_address" --transport tcp --retry 1m --json \
        >"$work/wait.json" 2>"$work/wait.err" </dev/null &
    sender=$!
    sender_reaches '.running.phase == "retrying"' other
    kill -TERM "$sender"
    ended "$sender" 143
    kill -CONT "$first"
    equal "$(json_of "$work/wait.json" '[.error.message, .error.hint] | tojson')" \
        '["stopped before anything was sent","run the same command to begin again"]'
    run 0 "$haul" status --db other
    grep -qx 'no job' "$work/out"
    ended "$first" 0
    ended "$receiver_pid" 0
}

# The load writes alone before there is a migration; a cancel ends it too.
test_cancel__send_in_the_lead_of_its_load__ends_at_once() {
    make_database source 100
    receive
    "$haul" send --db source --to "$receiver_address" --transport tcp --load 100 --load-for 10m --json \
        >"$work/send.json" 2>"$work/send.err" </dev/null &
    sender=$!
    sender_reaches '.running.phase == "connecting"'
    run 0 "$haul" cancel --db source --json
    equal "$(json .cancelled)" 1
    ended "$sender" 9
    run 0 "$haul" status --db source
    grep -qx 'no job' "$work/out"
}

test_send__same_database_twice__busy() {
    start_copy
    kill -STOP "$sender"
    run 5 "$haul" send --db source --to "$receiver_address" --transport tcp
    kill -CONT "$sender"
    one_error 'in use'
    ended "$sender" 0
    same source target
}

test_recv__disk_full__source_keeps_everything() {
    mkdir small
    mount -t tmpfs -o size=12m haul-test small 2>/dev/null || skip 'no right to mount a small disk'
    trap 'umount -l "$work/small"; end_leftovers' EXIT
    make_database source 20000
    start_receiver "$work/recv.log" --db small/target --listen "$own_host:0" --once
    run 7 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    one_error '[Nn]o space'
    equal "$(json .error.code)" NO_SPACE
    opens source
    run 0 "$haul" verify --db source --with source
    # There is space elsewhere.
    receive
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp
    ended "$receiver_pid" 0
    same source target
}

test_resume__nothing_left__not_found() {
    make_database source 10
    run 3 "$haul" resume --db source --to 127.0.0.1:1
    one_error 'no job to continue'
}

# --- a receiver that serves -----------------------------------------------------------------------

lines_of() { (($(grep -c "$2" "$1") == $3)); } # FILE PATTERN COUNT

# Two jobs, each reported at its end: the whole database, then a part of it again.
send_two_jobs() {
    send 0
    cp "$work/out" first.json
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    send 0 --overwrite --range 0x0000000000000100:0x0000000000000200
    cp "$work/out" second.json
}

test_recv__serves__a_document_for_each_job() {
    local figures='[.status, .job, .records, .bytes, .new_version]'
    make_database source 3000
    receive_into target "$own_host:0" --allow-overwrite
    send_two_jobs
    wait_for lines_of "$work/recv.log.json" . 2
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    equal "$(sed -n 1p "$work/recv.log.json" | jq -c "$figures")" "$(json_of first.json "$figures | tojson")"
    equal "$(sed -n 2p "$work/recv.log.json" | jq -c "$figures")" "$(json_of second.json "$figures | tojson")"
    lines_of "$work/recv.log.json" . 3 || fail 'no document of its own end'
    equal "$(json_of "$work/recv.log.json" '[.error.code, .job] | tojson')" '["STOPPED",null]'
}

test_recv__serves__a_line_for_each_job() {
    make_database source 3000
    "$haul" recv --db target --listen "$own_host:0" --allow-overwrite >lines 2>"$work/recv.log" </dev/null &
    receiver_pid=$!
    receivers+=("$receiver_pid")
    wait_for grep -q 'listening on' "$work/recv.log"
    receiver_address=$(sed -n 's/^haul: listening on //p' "$work/recv.log")
    send_two_jobs
    wait_for lines_of lines '^received .* verified' 2
    grep -q "^received $(json_of first.json .records) records" lines || { cat lines; fail 'no figures of the first job'; }
    kill "$receiver_pid"
    ended "$receiver_pid" 143
}

# A speed would count bytes that were not sent.
test_resume__a_part_had_arrived__no_speed() {
    start_copy
    kill_and_reap "$sender"
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp
    received
    grep -q '^sent .* (a part had arrived earlier) over tcp; verified' "$work/out" || { cat "$work/out"; fail 'not said'; }
}

test_recv__source_comes_back__both_say_resumed() {
    start_copy
    kill_and_reap "$sender"
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    received
    equal "$(json .resumed)" true
    equal "$(json_of "$work/recv.log.json" .resumed)" true
    equal "$(json_of "$work/recv.log.json" '[.records, .bytes] | tojson')" "$(json '[.records, .bytes] | tojson')"
}

run_tests
