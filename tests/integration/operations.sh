#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# operations.sh — walks through the states of docs/OPERATIONS.md: creates each with real processes,
# checks what haul prints, and takes the way out that the document names. A test's name begins with
# the state's.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite operations "$@"
document=$root/docs/OPERATIONS.md

# --- making states --------------------------------------------------------------------------------

# Where `haul send` goes: the receiver, or a proxy in front of it.
front=''
send_options=(--transport tcp --links 1 --readers 1 --retry 300ms --batch-min 16K --batch-max 32K)

receive() { # [DIR [ADDR:PORT [ARGUMENT...]]]
    receive_into "${1:-target}" "${2:-$own_host:0}" --once --allow-overwrite "${@:3}"
    front=$receiver_address
}

# stall_at PLACE: forward nothing any more from there on; fault_proxy.c describes places.
stall_at() {
    exec {proxy_fd}< <(exec "$build/tests/fault_proxy" "$receiver_address" "$1" stall "$work/mark" 2>&1)
    receivers+=("$!")
    read -r -u "$proxy_fd" front
    front=${front#listening on }
}

start_send() {
    "$haul" send --db source --to "$front" "${send_options[@]}" --json "$@" \
        >"$work/send.json" 2>"$work/send.err" </dev/null &
    sender=$!
}

send() { # EXPECTED-CODE ARGUMENT...
    local expected=$1
    shift
    run "$expected" "$haul" send --db source --to "$front" "${send_options[@]}" --json "$@"
}

# Slow enough to be caught in mid-copy.
start_copy() {
    make_database source 20000
    receive
    start_send --rate 4M "$@"
    sender_reaches '.running != null and .running.records > 2000'
}

# killed_at_the_mark: kill both sides when the line is held up at the place of the test.
killed_at_the_mark() {
    wait_for test -e "$work/mark"
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
}

# Messages of the control channel by number: 8 is Prepared, 9 Commit, 10 Committed. prepared: the
# target holds everything and waits; the sender was killed before Prepared arrived.
prepared() {
    make_database source 500
    receive
    stall_at control.down.8.0
    start_send --freeze-max 1m
    killed_at_the_mark
}

# decided ARGUMENT...: the source has recorded the decision, and its target does not know it.
decided() {
    make_database source 500
    receive
    stall_at control.up.9.0
    start_send "$@"
    killed_at_the_mark
}

# The job continues, up to the decision.
resumed_and_decided() {
    receive
    stall_at control.up.9.0
    "$haul" resume --db source --to "$front" --transport tcp --json >"$work/send.json" 2>"$work/send.err" </dev/null &
    sender=$!
    killed_at_the_mark
}

moved() { # ARGUMENT...: a range was handed over
    make_database source 500
    receive
    send 0 "$@"
    ended "$receiver_pid" 0
}

# --- looking --------------------------------------------------------------------------------------

# says DIR PATTERN: `haul status` prints it; and its way out begins with the command of the
# document.
says() {
    run 0 "$haul" status --db "$1"
    grep -qE -- "$2" "$work/out" || { cat "$work/out"; fail "status of $1 does not say /$2/"; }
}

no_job() { says "$1" '^no job$'; }

# in_document STATE COMMAND: the section of the state names this command.
in_document() {
    awk -v state="### $1: " 'index($0, state) == 1 { inside = 1; next } /^##/ { inside = 0 } inside' "$document" |
        tr -s ' \n' ' ' | grep -qF "\`$2" || fail "docs/OPERATIONS.md, $1: no '$2'"
}

# --- the source -----------------------------------------------------------------------------------

test_s1__sender_was_killed__resume_goes_on() {
    in_document S1 'haul resume'
    start_copy
    kill_and_reap "$sender"
    says source '^job .* source, .*COPYING \(serves\)'
    says source "^  go on: haul resume --db source --to ADDR:PORT$"
    run 0 "$haul" resume --db source --to "$front" --transport tcp --json
    equal "$(json .resumed)" true
    ended "$receiver_pid" 0
    same source target
    no_job source
    no_job target
}

test_s1__sender_was_stopped__cancel_gives_up() {
    in_document S1 'haul cancel'
    start_copy
    kill "$sender"
    ended "$sender" 143
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" cancel --db source
    run 0 "$haul" cancel --db target
    no_job source
    no_job target
    equal "$(records_of target)" 0
    opens source
}

test_s1__a_family_is_gone__resume_says_so() {
    make_database source 20000 2
    receive
    start_send --rate 4M
    sender_reaches '.running != null and .running.records > 2000'
    kill_and_reap "$sender"
    ldb --db=source drop_column_family column_family_name_000001 >/dev/null
    run 3 "$haul" resume --db source --to "$front" --transport tcp
    one_error "no column family named 'column_family_name_000001': it was dropped since.*haul send.*haul cancel"
    run 0 "$haul" cancel --db source
    kill_and_reap "$receiver_pid"
}

test_s2__decided_and_not_confirmed__resolve_finishes() {
    in_document S2 'haul resolve'
    decided
    says source '\(yields\)'
    says source '^  inform the receiver, which owns the ranges: haul resolve --db source --to ADDR:PORT$'
    send 10
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    equal "$(json '.records')" "$(records_of target)"
    same source target
    no_job source
    no_job target
}

test_s3__target_lost_after_the_decision__reclaim_takes_back() {
    in_document S3 'haul owner --db A --reclaim'
    decided
    rm -r target
    run 10 "$haul" cancel --db source
    run 3 "$haul" owner --db source --reclaim
    one_error 'accept-two-owners'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    no_job source
    receive
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_s3__target_lost_after_the_hand_over__reclaim_takes_back() {
    moved
    rm -r target
    receive
    send 3
    one_error 'owner'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_s4__given_up_and_not_told__the_next_job_tells() {
    in_document S4 'haul resolve'
    start_copy
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    run 0 "$haul" cancel --db source
    no_job source
    says source '^1 job is over, but the receiver does not know yet'
    run 3 "$haul" cancel --db source
    receive
    send 0
    equal "$(json .resumed)" false
    ended "$receiver_pid" 0
    same source target
    says source '^no job$'
    ! grep -q 'over' "$work/out" || fail 'it is not forgotten'
}

test_s4__receiver_has_forgotten__the_job_is_forgotten_too() {
    in_document S4 'haul cancel --db A --job ID --accept-two-owners'
    start_copy
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    run 0 "$haul" cancel --db source
    run 0 "$haul" owner --db target --forget --accept-two-owners
    receive
    run 3 "$haul" resolve --db source --to "$receiver_address"
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" status --db source --json
    local job
    job=$(json '.over[0].job')
    says source 'haul cancel --db source --job ID --accept-two-owners$'
    run 3 "$haul" cancel --db source --accept-two-owners
    one_error 'receiver does not know yet.*--job ID --accept-two-owners'
    run 3 "$haul" cancel --db source --job "$job"
    run 0 "$haul" cancel --db source --job "$job" --accept-two-owners
    says source '^no job$'
    ! grep -q 'over' "$work/out" || fail 'it is not forgotten'
}

test_s5__handed_over__drop_deletes_the_copy() {
    in_document S5 'haul drop'
    moved --range :0x4000000000000000
    local all kept
    all=$(records_of source)
    run 3 "$haul" drop --db source
    equal "$(records_of source)" "$all"
    run 0 "$haul" drop --db source --yes
    kept=$(records_of source)
    equal "$((all - kept))" "$(records_of target)"
    run 0 "$haul" drop --db source --yes # they are empty by now
    equal "$(records_of source)" "$kept"
}

# The application dropped the family that it had given away, and the copy with it.
test_s5__family_is_gone__nothing_is_left_to_delete() {
    in_document S5 'haul drop --db A --yes'
    "$maker" source 'family x' 'family y' 'use x' 'fill a 10 10' 'use y' 'fill a 10 10'
    receive
    send 0 --cf x --cf y
    received
    "$maker" source 'drop x'
    run 0 "$haul" drop --db source --cf x
    grep -q '^nothing left to delete' "$work/out" || { cat "$work/out"; fail 'not said'; }
    run 3 "$haul" drop --db source
    equal "$(grep -c 'still here: column family y' "$work/out")" 1
    run 0 "$haul" drop --db source --yes
    grep -q '^deleted 1 range' "$work/out" || { cat "$work/out"; fail 'not the other family'; }
    "$maker" source 'drop y'
    run 0 "$haul" drop --db source --yes --json
    equal "$(json '[.status, .ranges, .error] | tostring')" '["ok",0,null]'
    run 0 "$haul" owner --db source --json
    equal "$(json '[.ranges[].state] | unique | tostring')" '["released"]'
}

# The list before a deletion shows what the same command with --yes deletes.
test_drop__a_selection__listed_as_it_would_go() {
    moved --range :0x4000000000000000
    run 3 "$haul" drop --db source --range 0x10:0x1f
    grep -q 'still here: column family default, keys 0x10:0x1f$' "$work/out" || { cat "$work/out"; fail 'not the selection'; }
    run 3 "$haul" drop --db source --range 0x10:0x1f --range 0x30:0x50 --json
    equal "$(json '.would_delete | map(.start + "-" + .end) | join(" ")')" '0x10-0x1f 0x30-0x4000000000000000'
    equal "$(json '.error.code')" UNCONFIRMED
    for selection in '--range 0x50:0x60' '--cf other'; do
        # shellcheck disable=SC2086 # words of an option
        run 3 "$haul" drop --db source $selection
        one_error 'nothing of what is selected in source was handed over'
        equal "$(<"$work/out")" ''
    done
    local all
    all=$(records_of source)
    run 0 "$haul" drop --db source --range 0x10:0x1f --yes
    equal "$((all - $(records_of source)))" "$("$haul" verify --db target --with target --range 0x10:0x1f --json | jq .families[0].records)"
}

test_s6__sent_again__refused_with_the_owner() {
    in_document S6 'haul owner --db A'
    moved
    receive other
    send 3
    one_error 'owner|owns'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" owner --db source --json
    equal "$(json '.ranges[0].state')" released
    equal "$(json '.jobs[0].records')" "$(records_of target)"
    equal "$(json '.jobs[0].bytes > 100000')" true
    run 0 "$haul" owner --db target --json
    equal "$(json '.ranges[0].state')" imported
    equal "$(json '.jobs[0].records > 0')" true
    run 3 "$haul" owner --db target --adopt
    one_error '`haul owner --db target` shows'
    mkdir empty
    run 3 "$haul" owner --db empty
    one_error 'no RocksDB database in empty'
}

test_s7__taken_back__from_the_database_that_owns_it() {
    in_document S7 'haul send --db B --to A:PORT --overwrite --range START:END'
    moved
    receive source
    run 3 "$haul" send --db target --to "$front" --transport tcp
    one_error 'overwrite'
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    same source target
}

# Without a selection the command would also clear what the source owns, and nobody else has.
test_s7__a_part_was_given__only_that_comes_back() {
    local part=(--range :0x0000000000000080)
    make_database source 500
    receive
    send 0 "${part[@]}"
    ended "$receiver_pid" 0
    receive source
    run 3 "$haul" send --db target --to "$front" --transport tcp --overwrite
    one_error 'gave away a part of these ranges and owns the rest.*`--range`'
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite "${part[@]}"
    ended "$receiver_pid" 0
    run 0 "$haul" owner --db source --json
    equal "$(json '[.ranges[] | select(.state == "released")] | length')" 0
}

# The way back was interrupted: waiting ends nothing, and the job in the way is named.
test_s7__broke_off__drop_and_reclaim_name_the_job() {
    local command
    make_database source 20000
    receive
    send 0
    ended "$receiver_pid" 0
    receive source
    "$haul" send --db target --to "$front" --transport tcp --overwrite --rate 4M -q </dev/null 2>"$work/send.err" &
    sender=$!
    sender_reaches '.running != null and .running.records > 2000' target
    run 5 "$haul" owner --db source --reclaim --accept-two-owners
    one_error 'a process runs a job that brings a part of these ranges back here'
    kill_and_reap "$receiver_pid"
    kill "$sender"
    reap "$sender" || true
    for command in 'drop --db source --yes' 'owner --db source --reclaim --accept-two-owners'; do
        # shellcheck disable=SC2086 # words of a command
        run 3 "$haul" $command
        one_error 'is not finished: target-[0-9a-f]*.journal is (COPYING|PLANNED): .haul recv.*haul cancel'
    done
    run 0 "$haul" cancel --db source
    run 0 "$haul" drop --db source --yes
}

test_s8__target_lost_its_record__ends_as_handed_over() {
    in_document S8 'haul cancel --db A --job ID --accept-two-owners'
    make_database source 500
    receive
    stall_at control.down.10.0
    start_send
    wait_for test -e "$work/mark"
    kill_and_reap "$receiver_pid"
    ended "$sender" 10
    printf 'rotten' | dd of=target/haul/ownership bs=1 seek=20 conv=notrunc status=none
    run 0 "$haul" owner --db target --rebuild --accept-two-owners
    receive
    run 10 "$haul" resolve --db source --to "$front"
    one_error 'accept-two-owners'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    local job
    run 0 "$haul" status --db source --json
    job=$(json '.jobs[0].job')
    run 10 "$haul" cancel --db source --job "$job"
    one_error 'accept-two-owners'
    run 10 "$haul" cancel --db source --accept-two-owners
    run 0 "$haul" cancel --db source --job "${job:0:8}" --accept-two-owners
    no_job source
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'the ranges were taken back'
    same source target
    run 3 "$haul" drop --db source --yes
    one_error 'before its target had confirmed it.*haul resolve.*--accept-loss'
    run 0 "$haul" drop --db source --yes --accept-loss
    equal "$(records_of source)" 0
}

# The source has a decided job in its journal, and the target is set back to before that decision.
test_s2__target_set_back_to_an_earlier_attempt__not_believed() {
    prepared
    cp -a target backup
    rm "$work/mark"
    resumed_and_decided
    put_back
    receive
    run 10 "$haul" resolve --db source --to "$front"
    one_error 'was set back to before the decision.*--reclaim --accept-two-owners'
    kill_and_reap "$receiver_pid"
    says target 'PREPARED'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    run 0 "$haul" cancel --db target --accept-two-owners
    receive
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_s2__target_set_back_to_before_it_was_prepared__named() {
    start_copy
    kill_and_reap "$sender"
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    cp -a target backup
    resumed_and_decided
    rm -r target
    cp -a backup target
    run 0 "$haul" owner --db target --adopt --accept-two-owners
    receive
    run 10 "$haul" resolve --db source --to "$front"
    one_error 'only a part of the job and was set back.*--reclaim --accept-two-owners'
    kill_and_reap "$receiver_pid"
}

# A part was taken back before the target was informed, and the target is there after all.
test_s3__a_part_is_taken_back__has_one_owner_whatever_comes() {
    in_document S3 'haul cancel --db A --job ID --accept-two-owners'
    local part=(--range :0x0000000000000080) job
    decided
    run 0 "$haul" owner --db source --reclaim --accept-two-owners "${part[@]}"
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'a part of the job.s ranges was taken back.*haul cancel --db DIR --job ID --accept-two-owners'
    kill_and_reap "$receiver_pid"
    says target 'PREPARED'
    receive other # the source owns it, and may give it to another one
    send 0 "${part[@]}"
    ended "$receiver_pid" 0
    job=$("$haul" status --db source --json | jq -r '.jobs[0].job')
    run 0 "$haul" cancel --db source --job "$job" --accept-two-owners
    receive
    run 0 "$haul" resolve --db source --to "$front" --accept-two-owners
    ended "$receiver_pid" 0
    run 0 "$haul" owner --db target --json
    equal "$(json '[.ranges[] | .state + " " + .start + "-" + .end] | join(", ")')" \
        'released -0x0000000000000080, imported 0x0000000000000080-'
}

test_s3__all_is_taken_back_in_two_parts__the_job_ends() {
    decided
    run 0 "$haul" owner --db source --reclaim --accept-two-owners --range :0x0000000000000080
    says source 'RELEASED'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners --range 0x0000000000000080:
    no_job source
}

# decided_and_given_back [ARGUMENT...]: the source is set back to its decision; the target owned by
# it, and has given it back since.
decided_and_given_back() {
    decided
    journal=$(echo source/haul/*source*.journal)
    cp "$journal" early
    cp source/haul/ownership early-ownership
    ln "$journal" held
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    "$kv" put target newer value
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite "$@"
    ended "$receiver_pid" 0
    find source/haul -mindepth 1 -not -name instance -delete
    cat early >held
    mv held "$journal"
    mv early-ownership source/haul/ownership
}

# Only the operator knows whether the source had given it on.
test_c9__set_back_to_its_decision_and_all_came_back__in_doubt_until_it_is_reclaimed() {
    in_document C9 'haul owner --db A --reclaim --accept-two-owners'
    local journal
    decided_and_given_back
    for _ in 1 2; do # and again: the answer stays the same
        receive
        run 10 "$haul" resolve --db source --to "$front" --json
        jq -e '.error.message + .error.hint | test("nobody owns.*--reclaim --accept-two-owners")' "$work/out" >/dev/null ||
            { cat "$work/out"; fail 'the way out is not named'; }
        equal "$(json .verified)" false
        kill_and_reap "$receiver_pid"
    done
    says source 'nobody owns the ranges: the receiver has given them back'
    says source '^  its receiver has given everything back.*haul owner --db source --reclaim --accept-two-owners$'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    no_job source
    run 0 "$haul" owner --db source
    ! grep -q 'given away' "$work/out" || fail 'nobody owns'
    run 3 "$haul" drop --db source --yes
}

test_c9__set_back_to_its_decision_and_a_part_came_back__not_taken_for_done() {
    local journal
    decided_and_given_back --range :0x0000000000000080
    receive
    run 10 "$haul" resolve --db source --to "$front" --json
    jq -e '.error.message + .error.hint | test("nobody knows which.*--reclaim --accept-two-owners")' "$work/out" >/dev/null ||
        { cat "$work/out"; fail 'the way out is not named'; }
    equal "$(json .verified)" false
    kill_and_reap "$receiver_pid"
    # The commands that `status` names do not create a second owner of the rest.
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs[0].way_out')" 'haul owner --db source --reclaim --accept-two-owners --range R'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners --range :0x0000000000000080
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs[0].other_way_out')" \
        "haul cancel --db source --job $(json '.jobs[0].job[0:8]') --accept-two-owners"
    run 0 "$haul" cancel --db source --job "$(json '.jobs[0].job')" --accept-two-owners
    no_job source
    run 0 "$haul" owner --db source --json
    equal "$(json '[.ranges[] | .state + " " + .start + "-" + .end] | join(", ")')" 'released 0x0000000000000080-'
}

# --- the target -----------------------------------------------------------------------------------

test_t1__receiver_was_killed__started_again_it_goes_on() {
    in_document T1 'haul recv'
    start_copy --retry 1m
    kill_and_reap "$receiver_pid"
    says target 'target, .*\(yields\)'
    says target '^  let its source go on: haul recv --db target$'
    receive target "$front"
    ended "$sender" 0
    ended "$receiver_pid" 0
    same source target
}

test_t1__source_does_not_come_back__cancel_removes_what_arrived() {
    in_document T1 'haul cancel'
    start_copy
    kill "$sender"
    ended "$sender" 143
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 3 "$haul" owner --db target --forget # it would own half of the source's records
    one_error 'target-.* is not finished.*haul cancel --db DIR. removes it first'
    says target '^  safe here: [1-9][0-9]* records'
    run 0 "$haul" cancel --db target
    no_job target
    equal "$(records_of target)" 0
}

# With a receiver that only listens, `cancel` ends what is left there, and reports the result.
test_t1__receiver_listens_again__cancel_removes_what_arrived() {
    start_copy
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    receive_into target "$own_host:0"
    run 0 "$haul" cancel --db target --json
    equal "$(jq -r .cancelled "$work/out")" 1
    reap "$receiver_pid" || true
    no_job target
    equal "$(records_of target)" 0
    receive_into target "$own_host:0"
    run 0 "$haul" cancel --db target --json
    equal "$(json '[.status, .cancelled, .error] | tostring')" '["ok",0,null]'
    reap "$receiver_pid" || true
}

test_t2__receiver_listens_again__cancel_is_too_late() {
    prepared
    receive_into target "$own_host:0"
    run 10 "$haul" cancel --db target
    one_error 'too late: all records are here'
    reap "$receiver_pid" || true
}

test_t1__target_has_other_records_now__overwrite_replaces_them() {
    start_copy
    kill "$sender"
    ended "$sender" 143
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" cancel --db target
    "$kv" put target stranger value
    receive
    send 3
    one_error 'overwrite'
    send 0 --overwrite
    ended "$receiver_pid" 0
    same source target
}

test_t2__prepared__the_source_settles_it() {
    in_document T2 'haul resume'
    prepared
    says target 'PREPARED \(in doubt\)'
    says target '^  let its source come back and settle it: haul recv --db target$'
    run 10 "$haul" cancel --db target
    one_error 'haul status. on the source.*accept-two-owners'
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'not decided: .haul resume. continues it'
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    grep -q '^sent ' "$work/out" || fail 'the source says that it received'
    ended "$receiver_pid" 0
    same source target
    no_job source
    no_job target
}

test_t2__written_to_while_prepared__noticed_before_the_decision() {
    prepared
    "$kv" put target intruder value
    receive
    run 6 "$haul" resume --db source --to "$front" --transport tcp
    one_error "column family 'default' differs: .*something else has changed .* the target.s records"
    run 0 "$haul" owner --db source
    ! grep -q 'given away' "$work/out" || fail 'the source has given away what the target does not have'
    ended "$receiver_pid" 6
    receive
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_t2__written_to_when_decided__owned_with_a_warning_on_both_sides() {
    decided
    "$kv" put target intruder value
    says target 'something else has changed the database'
    equal "$("$haul" status --db target --json | jq -r '.jobs[0].changed')" true
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    jq -e '.warning | test("haul verify --db DIR --to")' "$work/out" >/dev/null ||
        fail 'the source does not warn'
    grep -q 'something else has written to the target, here or elsewhere' "$work/err" || fail 'nothing in the log'
    grep -q 'something else has written to the target, here or elsewhere' "$work/recv.log" ||
        fail 'the target does not warn'
    no_job source
}

# unchanged: haul's own writes to the target do not count as foreign.
unchanged() {
    equal "$("$haul" status --db target --json | jq -r '.jobs[0].changed')" false
}

# A stale copy is dropped, another job comes, and one is given up.
test_t2__haul_has_written_when_decided__no_warning() {
    "$kv" put target p-one 1 p-two 2
    receive other
    run 0 "$haul" send --db target --to "$front" --transport tcp --range p:q
    ended "$receiver_pid" 0
    decided --range :0x01
    unchanged
    run 0 "$haul" drop --db target --yes
    unchanged
    "$kv" put third m-one 1 m-two 2
    receive
    run 0 "$haul" send --db third --to "$front" --transport tcp --range m:n
    ended "$receiver_pid" 0
    unchanged
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    equal "$(jq -r .warning "$work/out")" null
}

# But it does not hide what another program did before it.
test_t2__haul_has_written_behind_another__warning() {
    decided --range :0x01
    "$kv" put target intruder value
    "$kv" put third m-one 1 m-two 2
    receive
    run 0 "$haul" send --db third --to "$front" --transport tcp --range m:n
    ended "$receiver_pid" 0
    equal "$("$haul" status --db target --json | jq -r '.jobs[0].changed')" true
}

test_t2__left_alone_when_decided__no_warning() {
    decided
    equal "$("$haul" status --db target --json | jq -r '.jobs[0].changed')" false
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    equal "$(jq -r .warning "$work/out")" null
}

# The backup of a prepared target is restored after the job was done: its source has only its
# record.
prepared_again() { # [ARGUMENT...]: of the source's copy of what is handed over
    prepared
    cp -a target backup
    receive
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
}

put_back() {
    rm -r target
    cp -a backup target
    run 0 "$haul" owner --db target --adopt --accept-two-owners
    says target 'PREPARED \(in doubt\)'
}

test_t7__set_back_to_prepared_and_the_source_has_dropped__its_record_answers() {
    in_document T7 'haul resolve --db A --to B:PORT --accept-two-owners'
    prepared_again
    local all
    all=$(records_of target)
    run 0 "$haul" drop --db source --yes
    put_back
    receive
    run 3 "$haul" resume --db source --to "$front" --transport tcp
    one_error 'no job to continue.*haul resolve'
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'has given on since has two owners.*no copy: --accept-two-owners'
    says target 'PREPARED'
    run 0 "$haul" resolve --db source --to "$front" --accept-two-owners --json
    ended "$receiver_pid" 0
    equal "$(json '"\(.yielded_jobs) \(.records)"')" "1 $all"
    jq -e '.warning | test("was set back to before it owned:.*haul verify --db DIR --to")' "$work/out" >/dev/null ||
        { cat "$work/out"; fail 'no warning'; }
    grep -q 'was set back to before it owned' "$work/recv.log" || fail 'the target does not warn'
    no_job target
    equal "$(records_of target)" "$all"
    run 0 "$haul" owner --db target
    grep -q 'taken over' "$work/out" || { cat "$work/out"; fail 'nobody owns'; }
    receive # it has nothing to report a second time
    run 0 "$haul" resolve --db source --to "$front" --json
    equal "$(json '"\(.job) \(.verified) \(.records)"')" 'null false 0'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    grep -q 'the source asked, and ended: no job' "$work/recv.log" || { cat "$work/recv.log"; fail 'not told'; }
    ! grep -q 'what it sent is kept' "$work/recv.log" || fail 'nothing was sent'
}

# The target has given a part back since, and the source's record shows that: that part does not
# become its own.
test_t7__set_back_and_a_part_had_come_back__owns_the_rest() {
    prepared_again
    local part=(--range :0x0000000000000080)
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite "${part[@]}"
    ended "$receiver_pid" 0
    put_back
    receive
    run 0 "$haul" resolve --db source --to "$front" --accept-two-owners
    ended "$receiver_pid" 0
    run 0 "$haul" owner --db target --json
    equal "$(json '[.ranges[] | .state + " " + .start + "-" + .end] | join(", ")')" \
        'released -0x0000000000000080, imported 0x0000000000000080-'
    run 0 "$haul" owner --db source --json
    equal "$(json '[.ranges[] | .state + " " + .start + "-" + .end] | join(", ")')" \
        'imported -0x0000000000000080, released 0x0000000000000080-'
}

# All of it came back: no two databases may own it, and nothing is removed silently.
test_t7__set_back_and_all_had_come_back__refused() {
    prepared_again
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    put_back
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'gave back later.*haul verify --to.*haul cancel --db DIR --accept-two-owners'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    says target 'PREPARED'
    run 0 "$haul" cancel --db target --accept-two-owners
}

# The backup is from before the job: by its record the source owns what it has given away. Nobody
# serves it.
test_s3__target_set_back_to_before_the_job__resolve_says_so() {
    make_database target 1
    make_database source 500
    receive
    send 0 --overwrite --range 0x00000000000010:
    ended "$receiver_pid" 0
    find target/haul -mindepth 1 -not -name instance -delete
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'set back to before that.*--reclaim --accept-two-owners'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
}

test_t3__prepared_and_the_source_is_lost__forced_cancel_removes_it() {
    in_document T3 'haul cancel --db B --accept-two-owners'
    prepared
    rm -r source
    run 10 "$haul" cancel --db target
    run 0 "$haul" cancel --db target --accept-two-owners
    no_job target
    equal "$(records_of target)" 0
    make_database source 300
    receive
    send 0
    ended "$receiver_pid" 0
    same source target
}

test_t4__owns_and_could_not_say_so__resolve_on_the_source() {
    in_document T4 'haul resolve'
    make_database source 500
    receive
    stall_at control.down.10.0
    start_send
    wait_for test -e "$work/mark"
    kill_and_reap "$receiver_pid"
    ended "$sender" 10
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    same source target
    no_job source
    no_job target
}

test_t5__a_job_brings_the_ranges__not_sent_on() {
    in_document T5 'send --db B'
    prepared
    run 10 "$haul" send --db target --to "$front" "${send_options[@]}"
    one_error 'is bringing a part of these ranges'
    receive
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
    send 3
}

# B dies between its journal's COMMITTED and its record, and A is gone before B is back.
owned_but_not_recorded() {
    strace -o /dev/null true 2>/dev/null || skip 'no right to trace a process'
    make_database source 500
    receive
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/trace" -p "$receiver_pid" \
        -P target/haul/ownership.tmp -e trace=rename -e inject=rename:signal=KILL 2>"$work/strace.err" &
    local tracer=$! i
    for ((i = 0; i < 1000; i++)); do
        ! grep -qE '^TracerPid:[[:space:]]*[1-9]' "/proc/$receiver_pid/status" || break
        sleep 0.02
    done
    send 10
    wait "$tracer" || true
    reap "$receiver_pid" || true
    says target COMMITTED
    rm -r source
}

test_t6__owned_but_not_recorded__receiver_finishes_it() {
    in_document T6 'haul recv --db B'
    owned_but_not_recorded
    receive
    local i
    for ((i = 0; i < 1000; i++)); do
        [[ -n $(find target/haul -name '*.journal') ]] || break
        sleep 0.02
    done
    kill_and_reap "$receiver_pid"
    no_job target
    run 0 "$haul" owner --db target
    grep -q 'taken over' "$work/out" || fail 'the range is not in the record'
}

test_t6__owned_but_not_recorded__cancel_finishes_it() {
    in_document T6 'haul cancel --db B'
    owned_but_not_recorded
    run 0 "$haul" cancel --db target
    no_job target
    run 0 "$haul" owner --db target
    grep -q 'taken over' "$work/out" || fail 'the range is not in the record'
}

# --- either side ----------------------------------------------------------------------------------

test_d1__damaged_journal__moved_aside() {
    in_document D1 'haul cancel --db DIR --job ID --accept-two-owners'
    start_copy
    kill_and_reap "$sender"
    local journal
    journal=$(find source -name '*.journal')
    printf 'rotten' | dd of="$journal" bs=1 seek=140 conv=notrunc status=none
    says source 'damaged'
    local id
    run 0 "$haul" status --db source --json
    id=$(json '.jobs[0].job')
    run 6 "$haul" resume --db source --to 127.0.0.1:1
    one_error "source-$id.journal is damaged.*haul cancel --db DIR --job ID --accept-two-owners"
    run 3 "$haul" cancel --db source --job "$id"
    run 0 "$haul" cancel --db source --job "$id" --accept-two-owners
    no_job source
    [[ -n $(find source/haul -name '*.damaged-*') ]] || fail 'it was not moved aside'
    opens source
}

# Files that no haul can have written, whatever their length says.
test_d1_and_d2__larger_than_such_a_file_can_be__damaged() {
    local id=0123456789abcdef0123456789abcdef
    make_database source 10
    mkdir -p source/haul
    truncate -s 30G "source/haul/source-$id.journal"
    says source 'damaged'
    run 0 "$haul" cancel --db source --job "$id" --accept-two-owners
    no_job source
    truncate -s 30G source/haul/ownership
    says source 'the ownership record is damaged.*haul owner --db source --rebuild'
    run 6 "$haul" owner --db source
    run 0 "$haul" owner --db source --rebuild --accept-two-owners
    run 0 "$haul" owner --db source
    opens source
}

# The record still shows that the target has not confirmed.
test_d1__journal_of_a_decided_job__drop_waits_for_the_target() {
    local journal id
    decided
    journal=$(find source -name '*.journal')
    printf 'rotten' | dd of="$journal" bs=1 seek=140 conv=notrunc status=none
    id=$("$haul" status --db source --json | jq -r '.jobs[0].job')
    run 6 "$haul" drop --db source --yes
    one_error "source-$id.journal is damaged.*haul cancel --db DIR --job ID --accept-two-owners"
    run 0 "$haul" cancel --db source --job "$id" --accept-two-owners
    run 3 "$haul" drop --db source --yes
    one_error 'before its target had confirmed it.*haul resolve --db DIR --to ADDR:PORT'
    receive
    run 0 "$haul" resolve --db source --to "$front" --accept-two-owners
    ended "$receiver_pid" 0
    run 0 "$haul" drop --db source --yes
    equal "$(records_of source)" 0
}

# Each of them ends by its own id; a common prefix of both names neither.
test_cancel__beginning_of_two_ids__refused() {
    make_database source 10
    mkdir -p source/haul
    local id
    for id in 5e1f0000000000000000000000000001 5e1f0000000000000000000000000002; do
        echo 'not a journal' >"source/haul/source-$id.journal"
    done
    run 0 "$haul" status --db source --json
    equal "$(json '.jobs | length')" 2
    run 2 "$haul" cancel --db source --job 5e1f --accept-two-owners
    one_error '--job 5e1f is the beginning of 2 ids'
    equal "$(find source/haul -name '*.damaged-*')" ''
    run 0 "$haul" cancel --db source --job "$id" --accept-two-owners
    equal "$(find source/haul -name '*.damaged-*' | wc -l)" 1
    run 0 "$haul" cancel --db source --job 5e1f --accept-two-owners
}

test_d2__damaged_record__rebuilt() {
    in_document D2 'haul owner --db DIR --rebuild'
    moved
    printf 'rotten' | dd of=source/haul/ownership bs=1 seek=20 conv=notrunc status=none
    run 6 "$haul" owner --db source
    one_error 'rebuild'
    run 3 "$haul" owner --db source --rebuild
    run 0 "$haul" owner --db source --rebuild --accept-two-owners
    run 0 "$haul" owner --db source
}

# rebuild_owner AT: the record of the receiver, which owns, is damaged from this byte on.
rebuild_owner() {
    moved
    printf 'rotten' | dd of=target/haul/ownership bs=1 seek="$1" conv=notrunc status=none
    run 0 "$haul" owner --db target --rebuild --accept-two-owners
    receive source
}

test_d2__owner_rebuilt__gives_its_newer_copy_back() {
    rebuild_owner 24
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    same source target
}

# Its counter starts again, as if it were set back.
test_d2__owner_rebuilt_without_its_counter__the_way_keeps_the_newer_copy() {
    in_document C9 'haul owner --db B --reclaim --accept-two-owners`, then the same `haul send --db A` again'
    rebuild_owner 20
    run 3 "$haul" send --db target --to "$front" --transport tcp --overwrite
    one_error 'if its record was rebuilt, its copy is newer: after that --reclaim here, send it again'
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    same source target
}

# The record is rebuilt from the journal of a decided job: the journal stays until then.
test_d2__damaged_record_of_a_decided_job__resolved_when_it_is_rebuilt() {
    decided
    printf 'rotten' | dd of=source/haul/ownership bs=1 seek=20 conv=notrunc status=none
    receive
    run 6 "$haul" resolve --db source --to "$front"
    one_error 'the ownership record source/haul/ownership is damaged.*--rebuild'
    run 0 "$haul" owner --db source --rebuild --accept-two-owners
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    no_job source
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'the ranges are not given away'
}

# Opening a FIFO blocks, and a dangling link looks like a missing record.
test_d2__fifo_or_link_in_place_of_the_record__damaged() {
    local make
    moved
    for make in mkfifo 'ln -s nowhere'; do
        rm source/haul/ownership
        $make source/haul/ownership
        run 6 timeout 20 "$haul" send --db source --to 127.0.0.1:1
        one_error 'source/haul/ownership is not a regular file.*haul owner'
        run 0 "$haul" owner --db source --rebuild --accept-two-owners
        run 0 "$haul" owner --db source
    done
}

test_c4__fifo_or_link_in_place_of_the_instance__adopted() {
    local make
    moved
    for make in mkfifo 'ln -s nowhere'; do
        rm source/haul/instance
        $make source/haul/instance
        run 3 timeout 20 "$haul" send --db source --to 127.0.0.1:1
        one_error 'source/haul/instance is damaged'
        run 0 "$haul" owner --db source --adopt --accept-two-owners
        equal "$(origin_of source)" same
    done
}

# put_in_place PATH KIND: put something that is not a file there.
put_in_place() {
    rm -rf "$1"
    case $2 in
    directory) mkdir "$1" && touch "$1/something" ;;
    fifo) mkfifo "$1" ;;
    link) ln -s "$work/elsewhere" "$1" ;;
    nowhere) ln -s /nowhere/at/all "$1" ;;
    esac
}

kinds=(directory fifo link nowhere)

# Somebody could write to haul/ once. Nothing of the kind is followed, or stops a command.
test_d3__anything_in_place_of_a_temporary_name__removed() {
    local kind name
    for kind in "${kinds[@]}"; do
        rm -rf source target
        "$kv" put source k1 v1 k2 v2
        mkdir -p source/haul target/haul
        for name in instance.tmp ownership.tmp; do
            put_in_place "source/haul/$name" "$kind"
            put_in_place "target/haul/$name" "$kind"
        done
        start_receiver "$work/recv.log" --db target --listen "$own_host:0" --once
        run 0 "$haul" send --db source --to "$receiver_address" --transport tcp
        received
        [[ ! -e $work/elsewhere ]] || fail 'the link was followed'
        equal "$(find source/haul target/haul -name '*.tmp')" ''
    done
}

# One command each, which the hint and docs/OPERATIONS.md have.
test_d3__anything_in_place_of_lock_or_secret__refused_with_the_way_out() {
    local kind name
    for kind in "${kinds[@]}"; do
        for name in ownership.lock secret; do
            rm -rf source target
            "$kv" put source a 1 c 2
            start_receiver "$work/recv.log" --db target --listen "$own_host:0"
            run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --range a:b
            put_in_place "source/haul/$name" "$kind"
            run 6 "$haul" send --db source --to "$receiver_address" --transport tcp --range c:d
            one_error "source/haul/$name is not a regular file.*mv DIR/haul/$name DIR/haul/$name.aside.*D3"
            mv "source/haul/$name" "source/haul/$name.aside"
            run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --range c:d
            kill "$receiver_pid"
            end_process "$receiver_pid" || true
            [[ ! -e $work/elsewhere ]] || fail 'the link was followed'
        done
    done
}

# all_refuse CODE PATTERN: every command that acts on the source's record.
all_refuse() {
    local verb
    for verb in 'send --to 127.0.0.1:1 --retry 1ms' 'recv --listen 127.0.0.1:0 --once' \
        'resume --to 127.0.0.1:1 --retry 1ms' 'resolve --to 127.0.0.1:1 --retry 1ms' 'drop --yes'; do
        # shellcheck disable=SC2086 # words
        run "$1" "$haul" ${verb%% *} --db source ${verb#* }
        one_error "$2"
    done
}

test_d3__no_file_is_called_instance__adopted_or_forgotten() {
    moved --range :0x4000000000000000
    cp source/haul/instance elsewhere
    local kind
    for kind in "${kinds[@]}"; do
        put_in_place source/haul/instance "$kind"
        all_refuse 3 'instance is damaged.*--adopt --accept-two-owners'
        run 0 "$haul" owner --db source --adopt --accept-two-owners
        grep -q 'given away' "$work/out" || fail 'the record is gone'
        equal "$(origin_of source)" same
    done
    put_in_place source/haul/instance directory
    run 0 "$haul" owner --db source --forget --accept-two-owners
    equal "$(origin_of source)" same
    compgen -G 'source/haul/instance.damaged-*/something' >/dev/null || fail 'what lay there is gone'
}

test_d3__no_file_is_called_ownership__rebuilt_or_forgotten() {
    moved --range :0x4000000000000000
    cp source/haul/ownership elsewhere
    local kind
    for kind in "${kinds[@]}"; do
        put_in_place source/haul/ownership "$kind"
        all_refuse 6 'haul owner'
        run 6 "$haul" owner --db source
        one_error 'haul owner --db DIR --rebuild'
        run 0 "$haul" owner --db source --rebuild --accept-two-owners
        run 0 "$haul" owner --db source
    done
    put_in_place source/haul/ownership directory
    run 0 "$haul" owner --db source --forget --accept-two-owners
    run 0 "$haul" owner --db source
}

test_d3__no_file_is_called_like_a_journal__moved_aside_or_forgotten() {
    start_copy
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    local journal kind id
    journal=$(echo source/haul/*source*.journal)
    id=$(basename "$journal" .journal)
    cp "$journal" elsewhere
    for kind in "${kinds[@]}"; do
        put_in_place "$journal" "$kind"
        says source DAMAGED
        run 6 "$haul" send --db source --to 127.0.0.1:1 --retry 1ms
        run 3 "$haul" cancel --db source
        one_error 'accept-two-owners'
        run 0 "$haul" cancel --db source --job "${id#source-}" --accept-two-owners
        no_job source
        rm -rf "$journal".damaged-*
    done
    put_in_place "$journal" directory
    run 0 "$haul" owner --db source --forget --accept-two-owners
    no_job source
}

test_d3__haul_is_no_directory__moved_away() {
    moved --range :0x4000000000000000
    cp -a source/haul elsewhere
    local kind
    for kind in fifo link nowhere; do
        put_in_place source/haul "$kind"
        all_refuse 6 'haul is not a directory.*move it away'
        local verb
        for verb in status owner 'owner --adopt' 'owner --forget' 'owner --rebuild' cancel; do
            # shellcheck disable=SC2086 # words
            run 6 "$haul" ${verb%% *} --db source $([[ $verb == *' '* ]] && echo "${verb#* } --accept-two-owners")
            one_error 'haul is not a directory.*move it away'
        done
        [[ -e elsewhere/ownership ]] || fail 'a link was followed'
    done
    rm source/haul
    run 0 "$haul" owner --db source
}

test_d3__current_is_no_file__repaired_by_rocksdb() {
    make_database source 100
    cp source/CURRENT elsewhere
    local kind
    for kind in directory fifo; do
        put_in_place source/CURRENT "$kind"
        all_refuse 6 'CURRENT is not a regular file.*restore a backup'
        run 6 "$haul" verify --db source --with source
        one_error 'CURRENT is not a regular file.*restore a backup'
    done
    rm source/CURRENT
    cp elsewhere source/CURRENT
    run 0 "$haul" verify --db source --with source
}

test_c1__copy_with_a_job__forget_makes_it_its_own() {
    in_document C1 'haul owner --db DIR --forget'
    start_copy
    kill_and_reap "$sender"
    cp -a source copy
    says copy 'haul owner --db copy --forget'
    run 3 "$haul" resume --db copy --to "$front"
    run 3 "$haul" owner --db copy --forget
    one_error 'accept-two-owners'
    run 0 "$haul" owner --db copy --forget --accept-two-owners
    no_job copy
    # The original continues.
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
    same source target
}

# origin_of DIR: what `haul owner` reports.
origin_of() { "$haul" owner --db "$1" --json | jq -r .origin; }

# refused_whole DIR WORDS: every command that would act on the record reports why it does not, and
# what to do.
refused_whole() {
    local dir=$1 words=$2 before
    before=$(find "$dir" -type f -printf '%P %s %i\n' | sort)
    run 3 "$haul" send --db "$dir" --to "$own_host:1" --transport tcp --retry 300ms
    one_error "$words.*--forget.*--adopt"
    run 3 "$haul" send --db "$dir" --to "$own_host:1" --dry-run
    one_error "$words"
    run 3 "$haul" resume --db "$dir" --to "$own_host:1" --transport tcp --retry 300ms
    one_error "$words"
    run 3 "$haul" resolve --db "$dir" --to "$own_host:1" --retry 300ms
    one_error "$words"
    run 3 "$haul" recv --db "$dir" --listen "$own_host:0" --once
    one_error "$words"
    run 3 "$haul" drop --db "$dir" --yes
    [[ -z $("$haul" owner --db "$dir" --json | jq -r '.ranges[] | select(.state == "released")') ]] ||
        one_error "$words"
    run 3 "$haul" owner --db "$dir" --reclaim --accept-two-owners
    one_error "$words"
    run 0 diff <(grep -E '^haul/' <<<"$before") \
        <(find "$dir" -type f -printf '%P %s %i\n' | sort | grep -E '^haul/')
}

# Two copies of one database would both hand over what is left.
test_c1__copy_without_a_job__hands_nothing_over() {
    moved --range :0x4000000000000000
    local all
    all=$(records_of source)
    cp -a source copy
    equal "$(origin_of source)" same
    equal "$(origin_of copy)" copy
    run 0 "$haul" owner --db copy
    grep -q 'haul owner --db copy --forget' "$work/out" || fail 'the way out is not named'
    refused_whole copy 'is a copy'
    equal "$(records_of copy)" "$all"
    run 0 "$haul" owner --db copy --forget --accept-two-owners
    equal "$(origin_of copy)" same
    receive other
    run 0 "$haul" send --db copy --to "$front" --transport tcp
    ended "$receiver_pid" 0
    equal "$(records_of other)" "$all"
    # The target's copy, too.
    cp -a target copied-target
    run 3 "$haul" recv --db copied-target --listen "$own_host:0" --once
    one_error 'is a copy'
}

test_c1__moved_within_its_file_system__the_same_database() {
    start_copy
    kill_and_reap "$sender"
    mv source elsewhere
    equal "$(origin_of elsewhere)" same
    run 0 "$haul" resume --db elsewhere --to "$front" --transport tcp
    ended "$receiver_pid" 0
    same elsewhere target
}

# Before haul was used on either, nothing distinguishes them, and nothing is at stake.
test_c1__seeded_with_a_copy__two_databases() {
    make_database source 500
    cp -a source target
    receive
    send 0 --overwrite
    ended "$receiver_pid" 0
    same source target
    # Back again, and once more.
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    equal "$(origin_of source)" same
    equal "$(origin_of target)" same
    "$haul" owner --db source --json | jq -r .identity >"$work/one"
    "$haul" owner --db target --json | jq -r .identity >"$work/two"
    equal "$(cut -d/ -f1 "$work/one")" "$(cut -d/ -f1 "$work/two")"
    [[ $(<"$work/one") != "$(<"$work/two")" ]] || fail 'both have one name'
    # A refused job leaves no name behind.
    make_database third 10
    receive target
    run 3 "$haul" send --db third --to "$front" --transport tcp
    [[ ! -e third/haul ]] || fail "a refused source keeps $(ls third/haul)"
}

test_c1__rehearsal_on_copies__both_forget_it() {
    moved
    run 3 "$haul" owner --db source --forget
    one_error 'accept-two-owners'
    run 0 "$haul" owner --db source --forget --accept-two-owners
    run 0 "$haul" owner --db target --forget --accept-two-owners
    run 0 "$haul" owner --db source --json
    equal "$(json '.ranges | length')" 0
    receive
    send 0 --overwrite
    ended "$receiver_pid" 0
}

test_c2__original_moved_elsewhere__adopted() {
    in_document C2 'haul owner --db DIR --adopt'
    start_copy
    kill_and_reap "$sender"
    cp -a source elsewhere
    rm -r source
    run 3 "$haul" resume --db elsewhere --to "$front"
    run 0 "$haul" owner --db elsewhere --adopt --accept-two-owners
    run 0 "$haul" resume --db elsewhere --to "$front" --transport tcp
    ended "$receiver_pid" 0
    same elsewhere target
}

test_c2__backup_restored_in_its_place__adopted() {
    moved --range :0x4000000000000000
    cp -a source backup
    rm -r source
    cp -a backup source
    equal "$(origin_of source)" copy
    run 3 "$haul" owner --db source --adopt
    one_error 'accept-two-owners'
    run 0 "$haul" owner --db source --adopt --accept-two-owners
    equal "$(origin_of source)" same
    # It knows what it gave away.
    receive other
    send 3
    one_error 'handed over'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" drop --db source --yes
}

# The files of the database are older than those in haul/.
test_c3__set_back_to_an_earlier_state__adopted() {
    in_document C3 'haul owner --db DIR --adopt'
    make_database source 500
    make_database target 10
    cp -a target before
    receive
    send 0 --overwrite
    ended "$receiver_pid" 0
    find target -mindepth 1 -maxdepth 1 -not -name haul -exec rm -r {} +
    cp -a before/. target/
    equal "$(origin_of target)" reset
    refused_whole target 'set back to an earlier state'
    run 3 "$haul" owner --db target --adopt
    one_error 'incomplete'
    run 0 "$haul" owner --db target --adopt --accept-two-owners
    equal "$(origin_of target)" same
    receive
    run 0 "$haul" owner --db source --reclaim --accept-two-owners
    send 0 --overwrite
    ended "$receiver_pid" 0
    same source target
}

# No write was lost, so only the list of tables shows it; and opening for writing begins a new list.
test_c3__list_of_tables_set_back__noticed_before_it_is_opened() {
    "$maker" source 'fill k 200 10' flush
    cp -a source before
    "$maker" source compact
    receive
    send 0 --range k00000050:k00000100
    ended "$receiver_pid" 0
    find source -mindepth 1 -maxdepth 1 -not -name haul -exec rm -r {} +
    cp -a before/. source/
    equal "$(origin_of source)" reset
    run 3 "$haul" drop --db source --yes
    one_error 'set back to an earlier state'
    equal "$(origin_of source)" reset
    equal "$(records_of source)" 200
    refused_whole source 'set back to an earlier state'
}

test_c4__identity_is_new__adopted_or_cancelled() {
    in_document C4 'haul owner --db DIR --adopt'
    start_copy
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    rm target/IDENTITY
    says target 'haul owner --db target --adopt --accept-two-owners$'
    opens target # RocksDB makes a new one
    printf 'another-identity' >target/IDENTITY
    equal "$(origin_of target)" other
    says target 'haul owner --db target --adopt --accept-two-owners$'
    equal "$("$haul" status --db target --json | jq -r '.jobs[0].condition')" foreign
    refused_whole target 'is of database'
    run 0 "$haul" owner --db target --adopt --accept-two-owners
    equal "$(origin_of target)" same
    says target 'target, .*\(yields\)'
    receive
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
    same source target
}

test_c4__another_database_beside_the_record__drop_deletes_nothing() {
    moved
    make_database new 300
    find source -mindepth 1 -maxdepth 1 -not -name haul -exec rm -r {} +
    cp -a new/. source/
    local all
    all=$(records_of source)
    equal "$(origin_of source)" other
    refused_whole source 'is of database'
    equal "$(records_of source)" "$all"
    run 0 "$haul" owner --db source --forget --accept-two-owners
    run 3 "$haul" drop --db source --yes
    equal "$(records_of source)" "$all"
}

# A snapshot of the disk keeps the inode numbers. Here the test removes the hand-over by hand.
test_c5__source_set_back_with_its_record__refused_by_the_target() {
    in_document C5 'haul owner --db A --forget'
    moved --range :0x4000000000000000
    rm source/haul/ownership
    receive
    send 3 --range :0x4000000000000000 --overwrite
    one_error 'restored from before that, or set back'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    receive
    run 0 "$haul" owner --db source --forget
    send 0 --range :0x4000000000000000 --overwrite
    ended "$receiver_pid" 0
}

# undecided and set_back: the job's file from before the decision, in the same inode, and no record
# of the hand-over: as a snapshot of the disk has them.
undecided() {
    start_copy
    kill_and_reap "$sender"
    journal=$(echo source/haul/*source*.journal)
    cp "$journal" early
    ln "$journal" held
}

# The same job, which its source has continued to the end.
handed_over() {
    undecided
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
}

set_back() {
    find source/haul -mindepth 1 -not -name instance -delete
    cat early >held
    mv held "$journal"
}

test_c6__source_set_back_to_before_its_decision__yields_again() {
    in_document C6 'haul resolve --db A --to B:PORT'
    local journal
    handed_over
    set_back
    says source 'haul resume'
    receive
    run 10 "$haul" resume --db source --to "$front" --transport tcp
    one_error 'set back to an earlier state'
    ended "$receiver_pid" 0
    says source 'haul resolve'
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    equal "$(jq -c '[.verified, .yielded_jobs]' "$work/out")" '[false,1]' # as without the resume
    jq -e '.warning | test("haul verify --to")' "$work/out" >/dev/null || fail 'no warning'
    no_job source
    receive other
    send 3
    one_error 'handed over'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
}

# Its target answers: nobody needs to know that the source was set back.
test_c6__set_back_and_resolved__yields_at_once() {
    local journal
    handed_over
    set_back
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    equal "$(jq -r .yielded_jobs "$work/out")" 1
    jq -e '.warning | test("haul verify --to")' "$work/out" >/dev/null || fail 'no warning'
    no_job source
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'the hand-over is not recorded'
}

# The target is also asked if the job is open and nobody was set back; the receiver waits on.
test_c6__open_and_resolved__stays_as_it_is() {
    start_copy
    kill_and_reap "$sender"
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'not decided: .haul resume. continues it'
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
    same source target
}

# The source was set back to before it got the ranges back: its copy is the older one, and every
# command reports so.
set_back_to_before_the_return() {
    handed_over
    "$kv" put target newer value
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    set_back
}

test_c9__set_back_to_before_it_got_them_back__warned_and_refused() {
    in_document C9 'haul owner --db B --reclaim --accept-two-owners'
    local journal
    set_back_to_before_the_return
    receive
    run 3 "$haul" resume --db source --to "$front" --transport tcp # its log has a gap: it starts again
    one_error 'no record of ranges that it got from this one'
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    jq -e '.warning | test("set back to before it got ranges back.*haul verify --to")' "$work/out" >/dev/null ||
        { cat "$work/out"; fail 'resolve does not warn'; }
    # The newer copy is not replaced.
    receive
    send 3 --overwrite
    one_error 'no record of ranges that it got from this one.*restored from before that, or set back.*--reclaim'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" owner --db target --reclaim --accept-two-owners
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    same source target
}

# Of what came back only the target has the newer copy: it takes that back, and sends everything.
test_c9__set_back_to_before_a_part_came_back__the_newer_copy_is_brought() {
    in_document C7 'haul owner --db B --reclaim --accept-two-owners'
    local journal
    handed_over
    "$kv" put target newer value
    give_back 0x01:
    set_back
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'newer there: .haul owner --db DIR --reclaim --accept-two-owners. there, then .haul send --overwrite'
    kill_and_reap "$receiver_pid"
    run 0 "$haul" owner --db target --reclaim --accept-two-owners
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    run 0 "$haul" cancel --db source --accept-two-owners \
        --job "$("$haul" status --db source --json | jq -r '.jobs[0].job')"
    same source target
    "$kv" scan source | grep -q "newer.*value" || fail "it is not the newer copy"
}

# No job is open, and each record names the other database as the owner.
test_c9__both_say_that_it_was_given_away__resolve_names_the_way() {
    handed_over
    cp source/haul/ownership early-ownership
    "$kv" put target newer value
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    find source/haul -mindepth 1 -not -name instance -delete
    mv early-ownership source/haul/ownership
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'set back to before it got ranges back.*--reclaim'
    end_process "$receiver_pid" || true # it records what it was told, and ends
    run 3 "$haul" drop --db target --yes
    one_error 'set back to before it got them: the newer copy is here.*--accept-loss'
    run 0 "$haul" owner --db target --reclaim --accept-two-owners
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    same source target
    run 0 "$haul" drop --db target --yes # what was reclaimed and given away again is gone
}

test_c9__drop_is_told_to_accept_the_loss__deletes_it() {
    local journal
    set_back_to_before_the_return
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    run 3 "$haul" drop --db target --yes
    run 0 "$haul" drop --db target --yes --accept-loss
    equal "$(records_of target)" 0
}

# The version of a database shows how many jobs it had, but not which.
test_c9__other_jobs_came_between__refused_all_the_same() {
    local journal
    set_back_to_before_the_return
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    for _ in 1 2 3; do
        receive other
        send 0 --range 0x01:0x02 --overwrite
        ended "$receiver_pid" 0
        run 0 "$haul" owner --db source --reclaim --accept-two-owners
    done
    receive
    send 3 --overwrite
    one_error 'no record of ranges that it got from this one.*set back'
    send 3 --range 0x01:0x02 # none of it is in doubt, but everything else between the two is
    kill "$receiver_pid"
    ended "$receiver_pid" 143
}

test_c5__other_jobs_came_between__refused_all_the_same() {
    moved --range :0x4000000000000000
    rm source/haul/ownership
    for _ in 1 2; do
        receive other
        send 0 --range 0x50:0x51 --overwrite
        ended "$receiver_pid" 0
        run 0 "$haul" owner --db source --reclaim --accept-two-owners
    done
    receive
    send 3 --range :0x4000000000000000 --overwrite
    one_error 'no record of ranges that it gave to this one.*set back.*haul owner --db DIR --forget'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
}

# The target was set back, and has nothing to decide: its source starts a job for the next range.
test_s3__target_set_back_to_before_it_got_them__refused_and_nothing_is_dropped() {
    moved --range :0x4000000000000000
    rm target/haul/ownership
    receive
    send 3 --range 0x50:0x51
    one_error 'this database has no record of a job with the source'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 3 "$haul" drop --db source --yes
    one_error 'the newer copy is here, and perhaps the only one'
}

test_c9__resolve_comes_first__warned_too() {
    local journal
    set_back_to_before_the_return
    receive
    run 0 "$haul" resolve --db source --to "$front"
    grep -q 'set back to before it got ranges back' "$work/err" || { cat "$work/err"; fail 'resolve does not warn'; }
    ended "$receiver_pid" 0
    no_job source
}

test_c7__set_back_and_given_up__the_record_says_so_again() {
    in_document C7 'haul resolve --db A --to B:PORT'
    local journal
    handed_over
    set_back
    run 0 "$haul" cancel --db source
    receive
    # A new job does not make the target forget by which job it owns.
    send 3 --range 0x01:0x02
    one_error 'set back to before its decision.*haul resolve'
    kill_and_reap "$receiver_pid"
    # That was an answer: no third database gets the ranges, and nothing ends the job silently.
    says source 'ABORTED \(in doubt\)'
    receive other
    send 3
    one_error 'restored or set back while the job was open.*haul resolve'
    kill_and_reap "$receiver_pid"
    run 3 "$haul" cancel --db source
    one_error 'restored or set back while the job was open'
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    no_job source
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'two owners'
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    same source target
}

# Its target gave the ranges back before that: it no longer owns them by the old job.
test_c7__given_back_before_it_was_resolved__stay_here() {
    local journal
    handed_over
    set_back
    run 0 "$haul" cancel --db source
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite
    ended "$receiver_pid" 0
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ! grep -q 'set back to before it got' "$work/err" || fail 'warned of what it has'
    ended "$receiver_pid" 0
    no_job source
    run 0 "$haul" owner --db source
    ! grep -q 'given away' "$work/out" || fail 'no owner'
    run 0 "$haul" owner --db target
    grep -q 'given away' "$work/out" || fail 'two owners'
}

# give_back RANGE: S7 for a part.
give_back() {
    receive source
    run 0 "$haul" send --db target --to "$front" --transport tcp --overwrite --range "$1"
    ended "$receiver_pid" 0
}

# It gave something back, and still has something else: it cannot know of which job. Nothing is
# released on a guess, and the message names the way out.
test_c7__a_part_given_back__nothing_is_released() {
    local journal
    handed_over
    set_back
    run 0 "$haul" cancel --db source
    give_back :0x0000000000002000
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'has since given ranges to this database.*send --overwrite --range R'
    run 0 "$haul" owner --db source
    ! grep -q 'given away' "$work/out" || fail 'released on a guess'
    kill_and_reap "$receiver_pid"
    says source 'ABORTED \(in doubt\)'
    give_back 0x0000000000002000:
    run 0 "$haul" cancel --db source --accept-two-owners \
        --job "$("$haul" status --db source --json | jq -r '.jobs[0].job')"
    no_job source
}

# What its target has reported holds: the job is in doubt, and nothing creates a second owner
# without the operator's consent.
test_c7__a_part_given_back_and_said__asks_for_the_word() {
    local journal
    handed_over
    set_back
    give_back :0x0000000000002000
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'has since given ranges to this database.*send --overwrite --range R'
    kill_and_reap "$receiver_pid"
    says source 'COPYING \(in doubt\)'
    says source 'haul send --overwrite --range R.*haul cancel --db source --job [0-9a-f]* --accept-two-owners$'
    run 3 "$haul" cancel --db source
    one_error 'has since given ranges to this database.*accept-two-owners'
    run 3 "$haul" owner --db source --forget
    one_error 'in doubt'
    receive other
    send 3
    one_error 'has since given ranges to this database'
    kill_and_reap "$receiver_pid"
    give_back 0x0000000000002000:
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    no_job source
    run 0 "$haul" owner --db source
    ! grep -q 'given away' "$work/out" || fail 'no owner'
}

# A mid-job backup is restored and adopted after the job was decided: only the target knows.
restored_and_adopted() {
    start_copy
    kill_and_reap "$sender"
    cp -a source backup
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
    rm -r source
    cp -a backup source
    run 0 "$haul" owner --db source --adopt --accept-two-owners
}

test_c8__restored_and_adopted__cancel_asks_first() {
    in_document C8 'haul resolve --db A --to B:PORT'
    restored_and_adopted
    says source 'COPYING \(in doubt\)'
    says source 'haul resolve --db source --to ADDR:PORT$'
    run 3 "$haul" cancel --db source
    one_error 'restored or set back while the job was open.*haul resolve.*accept-two-owners'
    # Nor does it go to a third database.
    make_database other 1
    receive other
    send 3 --overwrite --range :0x4000000000000000
    one_error 'restored or set back while the job was open'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'two owners'
}

test_c8__restored_adopted_and_asked__cancel_needs_no_word() {
    start_copy
    kill_and_reap "$sender"
    cp -a source backup
    rm -r source
    cp -a backup source
    run 0 "$haul" owner --db source --adopt --accept-two-owners
    run 3 "$haul" cancel --db source
    start_send --rate 4M
    sender_reaches '.running != null and .running.records > 2000'
    kill_and_reap "$sender"
    run 0 "$haul" cancel --db source
    kill_and_reap "$receiver_pid"
}

# No command had asked its target yet when the command was stopped.
test_c8__cancelled_before_its_target_answers__stays() {
    restored_and_adopted
    receive
    stall_at control.down.2.0
    "$haul" resume --db source --to "$front" --transport tcp >"$work/send.json" 2>"$work/send.err" </dev/null &
    sender=$!
    wait_for test -e "$work/mark"
    run 3 "$haul" cancel --db source
    one_error 'restored or set back while the job was open'
    ended "$sender" 3
    grep -q 'restored or set back while the job was open' "$work/send.err" || { cat "$work/send.err"; fail 'no word of it'; }
    kill_and_reap "$receiver_pid"
    says source 'in doubt'
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'two owners'
}

test_c8__restored_and_the_target_is_lost__cancelled_by_the_operators_word() {
    restored_and_adopted
    rm -r target
    run 0 "$haul" cancel --db source --accept-two-owners
}

# Two jobs of other ranges were open in the backup; the target owns by the second, and not by the
# first.
two_restored() {
    local low=(--range :0x0000000000002000) high=(--range 0x0000000000002000:) # of 20,000
    start_copy "${low[@]}"
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    receive
    start_send --rate 4M "${high[@]}"
    sender_reaches '.running != null and .running.records > 2000'
    kill_and_reap "$sender"
    cp -a source backup
    send 0 "${high[@]}"
    ended "$receiver_pid" 0
    rm -r source
    cp -a backup source
    run 0 "$haul" owner --db source --adopt --accept-two-owners
}

# resolve_owned: finds the job by which the target owns, whichever is asked about first.
resolve_owned() {
    receive
    run 0 "$haul" resolve --db source --to "$front" --json
    ended "$receiver_pid" 0
    equal "$(jq -r .yielded_jobs "$work/out")" 1
    run 0 "$haul" owner --db source --json
    equal "$(jq '[.ranges[] | select(.state == "released")] | length' "$work/out")" 1
}

test_c8__two_jobs_restored__the_owned_one_is_found_and_the_other_was_asked() {
    two_restored
    resolve_owned
    receive
    run 3 "$haul" resolve --db source --to "$front"
    one_error 'not decided: .haul resume. continues it'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" cancel --db source # no flag: its target was asked
}

test_c7__two_jobs_given_up__the_owned_one_is_found() {
    two_restored
    run 0 "$haul" cancel --db source --accept-two-owners
    resolve_owned
    receive
    run 0 "$haul" resolve --db source --to "$front"
    kill_and_reap "$receiver_pid"
    no_job source
}

# A job whose target is lost cannot inform anybody, and is in nobody's way.
test_c8__a_job_of_a_lost_target_is_over__the_other_one_is_asked() {
    make_database source 20000
    receive other
    start_send --rate 4M
    sender_reaches '.running != null and .running.records > 2000'
    kill_and_reap "$sender"
    kill_and_reap "$receiver_pid"
    rm -r other
    run 0 "$haul" cancel --db source
    receive
    start_send --rate 4M
    sender_reaches '.running != null and .running.records > 2000'
    kill_and_reap "$sender"
    cp -a source backup
    run 0 "$haul" resume --db source --to "$front" --transport tcp
    ended "$receiver_pid" 0
    rm -r source
    cp -a backup source
    run 0 "$haul" owner --db source --adopt --accept-two-owners
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'two owners'
}

# The record of the hand-over is there, and the journal is older.
test_c6__journal_older_than_the_record__decided_all_the_same() {
    local journal
    handed_over
    cp source/haul/ownership kept
    set_back
    cp kept source/haul/ownership
    says source 'COMMITTED \(yields\)'
    says source '^  inform the receiver, which owns the ranges: haul resolve --db source --to ADDR:PORT$'
    run 10 "$haul" cancel --db source
    receive
    run 0 "$haul" resolve --db source --to "$front"
    ended "$receiver_pid" 0
    no_job source
}

# Its target owned, and was made to forget its jobs: it has another name now.
test_s8__target_has_forgotten_its_jobs__named_by_resolve() {
    make_database source 500
    receive
    stall_at control.down.10.0
    start_send
    wait_for test -e "$work/mark"
    kill_and_reap "$receiver_pid"
    ended "$sender" 10
    run 0 "$haul" owner --db target --forget --accept-two-owners
    receive
    run 10 "$haul" resolve --db source --to "$front"
    one_error 'forgotten its jobs.*haul cancel --db DIR --job ID --accept-two-owners'
    kill "$receiver_pid"
    ended "$receiver_pid" 143
    run 0 "$haul" cancel --db source --accept-two-owners \
        --job "$("$haul" status --db source --json | jq -r '.jobs[0].job')"
    no_job source
}

# So does the operator's consent for a target that has lost its record (S8).
test_s8__journal_older_than_the_record__ends_as_handed_over() {
    local journal
    handed_over
    cp source/haul/ownership kept
    set_back
    cp kept source/haul/ownership
    run 0 "$haul" cancel --db source --accept-two-owners \
        --job "$("$haul" status --db source --json | jq -r '.jobs[0].job')"
    no_job source
    run 0 "$haul" owner --db source
    grep -q 'given away' "$work/out" || fail 'two owners'
}

# --- the document ---------------------------------------------------------------------------------

test_document__every_state__has_a_test_here() {
    local state count=0
    while read -r state; do
        count=$((count + 1))
        compgen -A function "test_${state,,}__" >/dev/null || fail "$state has no test"
    done < <(sed -nE 's/^### ([A-Z][0-9]): .*/\1/p' "$document")
    ((count >= 13)) || fail "only $count states"
}

run_tests
