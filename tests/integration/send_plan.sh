#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# send_plan.sh — `haul send --plan`: many ranges of a database to several receivers, killed and run
# again, and what a plan may not say. The records are judged by store_reader, which has nothing of
# haul.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite send_plan "$@"

move_count=6
records_each=3000

# --- databases and receivers ----------------------------------------------------------------------

# make_source: six prefixes p0: ... p5: that move, and one that stays.
make_source() {
    local i fills=()
    for ((i = 0; i < move_count; i++)); do
        fills+=("fill p$i: $records_each 1000")
    done
    "$maker" source "${fills[@]}" 'fill stays: 100 100' flush
    "$reader" source | grep ' =' | LC_ALL=C sort >source.records
    grep '^70' source.records >moving.records
    equal "$(wc -l <moving.records)" $((move_count * records_each))
}

declare -A address pid

# receive NAME ARGUMENT...: a receiver into the database NAME, at the address that it had before.
receive() {
    start_receiver "$work/$1.log" --db "$1" --listen "${address[$1]:-$own_host:0}" --table-size 1M "${@:2}"
    [[ -n $receiver_address ]] || { cat "$work/$1.log"; fail 'the receiver did not start'; }
    address[$1]=$receiver_address
    pid[$1]=$receiver_pid
}

stop_receiver() { # NAME
    kill -TERM "${pid[$1]}"
    ended "${pid[$1]}" 143
}

# arrived NAME...: every record that moves is in exactly one of these databases, as it was in the
# source, and nothing else is there; and the source still has its own.
arrived() {
    local name
    for name in "$@"; do
        "$reader" "$name" | grep ' ='
    done | LC_ALL=C sort >arrived.records
    cmp moving.records arrived.records || fail 'other records arrived'
    "$reader" source | grep ' =' | LC_ALL=C sort | cmp - source.records ||
        fail 'the source has changed'
}

# --- plans ----------------------------------------------------------------------------------------

# moves LINE...: a plan of these moves.
moves() { printf '{"version": 1, "moves": [\n%s\n]}\n' "$(IFS=$'\n'; paste -sd, <<<"$*")" >plan.json; }

# move INDEX TO [MEMBERS]: of this prefix.
move() { printf '{"to": "%s", "prefix": "p%s:"%s}\n' "$2" "$1" "${3:-}"; }

