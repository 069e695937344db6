#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# edges.sh — the smallest and the largest keys, records and ranges, also if the receiver dies in the
# middle; and the memory and disk that a job may use.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite edges "$@"

# receive OPTION...: a receiver at an address that the next one can reuse.
receive() {
    receive_into target "${address:-$own_host:0}" --once "$@"
    address=$receiver_address
}

# moves OPTION...: everything moves, and both read alike.
moves() {
    receive
    send 0 "$@"
    received
    reads_alike
}

# moves_range RANGE
moves_range() {
    receive
    send 0 --range "$1"
    received
    reads_alike --range "$1"
}

# moves_though_killed RECORDS OPTION...: the receiver is killed when that many records are safe on
# it, and restarted while the sender still runs.
moves_though_killed() {
    local records=$1
    shift
    receive --table-size 1M
    "$haul" send --db source --to "$address" --transport tcp --json "$@" >"$work/out" \
        2>"$work/err" </dev/null &
    sender=$!
    sender_reaches ".running.durable_records >= $records"
    kill_and_reap "$receiver_pid"
    receive --table-size 1M
    end_process "$sender" || { cat "$work/err"; fail "the sender ended with $?"; }
    received
    equal "$(json '.retries >= 1 and .resumed')" true
}

# --- keys -----------------------------------------------------------------------------------------

test_empty_key__receiver_killed_behind_it__is_not_lost() {
    "$maker" source 'put \e first' 'fill k 30000 1000' flush
    moves_though_killed 1 --rate 6M
    reads_alike
    "$reader" target >target.records
    grep -q '^ =6669727374$' target.records || fail 'the record of the empty key is not there'
}

test_empty_key__alone__moved() {
    "$maker" source 'put \e \e'
    moves
}

# Streams are cut between keys like these, and begin at them.
test_long_keys__several_readers__moved() {
    local commands=() i
    for ((i = 0; i < 200; i++)); do
        commands+=("large_key $((70000 + i)) v$i" "large_key $((9000 + i)) w$i")
    done
    "$maker" source 'options write_buffer_size=1000000' "${commands[@]}" flush
    moves --readers 4
}

test_longest_keys__several_readers__moved() {
    local commands=() i
    for ((i = 0; i < 6; i++)); do
        commands+=("large_key $(((8 << 20) - i)) v$i")
    done
    "$maker" source "${commands[@]}" flush
    moves --readers 3
}

test_long_keys__receiver_killed__goes_on() {
    local commands=() i
    for ((i = 0; i < 400; i++)); do
        commands+=("large_key $((20000 + i)) v$i")
    done
    "$maker" source 'fill a 4000 1000' "${commands[@]}" 'fill x 4000 1000' flush
    moves_though_killed 500 --rate 4M
    reads_alike
}

test_key_beyond_the_limit__in_the_range__named() {
    "$maker" source "large_key $(((8 << 20) + 1)) v" 'put x y' flush
    receive
    send 3
    one_error 'key of 8388609 bytes'
    ! grep -qi ulimit "$work/err" || fail 'no limit of the system is meant'
}

test_key_beyond_the_limit__outside_the_range__left_alone() {
    "$maker" source "large_key $(((8 << 20) + 1)) v" 'put x y' 'put x2 z' flush
    receive
    send 0 --prefix x
    received
    equal "$("$reader" target | grep -c '=')" 2
}

# Such a family travels as write batches, which are safe every 32 MiB.
test_reverse_order__receiver_killed__goes_on() {
    "$maker" source 'options comparator=rocksdb.ReverseBytewiseComparator' 'fill k 70000 1000' \
        'put \e last' flush
    "$maker" target 'options comparator=rocksdb.ReverseBytewiseComparator'
    moves_though_killed 2000 --rate 16M
    reads_alike
}

# --- ranges ---------------------------------------------------------------------------------------

test_range__ends_where_a_table_begins__moved() {
    "$maker" source 'options disable_auto_compactions=true;write_buffer_size=1073741824' \
        'fill a 60 600000' flush 'fill b 60 600000' flush
    moves_range a:b00000000
}

test_range__of_one_key__moved() {
    "$maker" source 'fill k 1000 100' flush
    moves_range k00000500:k00000501
    equal "$("$reader" target | grep -c '=')" 1
}

# --- records --------------------------------------------------------------------------------------

