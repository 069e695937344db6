#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# faults.sh — what can happen to a job: full disks, read errors, stopped processes, records of other
# databases. The old owner keeps everything, and the job can be done afterwards.
#
# strace makes system calls on one file fail.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite faults "$@"

receive() { receive_into target "$own_host:0" "${@:---once}"; }

can_trace() { strace -o /dev/null true 2>/dev/null || skip 'no right to trace a process'; }

# fault FILE SYSCALL ERROR STRACE-ARGUMENT...: make every such call on this file fail, in a command
# or (-p PID) in a running process. Failed calls go to $work/trace.
fault() {
    # LeakSanitizer is a tracer itself.
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/trace" -P "$work/$1" -e "trace=$2" \
        -e "inject=$2:error=$3" "${@:4}"
}

was_met() { grep -q INJECTED "$work/trace" || fail 'the fault was not met'; }

# A source whose records lie in a table, not in the log.
make_table() {
    db_bench --db=source --benchmarks=fillseq,flush --num=20000 --value_size=1000 \
        --compression_type=none >"$work/db_bench.log" 2>&1
    table=$(find source -name '*.sst' | sort | tail -n 1)
    [[ -n $table ]] || fail 'no table'
}

# The job is done after all, as by an operator who has repaired the cause.
send_again() {
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    ended "$receiver_pid" 0
    same source target
}

# Slow enough to be caught in mid-copy.
start_send() {
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4M \
        --batch-min 64K --batch-max 256K --json "$@" \
        >"$work/send.json" 2>"$work/send.err" </dev/null &
    sender=$!
}

wait_for_copy() { sender_reaches '.running != null and .running.records > 2000'; }

# A job whose sender was killed in the middle: its journal has a name.
break_off() {
    make_database source 20000
    receive --once
    start_send
    wait_for_copy
    kill -9 "$sender"
    wait "$sender" || true
    journal=$(find source -name '*.journal')
    [[ -n $journal ]] || fail 'the killed sender left no journal'
}

# resume_fails SYSCALL ERROR: the job is resumed, and its journal fails.
resume_fails() {
    can_trace
    break_off
    local code=0
    fault "$journal" "$1" "$2" timeout "$limit" "$haul" resume --db source \
        --to "$receiver_address" --transport tcp --json >"$work/out" 2>"$work/err" || code=$?
    equal "$code" 7
    was_met
    opens source
    kill -0 "$receiver_pid" 2>/dev/null || receive --once
}

test_send__table_cannot_be_read__source_keeps_everything() {
    can_trace
    make_table
    receive --once
    # Slow: the reader is far from the end for as long as the tracer needs to attach. LeakSanitizer
    # ends a traced process.
    ASAN_OPTIONS=detect_leaks=0 start_send --rate 2M
    wait_for_copy
    # From now on reads of the table fail.
    fault "$table" pread64 EIO -p "$sender" &
    ended "$sender" 7
    was_met
    cp "$work/send.json" "$work/out"
    cp "$work/send.err" "$work/err"
    one_error 'Input/output error'
    equal "$(json .error.code)" IO
    kill -TERM "$receiver_pid" # it waits for the source, and has kept what came
    ended "$receiver_pid" 143
    opens source
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | map(.phase) | join(" ")')" COPYING
    receive --once
    send_again
}

test_send__damaged_table__integrity_and_nothing_moved() {
    make_table
    local size
    size=$(stat -c %s "$table")
    printf 'damage' | dd of="$table" bs=1 seek=$((size / 2)) conv=notrunc status=none
    receive --once
    run 6 "$haul" send --db source --to "$receiver_address" --transport tcp --json
    one_error '[Cc]orrupt|checksum'
    equal "$(json .error.code)" CORRUPT
    ended "$receiver_pid" 6
    equal "$(records_of target)" 0
}

test_resume__journal_on_a_full_disk__goes_on_when_there_is_room() {
    resume_fails pwrite64 ENOSPC
    one_error '[Nn]o space'
    equal "$(json .error.code)" NO_SPACE
    send_again
}