# plan_to NAME...: the six moves, to these receivers in turn.
plan_to() {
    local i lines=()
    for ((i = 0; i < move_count; i++)); do
        lines+=("$(move "$i" "${address[${@:i % $# + 1:1}]}")")
    done
    moves "${lines[@]}"
}

plan_options=(--db source --plan plan.json --transport tcp --batch-min 16K --batch-max 32K --json)

send() { run "$1" "$haul" send "${plan_options[@]}" "${@:2}"; } # EXPECTED-CODE ARGUMENT...

# start_send ARGUMENT...: in the background; its events go to events.json.
start_send() {
    env --default-signal=INT "$haul" send "${plan_options[@]}" --retry "${limit}s" "$@" \
        >events.json 2>"$work/send.err" </dev/null &
    sender=$!
}

# events FILTER: how many lines of the output match.
events() { jq -c "select($1)" "$2" | wc -l; }

has_events() { (($(events "$1" events.json) >= $2)); } # FILTER COUNT

state_of() { json ".moves[$1].state"; } # INDEX

# --- the whole ------------------------------------------------------------------------------------

test_send_plan__two_receivers__each_record_arrives_once() {
    make_source
    receive one
    receive two
    plan_to one two
    send 0
    equal "$(json '.status + " " + (.done | tostring) + " " + (.done_before | tostring)')" 'ok 6 0'
    equal "$(json .records)" $((move_count * records_each))
    equal "$(events '.event == "begun"' "$work/out")" 6
    equal "$(events '.event == "ended" and .verified and .status == "ok"' "$work/out")" 6
    equal "$(jq -s '[.[] | select(.event == "ended") | .index] | sort | join(" ")' "$work/out")" '"0 1 2 3 4 5"'
    # Again: nothing is left to do, and no receiver is needed for that.
    stop_receiver one
    stop_receiver two
    send 0
    equal "$(events '.event == "done before"' "$work/out")" 6
    equal "$(events '.event == "begun"' "$work/out")" 0
    equal "$(json '.done_before')" 6
    arrived one two
    run 0 "$haul" status --db source
    grep -qx 'no job' "$work/out"
}

test_send_plan__one_receiver__takes_all_and_lines_say_so() {
    make_source
    receive one
    plan_to one
    run 0 "$haul" send --db source --plan plan.json --transport tcp
    equal "$(grep -c '^moves\[[0-5]\] (p[0-5]\\:;*.*: sent 3000 records, .*verified' "$work/out")" 6
    grep -q '^6 of 6 moves are done: sent 18000 records' "$work/out"
    grep -q 'haul drop --db source' "$work/out"
    run 0 "$haul" send --db source --plan plan.json --transport tcp
    equal "$(grep -c 'handed over before, to database .*; skipped$' "$work/out")" 6
    grep -q '^6 of 6 moves are done (6 of them before)' "$work/out"
    run 0 "$haul" send --db source --plan plan.json --transport tcp --quiet
    [[ ! -s $work/out && ! -s $work/err ]] || fail 'quiet is not quiet'
    stop_receiver one
    arrived one
}

# A receiver with one place: the others wait for it, longer than for --retry.
test_send_plan__receiver_with_one_place__the_moves_take_turns() {
    make_source
    receive one --jobs 1
    plan_to one
    send 0 --parallel 3 --rate 4M --retry 300ms
    equal "$(json .done)" 6
    (($(events '.event == "waiting"' "$work/out") > 0)) || fail 'none had to wait'
    stop_receiver one
    arrived one
}

test_send_plan__parallel__no_more_than_that_at_once() {
    make_source
    receive one --jobs 8
    plan_to one
    start_send --parallel 2 --rate 4M
    sender_reaches '.running.jobs | length == 2'
    local most=0 now
    while kill -0 "$sender" 2>/dev/null; do
        now=$("$haul" status --db source --json 2>/dev/null | jq '.running.jobs | length' || echo 0)
        ((${now:-0} <= most)) || most=$now
        sleep 0.05
    done
    ended "$sender" 0
    equal "$most" 2
    stop_receiver one
    arrived one
}

# The burst at the start of each job is not counted; after it the sum keeps to the limit.
test_send_plan__rate__is_the_limit_of_all_together() {
    make_source
    receive one
    receive two
    plan_to one two
    local began ended_ns bytes=$((move_count * records_each * 1000))
    began=$(date +%s%N)
    send 0 --rate 3M
    ended_ns=$(($(date +%s%N) - began))
    local rate=$((bytes * 1000 / (ended_ns / 1000000)))
    echo "$rate bytes a second"
    ((rate < 3 * 1048576 * 110 / 100)) || fail "$rate bytes a second of 3 MiB"
    ((rate > 3 * 1048576 * 60 / 100)) || fail "only $rate bytes a second of 3 MiB"
    stop_receiver one
    stop_receiver two
    arrived one two
}

# --- interruptions --------------------------------------------------------------------------------

test_send_plan__killed_in_the_middle__goes_on_where_it_was() {
    records_each=9000 # a receiver makes 4 MB durable at a time
    make_source
    receive one
    receive two
    plan_to one two
    start_send --rate 9M --parallel 3
    wait_for has_events '.event == "ended"' 2
    sender_reaches '[.running.jobs[] | select(.durable_records > 0)] | length > 0'
    kill_and_reap "$sender"
    local before
    before=$(events '.event == "ended" and .status == "ok"' events.json)
    send 0
    equal "$(json .done)" 6
    (($(events '.event == "done before"' "$work/out") >= before)) || fail 'a finished move ran again'
    (($(events '.event == "ended" and .resumed' "$work/out") > 0)) || fail 'nothing was resumed'
    stop_receiver one
    stop_receiver two
    arrived one two
}

# At other moments, one after the other, until all is done; receivers are killed as well.
test_send_plan__killed_again_and_again__comes_to_its_end() {
    make_source
    receive one
    receive two
    plan_to one two
    local turn code
    for ((turn = 1; turn <= 12; turn++)); do
        start_send --rate 6M --parallel 4
        (timeout 0.$((turn * 37 % 90 + 10)) tail -s 0.01 --pid="$sender" -f /dev/null) || true
        code=0
        if kill -9 "$sender" 2>/dev/null; then
            reap "$sender" || true
        else
            reap "$sender" || code=$?
            equal "$code" 0
        fi
        if ((turn % 3 == 0)); then
            kill_and_reap "${pid[one]}"
            receive one
        fi
    done
    send 0
    equal "$(json .done)" 6
    stop_receiver one
    stop_receiver two
    arrived one two
    run 0 "$haul" status --db source
    grep -qx 'no job' "$work/out"
}

# stall_at PLACE: a proxy in front of the receiver NAME, as in operations.sh.
stall_at() {
    exec {proxy_fd}< <(exec "$build/tests/fault_proxy" "${address[$1]}" "$2" stall "$work/mark" 2>&1)
    receivers+=("$!")
    read -r -u "$proxy_fd" front
    front=${front#listening on }
}

# Message 9 of the control channel is Commit.
test_send_plan__killed_between_decision_and_confirmation__is_finished_first() {
    make_source
    receive one
    receive two
    stall_at one control.up.9.0
    moves "$(move 0 "$front")" "$(move 1 "${address[two]}")"
    start_send --links 1
    wait_for test -e "$work/mark"
    wait_for has_events '.event == "ended" and .index == 1' 1
    kill_and_reap "$sender"
    kill_and_reap "${pid[one]}"
    receive one
    run 0 "$haul" status --db source
    grep -q '(yields)' "$work/out" || fail 'nothing is decided'
    plan_to one two
    run 0 "$haul" send "${plan_options[@]}" --dry-run
    equal "$(json '.moves | map(.state) | join(",")')" 'unconfirmed,done before,waiting,waiting,waiting,waiting'
    send 0
    equal "$(events '.event == "resolving" and .index == 0' "$work/out")" 1
    equal "$(json '.moves | map(.state) | join(",")')" 'done,done before,done,done,done,done'
    stop_receiver one
    stop_receiver two
    arrived one two
}

test_send_plan__receiver_gone_after_the_decision__in_doubt_and_others_go_on() {
    make_source
    receive one
    receive two
    stall_at one control.up.9.0
    moves "$(move 0 "$front")" "$(move 1 "${address[two]}")"
    start_send --links 1
    wait_for test -e "$work/mark"
    kill_and_reap "$sender"
    kill_and_reap "${pid[one]}"
    plan_to one two
    send 10 --retry 300ms
    one_error '3 of 6 moves are not done, first moves\[0\] .*the same command continues'
    equal "$(json '.moves | map(.state) | join(",")')" "failed,$(state_of 1),failed,done,failed,done"
    receive one
    send 0
    stop_receiver one
    stop_receiver two
    arrived one two
}

test_send_plan__interrupted_by_a_signal__keeps_what_has_arrived() {
    records_each=9000 # a receiver makes 4 MB durable at a time
    make_source
    receive one
    plan_to one
    start_send --rate 6M --parallel 2
    sender_reaches '[.running.jobs[] | select(.durable_records > 0)] | length == 2'
    kill -INT "$sender"
    ended "$sender" 130
    equal "$(tail -n 1 events.json | jq -r .error.code)" STOPPED
    tail -n 1 events.json | jq -r .error.hint | grep -q 'the same command continues'
    equal "$(tail -n 1 events.json | jq -r '[.moves[] | select(.state == "waiting")] | length')" 4
    send 0
    equal "$(events '.event == "ended" and .resumed' "$work/out")" 2
    stop_receiver one
    arrived one
}

# --- failures -------------------------------------------------------------------------------------

test_send_plan__one_target_refuses__the_others_go_on() {
    make_source
    "$maker" two 'put p1:x foreign' flush
    receive one
    receive two
    plan_to one one one two one one
    moves "$(move 0 "${address[one]}")" "$(move 1 "${address[two]}")" "$(move 2 "${address[one]}")"
    send 3
    one_error '1 of 3 moves are not done, first moves\[1\] \(p1.*already holds'
    grep -q '^haul: moves\[1\] .*: failed: ' "$work/err"
    equal "$(json '.moves | map(.state) | join(",")')" done,failed,done
    equal "$(json '.error.code + " " + .moves[1].error.code')" 'NOT_EMPTY NOT_EMPTY'
    # It may be overwritten after all: by this move alone.
    stop_receiver two
    receive two --allow-overwrite
    moves "$(move 0 "${address[one]}")" "$(move 1 "${address[two]}" ', "overwrite": true')" \
        "$(move 2 "${address[one]}")"
    send 0
    equal "$(json '.moves | map(.state) | join(",")')" 'done before,done,done before'
}

test_send_plan__stop_on_failure__no_further_move_begins() {
    make_source
    "$maker" two 'put p0:x foreign' flush
    receive one
    receive two
    plan_to two one one
    send 3 --stop-on-failure --parallel 1
    equal "$(json '.moves | map(.state) | join(",")')" failed,waiting,waiting,waiting,waiting,waiting
    one_error '6 of 6 moves are not done, first moves\[0\]'
}

test_cancel__one_job_of_a_plan__the_others_go_on() {
    make_source
    receive one
    plan_to one
    start_send --rate 1M --parallel 2
    sender_reaches '[.running.jobs[] | select(.records > 0)] | length == 2'
    "$haul" status --db source >"$work/status.txt"
    equal "$(grep -c "^  job .* to ${address[one]}, copying" "$work/status.txt")" 2
    local job
    job=$(jq -r '.running.jobs[0].job' "$work/status.json")
    run 0 "$haul" cancel --db source --job "${job:0:12}" --json
    equal "$(json .cancelled)" 1
    ended "$sender" 9
    equal "$(tail -n 1 events.json | jq -r '[.moves[] | select(.state == "done")] | length')" 5
    equal "$(tail -n 1 events.json | jq -r --arg job "$job" '.moves[] | select(.job == $job) | .error.code')" CANCELLED
    send 0 # anew
    stop_receiver one
    arrived one
}

test_cancel__whole_plan__no_further_move_begins() {
    make_source
    receive one
    plan_to one
    start_send --rate 1M --parallel 2
    sender_reaches '[.running.jobs[] | select(.records > 0)] | length == 2'
    run 0 "$haul" cancel --db source
    ended "$sender" 9
    equal "$(tail -n 1 events.json | jq -r '.error.code')" CANCELLED
    equal "$(tail -n 1 events.json | jq -r '[.moves[] | select(.state == "waiting")] | length')" 4
    run 0 "$haul" status --db source
    grep -qx 'no job' "$work/out"
    send 0
    stop_receiver one
    arrived one
}

# A single send has one job, too.
test_cancel__job_of_a_single_send__ends_it() {
    make_source
    receive one
    "$haul" send --db source --to "${address[one]}" --transport tcp --prefix p0: --rate 1M --json \
        >events.json 2>"$work/send.err" </dev/null &
    sender=$!
    sender_reaches '.running.records > 0'
    run 0 "$haul" cancel --db source --job "$(jq -r '.running.jobs[0].job' "$work/status.json")" --json
    equal "$(json .cancelled)" 1
    ended "$sender" 9
    stop_receiver one
}

# --- what is refused ------------------------------------------------------------------------------

# refused CODE PATTERN: at once, and nothing was begun.
refused() {
    send "$1"
    one_error "$2"
    equal "$(json .status)" failed
    [[ ! -e source/haul ]] || [[ -z $(find source/haul -name '*.journal' -o -name ownership) ]] ||
        fail 'something was begun'
}

test_send_plan__nonsense__refused_with_its_place() {
    make_source
    local to=127.0.0.1:1
    run 3 "$haul" send --db source --plan no-such-file
    one_error 'no-such-file'
    run 7 "$haul" send --db source --plan source
    : >plan.json
    refused 2 'plan.json:1:'
    head -c 2000 /dev/urandom >plan.json
    refused 2 'plan.json:'
    echo '{"version": 1, "moves": [{"to": "a:1", "to": "a:1"}]}' >plan.json
    refused 2 'plan.json:1:.*duplicate'
    echo '[]' >plan.json
    refused 2 'plan.json is no object'
    echo '{"moves": []}' >plan.json
    refused 2 'needs "version": 1'
    echo '{"version": 2, "moves": []}' >plan.json
    refused 3 'has version 2, this release reads 1'
    echo '{"version": 1, "moves": []}' >plan.json
    refused 2 'at least one move'
    echo '{"version": 1, "moves": [{}], "rate": 5}' >plan.json
    refused 2 'unknown member "rate"'
    moves "$(move 0 "$to")" '{"to": "a:1", "prefxi": "k"}'
    refused 2 'moves\[1\]: unknown member "prefxi": did you mean "prefix"'
    moves "$(move 0 "$to")" '{"prefix": "k"}'
    refused 2 'moves\[1\]: needs "to"'
    moves "{\"to\": \"$to\", \"range\": \"abc\"}"
    refused 2 "moves\[0\].range: 'abc' is not a range START:END"
    moves "{\"to\": \"$to\", \"range\": [\"a:b\", \"d:c\"]}"
    refused 2 "moves\[0\].range\[1\]: 'd:c' is not a range"
    moves "{\"to\": \"$to\", \"prefix\": [\"0xabc\"]}"
    refused 2 "moves\[0\].prefix\[0\]: '0xabc' is not a key prefix"
    moves "{\"to\": \"$to\", \"cf\": []}"
    refused 2 'moves\[0\].cf: is empty'
    moves "{\"to\": \"$to\", \"overwrite\": \"yes\"}"
    refused 2 'moves\[0\].overwrite: has to be true or false'
    moves '{"to": "nowhere"}'
    refused 2 'moves\[0\]'
    moves "$(move 0 "$to" ', "cf": "default"')" "{\"to\": \"$to\", \"cf\": \"absent\"}"
    refused 3 "no column family named 'absent'"
    moves "$(move 0 "$to")" '{"to": "192.0.2.1:7447", "prefix": "p1"}'
    refused 4 'moves\[1\] .*key'
}

test_send_plan__overlapping_ranges__refused_by_name() {
    make_source
    local to=127.0.0.1:1
    moves "$(move 0 "$to")" "$(move 1 "$to")" "{\"to\": \"$to\", \"range\": \"p0\\\\:5:p0\\\\:6\"}"
    refused 2 'moves\[0\] and moves\[2\] overlap'
    moves "$(move 0 "$to")" "{\"to\": \"$to\"}"
    refused 2 'moves\[0\] and moves\[1\] overlap'
    moves "{\"to\": \"$to\", \"cf\": [\"default\", \"b\"], \"prefix\": \"p\"}" \
        "{\"to\": \"$to\", \"cf\": \"b\", \"range\": \"a:p2\"}"
    refused 2 'moves\[0\] and moves\[1\] overlap in column family b: '
    moves "{\"to\": \"$to\", \"range\": [\"a:c\", \"b:d\"]}"
    refused 2 'moves\[0\] and moves\[0\] overlap'
}

test_send_plan__with_options_of_a_single_send__refused() {
    make_source
    moves "$(move 0 127.0.0.1:1)"
    run 2 "$haul" send --db source --plan plan.json --to 127.0.0.1:1
    one_error '--to cannot be used with --plan'
    run 2 "$haul" send --db source --plan plan.json --prefix p
    one_error '--range and --prefix cannot be used'
    run 2 "$haul" send --db source --to 127.0.0.1:1 --parallel 2
    one_error '--parallel belongs to --plan'
    run 2 "$haul" send --db source
    one_error 'needs --to ADDR:PORT, or --plan FILE'
}

test_send_plan__range_handed_over_in_part__refused_before_anything_begins() {
    make_source
    receive one
    run 0 "$haul" send --db source --to "${address[one]}" --transport tcp --range 'p0\:00000000:p0\:00000100'
    moves "$(move 1 "${address[one]}")" "$(move 0 "${address[one]}")"
    send 3
    one_error 'moves\[1\] \(p0.*handed over'
    equal "$(events '.event == "begun"' "$work/out")" 0
    stop_receiver one
}

test_send_plan__dry_run__shows_each_move_and_contacts_nobody() {
    make_source
    address[one]=127.0.0.1:1
    plan_to one
    run 0 "$haul" send --db source --plan plan.json --dry-run
    equal "$(grep -c '^moves\[[0-5]\] .* -> 127.0.0.1:1: about .* would be sent$' "$work/out")" 6
    grep -q '^0 of 6 moves are done; about ' "$work/out"
    run 0 "$haul" send --db source --plan plan.json --dry-run --json
    equal "$(json '[.dry_run, .done, (.moves | map(.state) | unique | join(","))] | join(" ")')" 'true 0 waiting'
}

# Several column families, some of them beside the ranges of others.
test_send_plan__column_families__each_where_the_plan_says() {
    "$maker" source 'fill d 500 100' 'create b' 'create c' 'use b' 'fill k 500 100' 'use c' 'fill k 500 100' flush
    receive one
    receive two
    moves "{\"to\": \"${address[one]}\", \"cf\": [\"b\"]}" \
        "{\"to\": \"${address[two]}\", \"cf\": \"c\", \"range\": \":k00000250\"}" \
        "{\"to\": \"${address[one]}\", \"cf\": [\"c\"], \"range\": [\"k00000250:k00000300\", \"k00000300:\"]}"
    send 0
    stop_receiver one
    stop_receiver two
    equal "$("$reader" --digest --family b one)" "$("$reader" --digest --family b source)"
    equal "$("$reader" --digest --family c --range :k00000250 two)" "$("$reader" --digest --family c --range :k00000250 source)"
    equal "$("$reader" --digest --family c --range k00000250: one)" "$("$reader" --digest --family c --range k00000250: source)"
    equal "$("$reader" one | grep -c ' =')" 750
    equal "$("$reader" two | grep -c ' =')" 250
}

run_tests
