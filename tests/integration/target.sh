#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# target.sh — what a target takes over, and what it refuses before it changes anything.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite target "$@"

# stored DIR FAMILY NAME: an option as the database has stored it.
stored() {
    local file
    file=$(find "$1" -maxdepth 1 -name 'OPTIONS-*' | sort | tail -n 1)
    awk -v head="\"$2\"]" -v name="  $3=" '
        /^\[/ { inside = index($0, head) > 0 }
        inside && index($0, name) == 1 { print substr($0, length(name) + 1); exit }' "$file"
}

# --- options taken over ---------------------------------------------------------------------------

rich_options='compression=kZSTD;bottommost_compression=kZlibCompression;num_levels=5;prefix_extractor=fixed:4;'
rich_options+='enable_blob_files=true;min_blob_size=4096;blob_compression_type=kLZ4Compression;'
rich_options+='merge_operator=StringAppendOperator;'
rich_options+='block_based_table_factory={block_size=16384;filter_policy=bloomfilter:12:false;format_version=4;'
rich_options+='whole_key_filtering=false}'

has_rich_options() {
    local family
    for family in default other; do
        equal "$(stored target $family compression)" kZSTD
        equal "$(stored target $family bottommost_compression)" kZlibCompression
        equal "$(stored target $family num_levels)" 5
        equal "$(stored target $family prefix_extractor)" rocksdb.FixedPrefix.4
        equal "$(stored target $family enable_blob_files)" true
        equal "$(stored target $family min_blob_size)" 4096
        equal "$(stored target $family blob_compression_type)" kLZ4Compression
        equal "$(stored target $family merge_operator)" "$(stored source $family merge_operator)"
        equal "$(stored target $family block_size)" 16384
        equal "$(stored target $family filter_policy)" bloomfilter:12:false
        equal "$(stored target $family format_version)" 4
        equal "$(stored target $family whole_key_filtering)" false
    done
}

test_send__families_that_the_target_makes__have_the_options_of_the_source() {
    local lane
    for lane in ingest writebatch; do
        rm -rf source target
        "$maker" source "options $rich_options" 'fill key 3000 2000' 'create other' 'fill key 3000 2000'
        receive
        send 0 --lane $lane
        received
        has_rich_options
        equal "$(json '.option_differences | length')" 0
        reads_alike
    done
}

test_send__equal_values_under_zstd__the_target_is_as_small() {
    db_bench --db=source --benchmarks=fillseq,compact --num=100000 --value_size=200 --block_size=16384 \
        --compression_ratio=0.01 --compression_type=zstd >"$work/db_bench.log" 2>&1
    receive
    send 0
    received
    local source target
    source=$(du -sk --exclude=haul source | cut -f 1)
    target=$(du -sk --exclude=haul target | cut -f 1)
    ((target < 2 * source + 1000)) || fail "$source KiB became $target KiB"
    reads_alike
}

test_send__default_family_in_another_order__the_new_target_has_it_too() {
    "$maker" source 'options comparator=rocksdb.ReverseBytewiseComparator' 'fill key 100 100'
    receive
    send 0
    received
    equal "$(stored target default comparator)" rocksdb.ReverseBytewiseComparator
    reads_alike
    opens target
}

test_send__new_target_made_anew__keeps_its_identity() {
    "$maker" source 'options comparator=rocksdb.ReverseBytewiseComparator' 'fill key 100 100'
    receive
    cp target/IDENTITY identity
    send 0
    received
    cmp target/IDENTITY identity
    "$maker" target 'put key value'
    cmp target/IDENTITY identity
}

test_send__family_that_the_target_has__differences_are_named_on_both_sides() {
    "$maker" source 'options compression=kZSTD;block_based_table_factory={block_size=16384}' 'put a b'
    "$maker" target 'options compression=kNoCompression' 'put other x' 'delete other'
    receive --json
    send 0
    received
    equal "$(json '[.option_differences[] | "\(.family) \(.option) \(.source) \(.target)"] | sort | join(",")')" \
        'default compression kZSTD kNoCompression,default table.block_size 16384 4096'
    equal "$(json_of "$work/recv.log.json" '.option_differences | length')" 2
    grep -q "keeps its own compression=kNoCompression; the source has kZSTD" "$work/err" || fail 'no line on the source'
    grep -q "keeps its own table.block_size=4096; the source has 16384" "$work/recv.log" || fail 'no line on the target'
    reads_alike
}

# --- refused by name ------------------------------------------------------------------------------

# refuses PATTERN SETUP...: a target made this way is refused at the plan, and does not change.
refuses() {
    local pattern=$1
    shift
    rm -rf source target
    "$maker" source 'fill key 100 100'
    "$maker" target "$@"
    "$reader" --digest target >before.digest
    receive
    send 3
    one_error "$pattern"
    [[ -n $(json .error.hint) ]] || fail 'no hint'
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
    "$reader" --digest target >after.digest
    cmp before.digest after.digest
    [[ $(find target/haul -name 'target-*' | wc -l) == 0 ]] || fail 'a journal was left'
}

# The receiver does not start, and leaves the database unchanged.
test_recv__several_directories__refused() {
    local directory
    mkdir p1 p2
    "$maker" target "path $work/p1 100000" "path $work/p2 100000000" 'fill a 3000 1000' flush
    for directory in target p1 p2; do find "$directory" -name '*.sst' -exec sha256sum {} +; done >before.tables
    run 3 "$haul" recv --db target --listen "$own_host:0"
    one_error 'table file [0-9]+.sst is not in target|several directories'
    for directory in target p1 p2; do find "$directory" -name '*.sst' -exec sha256sum {} +; done >after.tables
    cmp before.tables after.tables
}

test_recv__fifo_compaction__refused() {
    refuses 'FIFO' 'options compaction_style=kCompactionStyleFIFO;num_levels=1;compaction_options_fifo={max_table_files_size=1000000}' \
        'put zzz 1' 'delete zzz'
}

test_recv__compaction_filter__refused() {
    refuses 'test.DropOddFilter' 'options compaction_filter=test.DropOddFilter' 'put zzz 1' 'delete zzz'
}

test_recv__ttl_database__refused() {
    refuses 'TtlCompactionFilter' 'kind ttl' 'put zzz 1' 'delete zzz'
}

test_recv__plain_tables__refused() {
    refuses 'PlainTable' 'options plain_table_factory={user_key_len=0};prefix_extractor=fixed:3;allow_mmap_reads=true' \
        'put zzz 1' 'delete zzz'
}

test_recv__unordered_write__ordered_while_it_receives() {
    "$maker" source 'fill key 100 100'
    "$maker" target 'options unordered_write=true' 'put zzz 1' 'delete zzz'
    receive
    send 0
    received
    grep -q '^  unordered_write=true' "$(find target -name 'OPTIONS-*' | sort | tail -n 1)" || fail 'an option is lost'
    reads_alike
}

test_recv__other_merge_operator__refused() {
    refuses "merge operator is 'none', the target's '\{id=StringAppendOperator;" \
        'options merge_operator=StringAppendOperator' 'put zzz 1' 'delete zzz'
}

# --- read back ------------------------------------------------------------------------------------

test_send__verify_read__committed_without_load_and_with_it() {
    local more
    for more in '' '--load 2000 --load-for 50ms'; do
        rm -rf source target
        "$maker" source 'fill key 3000 1000' 'create other' 'fill key 100 100'
        receive
        # shellcheck disable=SC2086 # words
        send 0 --verify read $more
        received
        equal "$(json .verified)" true
        reads_alike
    done
    run 2 "$haul" send --db source --to localhost:1 --verify twice
    one_error "invalid value 'twice' for --verify"
}

# --- a disk that is too small ---------------------------------------------------------------------

# small_disk SIZE: the target lies on it.
small_disk() {
    mkdir target
    mount -t tmpfs -o "size=$1" haul-target target 2>mount.err || { cat mount.err; skip 'no right to mount'; }
    trap 'status=$?; end_processes; umount -l "$work/target"; exit $status' EXIT
}

test_recv__plan_does_not_fit__refused_and_nothing_changed() {
    small_disk 40m
    "$maker" source 'options compression=kNoCompression' 'fill key 600 100000'
    "$maker" target 'put other x' 'delete other'
    "$reader" --digest target >before.digest
    receive
    send 7
    one_error 'no space for the plan: about [0-9]+ MiB are to come, and the target has [0-9]+ MiB free'
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
    "$reader" --digest target >after.digest
    cmp before.digest after.digest
    [[ $(find target/haul -name 'target-*' | wc -l) == 0 ]] || fail 'a journal was left'
}

# What the plan's check accepts must be able to end: in this lane the log and the memory count, too.
test_recv__plan_under_write_batches_does_not_fit__refused_and_later_done() {
    small_disk 40m
    "$maker" source 'options compression=kNoCompression' 'fill key 40000 600'
    receive_into target "$own_host:0" --keep-free 1K --lane writebatch
    send 7
    one_error 'no space for the plan: about 2[0-9] MiB .* MiB of them for the log and what is in memory'
    [[ $(find target/haul -name 'target-*' | wc -l) == 0 ]] || fail 'a journal was left'
    mount -o remount,size=110m target
    send 0
    equal "$(json .resumed)" false
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
    reads_alike
}

# Small by its files, and large without their compression: the plan cannot know.
test_recv__disk_fills_up__stopped_before_it_is_full_and_resumed() {
    local code=0 free
    small_disk 60m
    db_bench --db=source --benchmarks=fillseq,compact --num=300000 --value_size=400 --compression_ratio=0.01 \
        --compression_type=zstd >"$work/db_bench.log" 2>&1
    "$maker" target 'options compression=kNoCompression;write_buffer_size=2097152' 'put other x' 'delete other'
    receive --keep-free 16M --table-size 4M
    run 7 "$haul" send --db source --to "$receiver_address" --transport tcp --retry 3s --rate 20M --compress off
    one_error 'the target.*disk runs out of space'
    end_process "$receiver_pid" || code=$?
    equal "$code" 7
    grep -q 'runs out of space' "$work/recv.log" || { cat "$work/recv.log"; fail 'the receiver does not say why'; }
    free=$(df --output=avail -k target | tail -n 1)
    ((free > 4000)) || fail "only $free KiB were left"
    "$maker" target 'put other x' 'delete other'
    mount -o remount,size=400m target
    receive --keep-free 16M
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp
    received
    reads_alike
}

# Data through the log lies there and in memory, and needs its space twice.
test_recv__disk_fills_up_under_write_batches__stopped_and_the_memory_has_room() {
    local code=0
    small_disk 100m
    db_bench --db=source --benchmarks=fillseq,compact --num=200000 --value_size=400 --compression_ratio=0.01 \
        --compression_type=zstd >"$work/db_bench.log" 2>&1
    "$maker" target 'options compression=kNoCompression' 'put other x' 'delete other'
    receive --keep-free 8M
    run 7 "$haul" send --db source --to "$receiver_address" --transport tcp --retry 3s --lane writebatch
    one_error 'the target.*disk runs out of space'
    end_process "$receiver_pid" || code=$?
    equal "$code" 7
    "$maker" target 'put other x' 'delete other'
    mount -o remount,size=600m target
    receive --keep-free 8M
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp
    received
    reads_alike
}

# Another program fills the disk between two checks: the log itself meets the end of it.
test_recv__disk_is_filled_by_others__ends_with_an_error_and_goes_on_later() {
    local code=0
    small_disk 200m
    make_database source 90000
    "$maker" target 'options compression=kNoCompression' 'put other x' 'delete other'
    receive --keep-free 1
    "$haul" send --db source --to "$receiver_address" --transport tcp --retry 3s --lane writebatch --rate 8M \
        >"$work/out" 2>"$work/err" </dev/null &
    sender=$!
    sender_reaches '.running.records > 2000'
    head -c 300M /dev/zero >target/filler 2>/dev/null || true
    ended "$sender" 7
    end_process "$receiver_pid" || code=$?
    equal "$code" 7
    rm target/filler
    mount -o remount,size=600m target
    receive --keep-free 8M
    run 0 "$haul" resume --db source --to "$receiver_address" --transport tcp
    received
    reads_alike
}

run_tests