# A slot has 64 KiB, including a header and a batch's overhead for a record.
test_values__around_the_size_of_a_slot__moved() {
    local commands=() i
    for ((i = 65300; i <= 65560; i++)); do
        commands+=("large v$i $i")
    done
    local compress
    for compress in off on; do
        rm -rf source target
        "$maker" source "${commands[@]}" flush
        receive --slot-size 64K
        send 0 --slot-size 64K --batch-min 1K --batch-max 65472 --compress "$compress"
        received
        reads_alike
    done
}

test_large_values__more_readers_than_memory_for_their_pieces__moved() {
    local commands=() i
    for ((i = 0; i < 6; i++)); do
        commands+=("large v$i 50000000")
    done
    "$maker" source "${commands[@]}" flush
    moves --readers 4
}

# --- the source's disk ----------------------------------------------------------------------------

# The log of a slow job, and tables that were merged meanwhile, are kept while it runs. A stop
# does not wait for blocks that the rate or the receiver holds up.
test_pinned__while_the_rate_holds_the_sender_up__stops_soon() {
    "$maker" source 'options write_buffer_size=262144' 'fill key 500 50' flush
    receive
    send 5 --rate 20K --load 1000 --load-value 1000 --load-keys 1000 --pinned-max 2M
    equal "$(json .error.code)" STOPPED
    equal "$(json '.pinned_log_bytes + .pinned_table_bytes | . > 2097152 and . < 20000000')" true
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
}

# The lag in `status` is the present one, not that of the beginning of the round that is being sent.
test_status__log_grows_faster_than_the_rate__lag_grows() {
    "$maker" source 'fill key 500 50' flush
    receive
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 20K --load 1000 --load-value 1000 \
        --load-keys 1000 >send.out 2>send.err &
    sender=$!
    sender_reaches '.running != null and .running.lag_bytes > 500000'
    sender_reaches '.running != null and .running.lag_bytes > 3000000'
    kill -TERM "$sender"
    ended "$sender" 143
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
}

test_pinned__more_than_allowed__stops_and_keeps() {
    "$maker" source 'options write_buffer_size=1000000;target_file_size_base=1000000' \
        'fill k 20000 1000' flush
    receive
    send 5 --rate 1M --load 2000 --load-value 1000 --load-keys 1000 --load-for 10ms --pinned-max 4M
    one_error 'stopped: the job pins [0-9]+ bytes of log and [0-9]+ of old table files'
    equal "$(json .error.code)" STOPPED
    equal "$(json '.pinned_log_bytes + .pinned_table_bytes > 4194304')" true
    equal "$(json .error.retryable)" true
    run 0 "$haul" resume --db source --to "$address" --transport tcp --json
    received
    same source target
}

# table_bytes: size of the source's tables, and of the values beside them.
table_bytes() {
    find source -maxdepth 1 \( -name '*.sst' -o -name '*.blob' \) -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'
}

# tells_of_old_tables OPTIONS: what a merge of tables leaves behind is reported while it is kept, is
# no more than what is there, and is released at the end of the job.
tells_of_old_tables() {
    local told=0 there i
    rm -rf source target
    "$maker" source "options write_buffer_size=1000000;target_file_size_base=1000000;level0_file_num_compaction_trigger=2;$1" \
        'fill k 20000 1000' flush
    receive
    "$haul" send --db source --to "$address" --transport tcp --json --rate 1M --load 4000 \
        --load-value 1000 --load-keys 1000 --load-for 10ms >"$work/out" 2>"$work/err" </dev/null &
    sender=$!
    for ((i = 0; i < 600 && told < 3000000; i++)); do
        sleep 0.1
        told=$("$haul" status --db source --json 2>/dev/null | jq '.running.pinned_table_bytes // 0') || told=0
    done
    there=$(table_bytes)
    ((told >= 3000000)) || fail "$told bytes of old tables are told of; there are $there bytes of tables"
    ((told <= there)) || fail "$told bytes of old tables are told of, and there are only $there"
    kill -TERM "$sender"
    end_process "$sender" && fail 'the sender was to be stopped'
    # Without the old ones; data in memory may have become another table.
    (($(table_bytes) <= there - told + 2500000)) || fail "$there bytes of tables became $(table_bytes), of which $told were old"
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
}

test_pinned__tables_merged_meanwhile__told_and_given_back() {
    tells_of_old_tables compression=kNoCompression
}

test_pinned__blob_files_collected_meanwhile__told_and_given_back() {
    tells_of_old_tables 'enable_blob_files=true;enable_blob_garbage_collection=true;blob_garbage_collection_age_cutoff=1.0'
}

run_tests
