#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# many_databases.sh — any number of databases, in any order: real processes, judged by RocksDB's own
# reader. Every job commits or is refused at the plan.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite many_databases "$@"

# fill DIR PREFIX [COUNT]
fill() {
    local words=() i
    for ((i = 0; i < ${3:-20}; i++)); do
        words+=("$2$(printf '%03d' "$i")" "$1-$2-$i")
    done
    "$kv" put "$1" "${words[@]}"
}

# receive DIR [ARGUMENT...]: for one job, in the background
receive() { receive_into "$1" "$own_host:0" --once --allow-overwrite "${@:2}"; }

# move FROM TO [ARGUMENT...]
move() {
    receive "$2"
    run 0 "$haul" send --db "$1" --to "$receiver_address" --transport tcp --json "${@:3}"
    equal "$(json .verified)" true
    end_process "$receiver_pid" || { cat "$work/recv.log"; fail 'the receiver failed'; }
}

# refused CODE FROM TO [ARGUMENT...]: at the plan; the target reads as before
refused() {
    local code=$1 from=$2 to=$3 before
    shift 3
    before=$("$reader" "$to")
    receive "$to"
    run "$code" "$haul" send --db "$from" --to "$receiver_address" --transport tcp --retry 300ms "$@"
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    equal "$("$reader" "$to")" "$before"
}

# count DIR PREFIX: the number of records that a reader finds
count() { "$reader" --range "$2:${2}~" "$1" | grep -c ' =' || true; }

# owns DIR PREFIX STATE
owns() {
    run 0 "$haul" owner --db "$1" --json
    equal "$(json '[.ranges[]? | select(.state == "released")] | length > 0')" "$3"
}

no_jobs_left() {
    local directory
    for directory in "$@"; do
        [[ -z $(find "$directory/haul" -name '*.journal' -print -quit) ]] || fail "$directory has a job left"
    done
}

test_databases__fan_in_of_three_fresh_ones__all_arrive() {
    local name
    for name in a b c; do
        fill "$name" "$name"
        move "$name" target --prefix "$name"
    done
    for name in a b c; do
        equal "$(count target "$name")" 20
        owns "$name" "$name" true
    done
    owns target a false
    no_jobs_left a b c target
}

test_databases__fan_out_and_a_chain__all_arrive() {
    fill a k 40
    move a b --range k000:k010
    move a c --range k010:k020
    move a d --range k020:
    move b e
    move e f
    equal "$(count f k)" 10
    equal "$(count c k)" 10
    equal "$(count d k)" 20
    # Ranges that were given away are not sent again.
    refused 3 a e --range k000:k010
    refused 3 b c
    no_jobs_left a b c d e f
}

test_databases__part_is_taken_back__the_rest_stays_away() {
    fill a k 30
    move a b
    fill b n 5
    move b a --range k010:k020 --overwrite
    equal "$(count a k)" 30 # the stale copy of the rest, too
    refused 3 a b --range k000:k005
    move a b --range k010:k020 --overwrite
    run 0 "$haul" drop --db a --yes
    equal "$(count a k)" 0
    equal "$(count b k)" 30
    equal "$(count b n)" 5
}

test_databases__same_range_ten_times_back_and_forth__each_owns_in_turn() {
    local i
    fill a k
    for ((i = 0; i < 5; i++)); do
        move a b --prefix k --overwrite
        move b a --prefix k --overwrite
    done
    equal "$(count a k)" 20
    run 0 "$haul" owner --db a --json
    equal "$(json '.ranges | length')" 1
    equal "$(json '.jobs | length')" 10
    (($(json .config_version) >= 10)) || fail 'the version does not grow'
    no_jobs_left a b
}

# RocksDB's identity is the same, and neither has a record of haul.
test_send__to_a_copy_of_before_haul__received() {
    fill a k
    cp -r a b
    move a b --overwrite
    equal "$(count a k)" 20
    equal "$(count b k)" 20
}

# The job to the first target is interrupted there; another range goes to the second one meanwhile.
test_resume__job_of_another_target__goes_on_only_with_its_own() {
    make_database a 3000
    receive one
    exec {proxy_fd}< <(exec "$build/tests/fault_proxy" "$receiver_address" control.down.8.0 stall "$work/mark" 2>&1)
    receivers+=("$!")
    read -r -u "$proxy_fd" front
    "$haul" send --db a --to "${front#listening on }" --range 0x00:0x000000000000ff --transport tcp \
        --freeze-max 1m >"$work/send.out" 2>&1 </dev/null &
    sender=$!
    wait_for test -e "$work/mark"
    kill -9 "$sender" "$receiver_pid"
    fill b k
    move b two
    # A range other than the prepared one may come to the first target.
    fill c zz
    move c one --prefix zz
    # The job continues only with its own target.
    receive two
    run 3 "$haul" resume --db a --to "$receiver_address" --transport tcp --retry 300ms
    one_error 'begun with database'
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    receive one
    run 0 "$haul" resume --db a --to "$receiver_address" --transport tcp
    end_process "$receiver_pid"
    no_jobs_left a one two
}

# A copy of the source does not continue the original's job, and forgets it.
test_clone__unfinished_job_of_the_original__not_acted_on() {
    make_database a 3000
    receive target
    exec {proxy_fd}< <(exec "$build/tests/fault_proxy" "$receiver_address" control.down.8.0 stall "$work/mark" 2>&1)
    receivers+=("$!")
    read -r -u "$proxy_fd" front
    "$haul" send --db a --to "${front#listening on }" --transport tcp --freeze-max 1m \
        >"$work/send.out" 2>&1 </dev/null &
    sender=$!
    wait_for test -e "$work/mark"
    kill -9 "$sender" "$receiver_pid"
    cp -r a clone
    cp -r target target-clone
    run 3 "$haul" send --db clone --to "$own_host:1" --transport tcp
    one_error 'is a copy'
    run 3 "$haul" owner --db clone --forget
    run 0 "$haul" owner --db clone --forget --accept-two-owners
    run 3 "$haul" recv --db target-clone --listen "$own_host:0"
    one_error 'is a copy'
    run 0 "$haul" owner --db target-clone --forget --accept-two-owners
    receive target-clone
    run 3 "$haul" resume --db a --to "$receiver_address" --transport tcp --retry 300ms
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    receive target
    run 0 "$haul" resume --db a --to "$receiver_address" --transport tcp
    end_process "$receiver_pid"
    same clone target
}

test_owner__damaged_record__refused_and_made_again() {
    fill a k
    move a b --range k000:k010
    printf 'damaged' | dd of=a/haul/ownership bs=1 seek=12 conv=notrunc 2>/dev/null
    receive b
    run 6 "$haul" send --db a --to "$receiver_address" --transport tcp --range k010: --retry 300ms
    one_error 'damaged.*--rebuild'
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    run 3 "$haul" owner --db a --rebuild
    run 0 "$haul" owner --db a --rebuild --accept-two-owners
    move a b --range k010:
    equal "$(count b k)" 20
}

run_tests