test_resume__journal_cannot_be_synced__goes_on_later() {
    resume_fails fdatasync EIO
    one_error 'sync'
    equal "$(json .error.code)" IO
    send_again
}

test_resume__journal_of_another_database__refused() {
    break_off
    make_database other 100
    mkdir other/haul
    cp "$journal" other/haul/
    run 3 "$haul" resume --db other --to "$receiver_address" --transport tcp
    one_error 'belongs to database'
    opens other
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp
    ended "$receiver_pid" 0
    same source target
}

# Stop a process in the middle of the copy until the other side has noticed.
stop_while_copying() {
    wait_for_copy
    kill -STOP "$1"
    sleep 2.5 # longer than the timeout: the fault itself
    kill -CONT "$1"
}

test_send__receiver_stopped_for_longer_than_the_timeout__goes_on() {
    make_database source 20000
    receive --once
    start_send --peer-timeout 1s
    stop_while_copying "$receiver_pid"
    ended "$sender" 0
    ended "$receiver_pid" 0
    [[ $(jq .retries "$work/send.json") -gt 0 ]] || fail 'nobody noticed'
    same source target
}

test_send__sender_stopped_for_longer_than_the_timeout__goes_on() {
    make_database source 20000
    receive --once --peer-timeout 1s
    start_send
    stop_while_copying "$sender"
    ended "$sender" 0
    ended "$receiver_pid" 0
    [[ $(jq .retries "$work/send.json") -gt 0 ]] || fail 'nobody noticed'
    same source target
}

# --- damage on the way ------------------------------------------------------------------------------

# send_through EXIT-CODE PLACE HARM [OPTION...]: one bit flips between both sides.
send_through() {
    local code=$1 place=$2 harm=$3 front
    shift 3
    make_database source 5000
    receive --once
    exec {proxy_fd}< <(exec "$build/tests/fault_proxy" "$receiver_address" "$place" "$harm" "$work/mark" 2>&1)
    proxy=$!
    read -r -u "$proxy_fd" front
    run "$code" "$haul" send --db source --to "${front#listening on }" --transport tcp \
        --batch-min 64K --batch-max 256K --json "$@"
    [[ -e mark ]] || fail 'no bit was turned over'
    kill "$proxy"
}

# is_mended PLACE: the damaged block is sent again, and nothing else is lost.
is_mended() {
    send_through 0 "$1" flip
    equal "$(json .verified)" true
    equal "$(json .crc_errors)" 1
    (($(json .retries) >= 1)) || fail 'the connection was not made anew'
    ended "$receiver_pid" 0
    same source target
}

test_damage__payload_of_a_block__sent_again_and_counted() {
    is_mended data.up.5.5000
    equal "$(json_of "$work/recv.log.json" .crc_errors)" 1
}

test_damage__header_of_a_block__sent_again_and_counted() { is_mended data.up.5.20; }
test_damage__magic_of_a_block__sent_again_and_counted() { is_mended data.up.5.1; }
test_damage__credit__sent_again_and_counted() { is_mended data.down.3.10; }
test_damage__magic_of_a_credit__sent_again_and_counted() { is_mended data.down.3.25; }

test_damage__message_to_the_source__sent_again_and_counted() { is_mended control.down.6.18; }

# At the same place of each connection: what had arrived before is kept until the path is repaired.
test_damage__again_and_again__exit_6_and_kept() {
    send_through 6 data.up.0.5000 flip-each
    equal "$(json .error.code)" CORRUPT
    equal "$(json .crc_errors)" 3
    [[ $(json .error.hint) == *memory*'haul resume'* ]] || fail 'the hint does not help'
    [[ -n $(find source -name '*.journal') ]] || fail 'the job was given up'
    run 0 "$haul" resume --db source --to "$receiver_address" --json
    equal "$(json .verified)" true
    ended "$receiver_pid" 0
    same source target
}

run_tests
