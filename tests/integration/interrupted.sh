#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# interrupted.sh — a job is interrupted, another program uses one of the databases, and the job
# continues.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite interrupted "$@"

# receive OPTION...: a receiver at an address that the next one can reuse.
receive() {
    receive_into target "${address:-$own_host:0}" --table-size 1M "$@"
    address=$receiver_address
}

# stop_receiver [SIGNAL]
stop_receiver() {
    kill -"${1:-TERM}" "$receiver_pid"
    end_process "$receiver_pid" || true
}

# send_until CONDITION OPTION...: stop a sender when the source's status meets the condition.
send_until() {
    local condition=$1
    shift
    env --default-signal=INT "$haul" send --db source --to "$address" --transport tcp "$@" \
        >"$work/out" 2>"$work/err" </dev/null &
    local sender=$! code=0
    sender_reaches "$condition"
    kill -INT "$sender"
    end_process "$sender" || code=$?
    equal "$code" 130
}

# goes_on OPTION...: the job continues to its end, and both read alike.
goes_on() {
    run 0 "$haul" resume --db source --to "$address" --transport tcp --json "$@"
    stop_receiver
    reads_alike
}

# warned PATTERN: the sender printed such a line.
warned() { grep -qE -- "$1" "$work/err" || { cat "$work/err"; fail "no line matches /$1/"; }; }
silent() { ! grep -qE -- "$1" "$work/err" || { cat "$work/err"; fail "a line matches /$1/"; }; }

# interrupted OPTION...: a part of the source's records is on the target, and no process runs.
interrupted() {
    "$maker" source 'options avoid_flush_during_recovery=true' 'create x' 'use x' 'fill x 1000 1000' \
        flush 'use default' 'fill k 20000 1000' flush
    receive "$@"
    send_until '.running.durable_records >= 6000' --rate 6M
    stop_receiver
}

# --- the source's log -----------------------------------------------------------------------------

