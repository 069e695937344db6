#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# examples.sh — runs the programs of examples/ as their head comments say.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite examples "$@"
examples=$build/examples

# owner_state DIR: "released", "imported" or nothing, for its first range.
owner_state() {
    run 0 "$haul" owner --db "$1" --json
    json '.ranges[0].state // ""'
}

test_copy_range__one_prefix__arrives_and_changes_owner() {
    "$kv" put a order:1 x user:1 ann user:2 bob zebra z
    run 0 "$examples/copy_range" a b user: 'user;'
    equal "$(cat out)" '2 records, verified'
    equal "$("$kv" scan b)" $'user:1 : ann\nuser:2 : bob'
    equal "$(owner_state a)" released
    equal "$(owner_state b)" imported
}

test_copy_range__no_such_database__says_so() {
    run 1 "$examples/copy_range" none b a z
    grep -q "^copy_range: .*none" err
}

test_copy_range__range_that_was_given_away__refused() {
    "$kv" put a user:1 ann
    run 0 "$examples/copy_range" a b user: 'user;'
    run 1 "$examples/copy_range" a c user: 'user;'
    grep -q '^copy_range: ' err
}

test_embed__under_writes__loses_no_key_and_knows_its_owner_again() {
    start_receiver recv.log --db b --listen 127.0.0.1:0 --once
    "$kv" put a other:1 x
    run 0 "$examples/embed" a "$receiver_address"
    ended "$receiver_pid" 0
    local written refused
    grep -q '^OK, pause ' out
    read -r written refused < <(sed -nE 's/^([0-9]+) written, ([0-9]+) refused$/\1 \2/p' out)
    ((written > 0 && refused > 0)) || fail "$written written, $refused refused"
    equal "$("$kv" scan b | wc -l)" "$written"
    run 0 "$examples/embed" a 127.0.0.1:1
    grep -qE '^0 written, [1-9][0-9]* refused$' out
}

test_event_loop__whole_database__moves() {
    make_database a 5000
    start_receiver recv.log --db b --listen 127.0.0.1:0 --once
    run 0 "$examples/event_loop" a "$receiver_address"
    ended "$receiver_pid" 0
    grep -qE '^[a-z ]+: [0-9]+ of about [0-9]+ bytes$' out
    grep -qE '^OK: [0-9]+ records$' out
    same a b
}

test_event_loop__interrupted__keeps_what_has_arrived() {
    make_database a 5000
    start_receiver recv.log --db b --listen 127.0.0.1:0
    kill -STOP "$receiver_pid"
    env --default-signal=INT "$examples/event_loop" a "$receiver_address" >out 2>err &
    local loop=$! code=0
    wait_for grep -q ' of about ' out
    kill -INT "$loop"
    kill -CONT "$receiver_pid"
    end_process "$loop" || code=$?
    ((code == 0 || code == 1)) || fail "exit code $code"
    grep -qE '^(STOPPED|OK): ' out
}

test_readme__quoted_example__stands_in_the_file() {
    local line count=0
    while IFS= read -r line; do
        count=$((count + 1))
        grep -qxF -- "$line" "$root/examples/copy_range.c" || fail "README.md quotes '$line'"
    done < <(sed -n '/struct haul_target_options take/,/haul_migration_result/p' "$root/README.md")
    ((count > 10)) || fail "only $count lines are quoted"
}

run_tests
