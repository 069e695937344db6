#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# waits.sh — every wait ends, and no stranger keeps a sender waiting: silent and half-open
# connections, plans without data, floods, lost senders, slow disks.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite waits "$@"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo 'waits: 0 passed, 0 failed, 1 skipped: no python3'; exit 77; }

receive() { receive_into target "$own_host:0" "$@"; } # ARGUMENT...

# stranger FILE STEP...: in the background; sets stranger_pid.
stranger() {
    local file=$1
    shift
    python3 -B "$here/stranger.py" "$receiver_address" "$@" >"$work/$file" 2>&1 </dev/null &
    stranger_pid=$!
}

# heard FILE PATTERN: the stranger received that, or the test fails.
heard() {
    local i
    for ((i = 0; i < 400; i++)); do
        ! grep -q -- "$2" "$work/$1" || return 0
        sleep 0.05
    done
    cat "$work/$1"
    fail "the stranger has not heard '$2'"
}

lines_of() { grep -c "$1" "$work/recv.log" || true; }

# --- strangers ------------------------------------------------------------------------------------

test_recv__silent_connections__a_sender_gets_through() {
    local i
    make_database source 100
    receive --once
    for i in 1 2 3 4 5 6 7 8 9 10; do
        stranger "silent-$i" connect hold 60
        heard "silent-$i" 'answered 0'
    done
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_recv__silent_after_hello__a_sender_gets_through() {
    local i
    make_database source 100
    receive --once
    for i in 1 2 3 4 5 6 7 8 9 10; do
        stranger "silent-$i" connect hello keep 60
        heard "silent-$i" Welcome
    done
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_recv__two_thousand_half_open_connections__a_sender_gets_through() {
    make_database source 100
    receive --once
    stranger flood half 200 half 200 half 200 half 200 half 200 half 200 half 200 half 200 half 200 \
        half 200 hold 60
    heard flood 'open 200'
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_recv__strangers_plan_and_abort__once_goes_on() {
    make_database source 100
    receive --once
    stranger aborts connect hello plan abort
    heard aborts Aborted
    send 0
    ended "$receiver_pid" 0
    same source target
}

# An accepted plan, links, and keep-alives for ever: after four peer timeouts the receiver is free.
# The stranger's unfinished job is in the way of an honest sender like any job that may come back.
test_recv__stranger_that_only_keeps_alive__a_sender_gets_through() {
    make_database source 100
    receive --peer-timeout 500ms --allow-overwrite
    stranger idle connect hello plan link keep 60
    heard idle Link
    send 0 --retry "${limit}s" --overwrite
    grep -q 'Stop nothing has moved' "$work/idle"
    same source target
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
}

test_recv__refused_strangers__few_log_lines() {
    receive
    timeout "$limit" python3 -B "$here/stranger.py" "$receiver_address" tokens 1500 >"$work/out"
    grep -q 'refused 1500' "$work/out"
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
    (($(wc -l <"$work/recv.log") < 30)) || fail "$(wc -l <"$work/recv.log") lines"
    grep -q 'others before it' "$work/recv.log" || fail 'the others are not counted'
}

# --- one job at a time ----------------------------------------------------------------------------

test_send__another_job_runs__waits_for_its_end() {
    make_database source 20000
    make_database other 100
    receive --jobs 1
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4M --batch-min 64K \
        --batch-max 256K >"$work/first.out" 2>"$work/first.err" </dev/null &
    local sender=$!
    sender_reaches '.running.phase == "copying"'
    : >"$work/err"
    "$haul" send --db other --to "$receiver_address" --transport tcp --retry "${limit}s" \
        >"$work/out" 2>>"$work/err" </dev/null &
    local second=$!
    timeout "$limit" grep -q -m 1 'another job runs' <(tail -n +1 -f "$work/err" --pid="$second")
    run 0 "$haul" cancel --db source
    ended "$sender" 9
    ended "$second" 0
    same other target
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
}

# --- targets that do nothing ----------------------------------------------------------------------

idle_send() { # STAGE: a sender to such a target ends as temporary, and keeps its job
    local stage=$1 target address code=0
    make_database "source-$stage" 100
    : >"$work/$stage.target"
    python3 -B "$here/idle_target.py" "$stage" >>"$work/$stage.target" 2>&1 </dev/null &
    target=$!
    timeout "$limit" grep -q -m 1 listening <(tail -n +1 -f "$work/$stage.target" --pid="$target")
    address=$(sed -n 's/^listening on //p' "$work/$stage.target")
    timeout "$limit" "$haul" send --db "source-$stage" --to "$address" --transport tcp --peer-timeout 100ms \
        --retry 300ms --freeze-max 100ms >"$work/$stage.out" 2>"$work/$stage.err" </dev/null || code=$?
    kill "$target"
    echo "$code" >"$work/$stage.code"
}

test_send__target_only_keeps_alive__ends_at_every_stage() {
    local stage pids=()
    for stage in answer welcome accepted links credits prepared; do
        idle_send "$stage" &
        pids+=("$!")
    done
    wait "${pids[@]}"
    for stage in answer welcome accepted links credits prepared; do
        [[ $(<"$work/$stage.code") == 5 ]] ||
            { cat "$work/$stage.err"; fail "$stage: exit code $(<"$work/$stage.code")"; }
    done
    for stage in accepted credits; do
        grep -q 'nothing has moved' "$work/$stage.err" || { cat "$work/$stage.err"; fail "$stage: another reason"; }
    done
}

# --- lost senders ---------------------------------------------------------------------------------

# A sender that is silent for longer than the receiver's old wait of 10 s, and still retries.
test_recv__sender_silent_for_long__once_waits_as_long_as_it_tries() {
    make_database source 6000
    receive --once --peer-timeout 1s
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 1M --batch-min 64K \
        --batch-max 128K --peer-timeout 1s >"$work/out" 2>"$work/err" </dev/null &
    local sender=$!
    sender_reaches '.running.phase == "copying"'
    kill -STOP "$sender"
    sleep 13
    kill -CONT "$sender"
    ended "$sender" 0
    ended "$receiver_pid" 0
    same source target
}

test_recv__retry_given__once_waits_so_long() {
    make_database source 6000
    receive --once --peer-timeout 1s --retry 500ms
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 1M --batch-min 64K \
        --batch-max 128K >"$work/out" 2>"$work/err" </dev/null &
    local sender=$!
    sender_reaches '.running.phase == "copying"'
    kill -9 "$sender"
    end_process "$sender" || true
    ended "$receiver_pid" 5
    grep -q 'waiting for its source' "$work/recv.log"
}

# A stranger's job neither ends the wait for a lost sender, nor is it the receiver's result.
test_recv__strangers_job_while_it_waits__does_not_count() {
    make_database source 6000
    receive --once --peer-timeout 1s
    "$haul" send --range 0x00:0x60 --db source --to "$receiver_address" --transport tcp --rate 1M --batch-min 64K \
        --batch-max 128K >"$work/out" 2>"$work/err" </dev/null &
    local sender=$!
    sender_reaches '.running.phase == "copying"'
    kill -9 "$sender"
    end_process "$sender" || true
    stranger aborts connect hello plan link abort
    heard aborts 'Aborted'
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
}

test_cancel__receiver_waits_for_its_sender__discarded() {
    make_database source 6000
    receive --once --peer-timeout 1s
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 1M --batch-min 64K \
        --batch-max 128K >"$work/out" 2>"$work/err" </dev/null &
    local sender=$!
    sender_reaches '.running.phase == "copying"'
    kill -9 "$sender"
    end_process "$sender" || true
    timeout "$limit" grep -q -m 1 'waiting for its source' <(tail -n +1 -f "$work/recv.log" \
        --pid="$receiver_pid")
    run 0 "$haul" cancel --db target
    ended "$receiver_pid" 9
    run 0 "$haul" status --db target --json
    equal "$(json '.jobs | length')" 0
}

# --- a disk that hangs ----------------------------------------------------------------------------

# A disk of its own for the target; `fsfreeze -f` makes its writes wait until thaw_target.
thaw_target() { ! mountpoint -q "$work/disk" || fsfreeze -u "$work/disk" 2>/dev/null || true; }
open_disk() {
    mkdir disk
    truncate -s 200M image
    { mkfs.ext4 -q image && mount -o loop image disk; } 2>mount.err || skip "no right to mount: $(tail -n 1 mount.err)"
    trap 'status=$?; thaw_target; end_processes; wait; umount -l "$work/disk"; exit $status' EXIT
}

# The job hangs with it; its sender does not, other senders learn that it still runs, and it
# continues later.
test_recv__disk_hangs__senders_are_answered_and_it_goes_on_later() {
    open_disk
    make_database source 6000
    make_database other 100
    receive_into disk/target "$own_host:0" --peer-timeout 300ms
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 1M --batch-min 64K \
        --batch-max 128K --peer-timeout 300ms --retry 1s >"$work/out" 2>"$work/err" </dev/null &
    local sender=$!
    sender_reaches '.running.phase == "copying"'
    fsfreeze -f "$work/disk"
    ended "$sender" 5
    run 5 "$haul" send --db other --to "$receiver_address" --transport tcp --retry 1s --json
    equal "$(json .error.code)" BUSY
    thaw_target
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp --retry "${limit}s" --json
    equal "$(json .resumed)" true
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
    same source disk/target
}

run_tests