test_log__hole_between_two_records__copied_anew() {
    interrupted
    "$maker" source 'use x' 'put q1 a' 'use default' 'ingest k00000200 other k00000700 another' \
        'use x' 'put q2 b' leave
    receive
    goes_on
    warned 'the earlier job cannot continue, and is copied from the start: the write-ahead log has a hole'
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

# Deleted files take no sequence number, so nothing shows before the digests are compared.
test_source__tables_thrown_away__both_sides_are_named_and_sent_anew() {
    interrupted
    "$maker" source compact 'delete_files k00000000 k00099999'
    receive
    run 6 "$haul" resume --db source --to "$address" --transport tcp
    one_error 'differs: .*has changed the source.s records .*DeleteFilesInRange. or the target.s records.*send it again'
    run 0 "$haul" send --db source --to "$address" --transport tcp --json
    equal "$(json .durable_records)" 1000
    stop_receiver
    reads_alike
}

# --- other jobs meanwhile -----------------------------------------------------------------------------

# A job for other ranges leaves the interrupted one alone; a job that shares some of them ends it.
test_send__other_range_meanwhile__the_interrupted_job_goes_on() {
    "$maker" source 'fill a 20000 1000' 'fill k 200 100' flush
    receive
    send_until '.running.durable_records >= 6000' --rate 6M --prefix a
    run 0 "$haul" send --db source --to "$address" --transport tcp --prefix k
    warned '1 earlier job of other ranges is unfinished: `haul resume` continues it'
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | map(.phase) | join(" ")')" COPYING
    "$maker" source 'put a00000200 other' 'delete a00000300' leave
    goes_on
    equal "$(json .resumed)" true
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | length')" 0
}

test_send__a_part_of_an_interrupted_job__that_one_is_given_up() {
    "$maker" source 'fill a 20000 1000' 'fill k 200 100' flush
    receive
    send_until '.running.durable_records >= 6000' --rate 6M --prefix a
    run 0 "$haul" send --db source --to "$address" --transport tcp --range a00000100:a00000200
    warned 'the earlier job is given up, and what has arrived of it is discarded: its ranges, '
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | length')" 0
    stop_receiver
    equal "$(records_of target)" 100
}

# --- options that somebody changes meanwhile ------------------------------------------------------

# refused_until DATABASE CHANGED ORIGINAL PATTERN: refused as long as its family has the changed
# options; what has arrived stays.
refused_until() {
    interrupted
    "$maker" "$1" "family default $2" 'say changed' >/dev/null
    receive
    run 3 "$haul" resume --db source --to "$address" --transport tcp
    one_error "$4"
    stop_receiver
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | map(.phase) | join(" ")')" COPYING
    "$maker" "$1" "family default $3" 'say changed back' >/dev/null
    receive
    goes_on
    equal "$(json .resumed)" true
    silent 'anew'
}

test_options__target_would_drop_records__refused_until_they_are_changed() {
    refused_until target 'compaction_style=kCompactionStyleFIFO' \
        'compaction_style=kCompactionStyleLevel' 'FIFO compaction'
}

test_options__target_merges_otherwise__refused_until_they_are_changed() {
    refused_until target 'merge_operator=stringappend' 'merge_operator=nullptr' "merge operator is 'none'"
}

test_options__source_merges_otherwise__refused_until_they_are_changed() {
    refused_until source 'merge_operator=stringappend' 'merge_operator=nullptr' "the target's 'none'"
}

# --- the target's records -------------------------------------------------------------------------

changed='the job is copied from the start: the target holds [0-9]+ records where [0-9]+ had arrived'

# goes_on_behind COMMAND...: store_maker does this to the target between the attempts.
goes_on_behind() {
    "$maker" target "$@"
    receive
    goes_on
}

test_target__records_deleted__copied_anew() {
    interrupted
    goes_on_behind 'delete_range k00000100 k00000300' flush
    warned "$changed"
}

test_target__record_added__copied_anew() {
    interrupted
    goes_on_behind 'put k00000100x intruder'
    warned "$changed"
}

test_target__record_changed__copied_anew() {
    interrupted
    goes_on_behind 'put k00000100 other' 'use x' 'put x00000100 other' flush compact
    warned "$changed"
}

# Ingesting or removing whole tables need not take a sequence number.
test_target__tables_thrown_away__copied_anew() {
    interrupted
    goes_on_behind 'delete_files k00000000 k00009999'
    warned "$changed"
}

# Records after the safe position are cleared in any case.
test_target__record_added_behind__goes_on() {
    interrupted
    goes_on_behind 'put k00019999x intruder'
    silent 'anew'
}

test_target__only_compacted__goes_on() {
    interrupted
    goes_on_behind compact 'use x' compact
    silent 'anew'
}

# Write batches are safe every 32 MiB.
test_target__other_lane_and_records_deleted__copied_anew() {
    "$maker" source 'fill k 70000 1000' flush
    receive --lane writebatch
    send_until '.running.durable_records >= 20000' --rate 20M
    stop_receiver
    "$maker" target 'delete k00000100'
    receive --lane writebatch
    goes_on
    warned "$changed"
}

# The sender never ends, and has already sent what is there.
test_target__records_deleted_while_a_sender_waits__copied_anew() {
    interrupted
    receive
    "$haul" resume --db source --to "$address" --transport tcp --rate 3M --json >"$work/out" 2>"$work/err" \
        </dev/null &
    local sender=$!
    sender_reaches '.running.durable_records >= 9000'
    stop_receiver KILL
    "$maker" target 'delete k00000100' flush
    receive
    end_process "$sender" || { cat "$work/err"; fail "the sender ended with $?"; }
    stop_receiver
    reads_alike
    warned "$changed"
    equal "$(json .resumed)" true
}

# The load exceeds the rate: the copy is complete, and changes follow for ever. How many of them had
# arrived unrecorded is unknown, so the digests decide at the end.
test_target__records_deleted_while_changes_follow__not_verified() {
    "$maker" source 'fill k 2000 1000' flush
    receive
    send_until '.running.phase == "catching up"' --rate 1M --load 4000 --load-value 1000 --load-keys 100 \
        --load-for 10ms
    stop_receiver
    "$maker" target 'delete k00000500' flush
    receive
    run 6 "$haul" resume --db source --to "$address" --transport tcp --json
    one_error 'source has 2[0-9]+ records, target 2[0-9]+'
    one_error 'since the job began, something else has changed .* the target.s records'
    run 0 "$haul" send --db source --to "$address" --transport tcp --json
    stop_receiver
    reads_alike
}

# A receiver that has had the database open all the time need not read anything back.
test_target__sender_killed__goes_on() {
    "$maker" source 'fill k 20000 1000' flush
    receive
    send_until '.running.durable_records >= 6000' --rate 6M
    run 0 "$haul" resume --db source --to "$address" --transport tcp --json
    stop_receiver
    reads_alike
    silent 'anew'
}

# --- the path of a database that is in use --------------------------------------------------------

# start_slowly DIR: start a sender and catch it in mid-copy.
start_slowly() {
    "$maker" source 'fill k 6000 1000' flush
    receive
    "$haul" send --db "$1" --to "$address" --transport tcp --rate 3M --json >"$work/out" 2>"$work/err" </dev/null &
    sender=$!
    sender_reaches '.running.durable_records >= 0'
}

# The usual "current" link is switched to the next database.
test_path__link_switched_while_it_sends__decided_where_it_was_opened() {
    "$maker" other 'fill k 10 1000' flush
    ln -s source current
    start_slowly current
    ln -sfn other current
    ended "$sender" 0
    stop_receiver
    same source target
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || { cat "$work/out"; fail 'source gave nothing'; }
    run 0 "$haul" owner --db other
    ! grep -q 'given away' "$work/out" || { cat "$work/out"; fail 'other gave'; }
    [[ ! -e other/haul/ownership ]] || fail 'a record in the other database'
}

test_path__link_switched_while_it_receives__arrives_where_it_was_opened() {
    "$maker" source 'create x' 'fill k 6000 1000' flush
    "$maker" target 'create x'
    "$maker" other 'fill k 10 1000' flush
    ln -s target current
    receive_into current "$own_host:0" --table-size 1M
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 3M --json >"$work/out" 2>"$work/err" \
        </dev/null &
    sender=$!
    sender_reaches '.running.durable_records >= 0'
    ln -sfn other current
    ended "$sender" 0
    stop_receiver
    reads_alike
    equal "$(records_of other)" 10
}

# The path now has a copy, with a record and a journal of its own.
test_path__copy_in_the_place_of_the_source__decides_nothing() {
    start_slowly source
    mv source moved
    cp -a moved source
    ended "$sender" 3
    one_error 'no longer the directory of the database that was opened'
    [[ ! -e source/haul/ownership && ! -e moved/haul/ownership ]] || fail 'decided'
    rm -rf source
    mv moved source
    goes_on
}

# target_moves LANE RECORDS RATE: whatever notices it first, a path that RocksDB opens or haul's own look.
target_moves() {
    "$maker" source "fill k $2 1000" flush
    receive --lane "$1"
    "$haul" send --db source --to "$address" --transport tcp --rate "$3" --json >"$work/out" 2>"$work/err" </dev/null &
    sender=$!
    sender_reaches '.running.durable_records >= 1000'
    mv target moved
    ended "$sender" 3
    one_error 'no longer the directory of the database that was opened'
    stop_receiver
    mv moved target
    receive
    goes_on
    equal "$(json .resumed)" true
}

test_path__target_is_moved_while_it_ingests__kept_and_goes_on() { target_moves ingest 6000 3M; }
# Write batches are safe every 32 MiB.
test_path__target_is_moved_while_it_writes__kept_and_goes_on() { target_moves writebatch 100000 40M; }

run_tests
