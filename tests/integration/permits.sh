#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# permits.sh — what a receiver lets senders do: replace records, send these column families and these
# ranges. What it does not allow is refused at the plan, and its database is as it was.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite permits "$@"

contents() { # everything that a reader finds, and the column families
    "$reader" target
    ldb --db=target list_column_families
}

stop_receiver() {
    kill -TERM "$receiver_pid"
    received 143
}

# A target with three records and one unfinished job, and a source with two families.
make_pair() {
    "$kv" put target k1 ours k5 ours z9 ours
    "$maker" source 'put k1 theirs' 'put k3 theirs' 'put m1 theirs' 'create other' 'put k1 theirs' flush
}

# refused ERROR-PATTERN ARGUMENT...: of a send, with exit code 3; the receiver keeps listening
refused() {
    send 3 --retry 300ms "${@:2}"
    one_error "$1"
    grep -qE -- "job ended: .*$1|refused: .*$1" "$work/recv.log" ||
        { cat "$work/recv.log"; fail "the receiver does not log /$1/"; }
}

test_recv__by_default__nothing_is_overwritten() {
    make_pair
    receive_into target "$own_host:0"
    refused 'already holds records of the range' --cf default
    refused 'the receiver does not allow --overwrite: .*already holds records' --cf default --overwrite
    grep -q 'recv.*--allow-overwrite\|receiver with .--allow-overwrite' "$work/err" || fail 'no remedy'
    # A range without records needs no permission.
    send 0 --cf default --range k2:k5 --overwrite
    stop_receiver
    equal "$("$kv" scan target | tr '\n' '|')" 'k1 : ours|k3 : theirs|k5 : ours|z9 : ours|'
    receive --allow-overwrite
    send 0 --cf default --range k0:k2 --overwrite
    received
    equal "$("$kv" scan target | tr '\n' '|')" 'k1 : theirs|k3 : theirs|k5 : ours|z9 : ours|'
}

test_recv__with_a_key__nothing_is_overwritten_either() {
    make_pair
    run 0 "$haul" keygen key
    receive_into target "$own_host:0" --key key
    refused 'the receiver does not allow --overwrite' --cf default --overwrite --key key
    stop_receiver
    equal "$("$kv" scan target | tr '\n' '|')" 'k1 : ours|k5 : ours|z9 : ours|'
}

test_recv__only_cf__others_are_refused_and_not_made() {
    local before
    make_pair
    before=$(contents)
    receive_into target "$own_host:0" --only-cf default --only-cf more --allow-overwrite
    refused "the receiver does not take column family 'other'" --overwrite
    refused "the receiver does not take column family 'other'" --cf other
    stop_receiver
    equal "$(contents)" "$before"
    run 0 "$haul" status --db target --json
    equal "$(json '.jobs | length')" 0
    receive --only-cf other
    send 0 --cf other
    received
}

test_recv__only_range__what_it_covers_and_nothing_else() {
    local before
    make_pair
    before=$(contents)
    # Two that touch, one inside of another, one beside.
    receive_into target "$own_host:0" --allow-overwrite --only-range k:l --only-range l:m2 --only-range k2:k4 \
        --only-range x:y
    refused 'the receiver does not take all keys from its beginning to its end' --cf default --overwrite
    refused "the receiver does not take all keys from 'k' to 'm3'" --cf default --range k:m3 --overwrite
    refused "the receiver does not take all keys from 'x' to its end" --cf default --range x: --overwrite
    refused "the receiver does not take all keys from 'w' to 'x'" --cf default --range k3:k4 --range w:x --overwrite
    stop_receiver
    equal "$(contents)" "$before"
    receive --allow-overwrite --only-range k:l --only-range l:m2
    send 0 --cf default --range k1:m2 --overwrite
    received
    equal "$("$kv" scan target | tr '\n' '|')" 'k1 : theirs|k3 : theirs|m1 : theirs|z9 : ours|'
}

test_recv__only_cf_and_range__comparisons_too() {
    make_pair
    receive_into target "$own_host:0" --only-cf other
    run 3 "$haul" verify --db source --to "$receiver_address" --cf default
    one_error "the receiver does not take column family 'default'"
    run 3 "$haul" verify --db source --to "$receiver_address"
    one_error "the receiver does not take column family 'default'"
    stop_receiver
    # What the receiver does not take is no difference, and its name stays with the receiver.
    "$maker" target 'create payroll' 'put k1 ours' flush
    receive_into target "$own_host:0" --only-cf default
    run 6 "$haul" verify --db source --to "$receiver_address" --cf default
    run 3 "$haul" verify --db source --to "$receiver_address"
    one_error "the receiver does not take column family 'other', or lacks it"
    "$maker" single 'put k1 ours' 'put k5 ours' 'put z9 ours' flush
    run 0 "$haul" verify --db single --to "$receiver_address" --json
    [[ ! $(cat "$work/out" "$work/err") == *payroll* ]] || fail 'the receiver names another family'
    stop_receiver
    receive_into target "$own_host:0" --only-cf default --only-range k:l
    run 3 "$haul" verify --db source --to "$receiver_address" --cf default
    one_error 'the receiver does not take all keys'
    run 6 "$haul" verify --db source --to "$receiver_address" --cf default --range k:l
    stop_receiver
}

# It has cleared its range already: the permission is no longer needed.
test_resume__of_a_job_that_overwrote__needs_no_permission() {
    make_database source 20000
    "$kv" put target 0 ours
    receive --allow-overwrite
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4MB --overwrite >send.out 2>send.err &
    sender=$!
    sender_reaches '.running.records > 100'
    kill -TERM "$sender"
    ended "$sender" 143
    kill -TERM "$receiver_pid"
    received 143
    receive --only-range 0xff:
    run 3 "$haul" resume --db source --to "$receiver_address"
    one_error 'the receiver does not take all keys'
    kill -TERM "$receiver_pid"
    received 143
    receive
    run 0 "$haul" resume --db source --to "$receiver_address" --json
    equal "$(json .resumed)" true
    received
    same source target
}

test_recv__ranges_that_are_none__usage() {
    local range
    for range in '' b b:a a:b:c; do
        run 2 "$haul" recv --db target --listen "$own_host:0" --only-range "$range"
    done
    [[ ! -e target ]]
}

run_tests
