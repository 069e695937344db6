#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# foreign_stores.sh — sources as other programs leave them: what haul moves reads alike afterwards;
# what it refuses, it refuses by name and leaves unchanged. docs/COMPATIBILITY.md names these tests.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite foreign_stores "$@"

# prints DIR: every file with its bytes, and times of directories, but not of files that are only
# read.
prints() {
    (cd "$1" && find . -mindepth 1 -printf '%p %y %m %u %n\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# moves ARGUMENT...: a job into a new target; both read alike, and the source reads as before.
moves() {
    "$reader" --digest source >before.digest
    receive
    send 0 "$@"
    received
    reads_alike
    cmp before.digest source.digest || fail 'the source reads differently'
    equal "$(json .verified)" true
}

# keeps COMMAND...: after the command the source is byte for byte as before.
keeps() {
    prints source >before.prints
    "$@"
    prints source >after.prints
    diff before.prints after.prints || fail 'the source was changed'
}

# refused PATTERN ARGUMENT...: exit code 3 and a line with the feature and a hint; neither side
# changes.
refused() {
    local pattern=$1
    shift
    receive_into target "$own_host:0"
    keeps send 3 "$@"
    one_error "$pattern"
    [[ -n $(json .error.hint) ]] || fail 'no hint'
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
    equal "$("$reader" target | grep -v '^family ' | sort -u)" 'end 0'
    [[ $(find target/haul -name 'target-*' | wc -l) == 0 ]] || fail 'the target has a journal'
}

# Hundreds of families mean hundreds of syncs: too slow for a disk. Stays in place without such a
# directory.
in_memory() {
    [[ -d /dev/shm && -w /dev/shm ]] || return 0
    local directory
    directory=$(mktemp -d /dev/shm/haul-test.XXXXXX)
    # shellcheck disable=SC2064 # the directory is known now
    trap "status=\$?; rm -rf $directory; (exit \$status); end_leftovers" EXIT
    cd "$directory"
}

# --- what does not concern it ---------------------------------------------------------------------

test_send__reaches_nobody__the_source_is_as_it_was() {
    "$maker" source 'options WAL_ttl_seconds=3600' 'fill a 1000 100' flush \
        'churn b 500 1' 'create other' 'churn b 500 2' leave
    keeps run 5 "$haul" send --db source --to 127.0.0.1:1 --transport tcp --retry 1ms
    rm -f source/OPTIONS-*
    keeps run 5 "$haul" send --db source --to 127.0.0.1:1 --transport tcp --retry 1ms
}

# A command with nothing to do still checks first.
test_commands__nothing_to_do__the_database_is_as_it_was() {
    "$maker" source 'fill a 100 100' 'create other' 'churn b 500 2' leave
    keeps run 3 "$haul" resolve --db source --to 127.0.0.1:1 --retry 1ms
    rm -rf source/haul # only the directory, which held a lock
    keeps run 3 "$haul" drop --db source --yes
    one_error 'nothing of source was handed over'
    keeps run 3 "$haul" owner --db source --rebuild
    one_error 'not damaged'
    keeps run 3 "$haul" owner --db source --reclaim --accept-two-owners
    keeps run 3 "$haul" owner --db source --adopt
    keeps run 3 "$haul" cancel --db source --accept-two-owners
    [[ ! -e source/haul ]] || { ls -la source/haul; fail 'haul/ was made'; }
}

test_send__log_only__the_log_is_moved_and_stays() {
    "$maker" source 'churn a 3000 1' 'create other' 'churn b 3000 2' leave
    moves
    [[ $(find source -maxdepth 1 -name '*.log' -size +0 | wc -l) -gt 0 ]] || fail 'the log was removed'
    [[ -z $(find source -name '*.sst') ]] || fail 'the log became a table'
}

test_send__archived_logs__stay() {
    "$maker" source 'options WAL_ttl_seconds=3600' 'put a 1' flush 'put b 2' flush 'put c 3' flush
    "$maker" source 'options WAL_ttl_seconds=0' 'put d 4' leave
    ls source/archive >before.archive
    [[ -s before.archive ]] || fail 'no archive was made'
    moves
    ls source/archive >after.archive
    cmp before.archive after.archive
}

test_send__killed_in_the_middle__second_names_go_with_the_next_command() {
    "$maker" source 'fill a 30000 1000' 'fill b 100 100' leave
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4M >/dev/null 2>"$work/err" &
    local sender=$!
    sender_reaches '.running.records > 2000'
    [[ -e source/haul/log-links ]] || fail 'no second names were made'
    kill_and_reap "$sender"
    "$maker" source 'put owner 1' flush
    run 0 "$haul" cancel --db source
    [[ ! -e source/archive && ! -e source/haul/log-links ]] || { ls -R source; fail 'second names are left'; }
}

test_send__no_hard_links__a_warning_and_no_resume() {
    cat >shim.c <<'C'
#include <errno.h>
int linkat(int a, const char *b, int c, const char *d, int e)
{
    (void)a, (void)b, (void)c, (void)d, (void)e;
    errno = EPERM;
    return -1;
}
C
    case $(ldd "$haul") in *libasan* | *libtsan*) skip 'sanitizers come before the shim' ;; esac
    cc -shared -fPIC -o shim.so shim.c
    "$maker" source 'fill a 100 100'
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --once
    LD_PRELOAD=$work/shim.so send 0
    end_process "$receiver_pid"
    grep -q 'cannot create hard links' "$work/err" || { cat "$work/err"; fail 'no warning'; }
    [[ ! -e source/archive ]] || fail 'an archive is left'
    reads_alike
}

# --- moved ----------------------------------------------------------------------------------------

test_send__blob_files__moved() {
    "$maker" source 'options enable_blob_files=true;min_blob_size=100;blob_file_size=100000' 'fill a 2000 300' flush \
        'fill b 100 50' 'churn a 500 1'
    moves
    [[ -n $(find source -name '*.blob') && -n $(find target -name '*.blob') ]] || fail 'no blob files'
}

test_send__merge_operators_that_options_tell__moved() {
    "$maker" source 'options merge_operator=uint64add' 'merge n \x01\x00\x00\x00\x00\x00\x00\x00' flush \
        'merge n \x01\x00\x00\x00\x00\x00\x00\x00' 'create text merge_operator={id=StringAppendOperator;delimiter=--;}' \
        'put t a' flush 'merge t b' 'merge t c' 'merge new d' 'create max merge_operator=max' 'merge m a' 'merge m c' 'merge m b'
    moves
    grep -q =612D2D622D2D63 <("$reader" target) || fail 'not merged as the operator does'
    rm -rf source target
    "$maker" source 'options merge_operator={id=StringAppendOperator;delimiter=:;}' 'put a 1' 'merge a 2' flush
    grep -q 'delimiter=\\:' source/OPTIONS-* || fail 'the stored options have no escapes'
    moves
}

test_send__reverse_order__moved() {
    "$maker" source 'options comparator=rocksdb.ReverseBytewiseComparator' 'fill a 1000 100' flush 'churn b 1000 1' \
        'create forward comparator=leveldb.BytewiseComparator' 'churn c 1000 2'
    moves
}

# Its keys have no byte ranges: a command with a range would read nothing, or delete everything.
test_ranges__reverse_order__refused_by_every_command() {
    local no_ranges="'back' is ordered by 'rocksdb.ReverseBytewiseComparator'"
    "$maker" source 'put a 1' 'put b 2' 'put c 3' 'create back comparator=rocksdb.ReverseBytewiseComparator' 'put a 1' 'put b 2' 'put c 3'
    refused "$no_ranges" --range a:c
    rm -rf target
    moves
    prints source >before.prints
    local some
    for some in '--range b:' '--range :b' '--prefix b' '--range a:c --cf back'; do
        # shellcheck disable=SC2086 # words of an option
        for command in 'verify --db source --with target' 'verify --db source --write-manifest m' \
            'drop --db source' 'drop --db source --yes' 'owner --db source --reclaim --accept-two-owners'; do
            run 3 "$haul" $command $some
            one_error "$no_ranges"
            [[ ! -e m ]] || fail 'a manifest is left'
        done
    done
    prints source >after.prints
    diff before.prints after.prints || fail 'the source was changed'
    run 0 "$haul" verify --db source --with target --prefix b --cf default
    run 0 "$haul" owner --db source --reclaim --prefix b --cf default --accept-two-owners
    run 0 "$haul" drop --db source --yes
    equal "$("$reader" source | grep -v '^family\|^end' | wc -l)" 1
}

test_send__databases_with_transactions__moved_when_none_is_prepared() {
    local kind
    for kind in optimistic transactions; do
        rm -rf source target
        "$maker" source "kind $kind" 'fill a 1000 100' flush 'delete a00000007' 'fill b 1000 100'
        moves
    done
    rm -rf source target
    "$maker" source 'kind transactions' 'prepare x key value' 'prepare y key2 value' 'commit x' 'rollback y' 'put z z' leave
    moves
}

test_send__compaction_filter_and_ttl__moved_whole() {
    "$maker" source 'options compaction_filter=test.DropOddFilter;level0_file_num_compaction_trigger=2' 'put a 1' 'put b 2' flush \
        'put c 3' leave
    moves
    rm -rf source target
    "$maker" source 'kind ttl' 'fill a 1000 100' flush 'fill b 1000 100'
    moves
    rm -rf source target
    "$maker" source 'options compaction_style=kCompactionStyleFIFO;num_levels=1;compaction_options_fifo={max_table_files_size=1000000000}' \
        'fill a 1000 100' flush 'fill b 1000 100' flush
    "$maker" target 'put a 1' 'delete a'
    moves
}

test_send__statistics_family__left_out() {
    "$maker" source 'options persist_stats_to_disk=true;stats_persist_period_sec=1' 'fill a 100 100' 'sleep 2500'
    grep -q ___rocksdb_stats_history___ source/MANIFEST-* || fail 'no statistics were kept'
    moves
    ! grep -q ___rocksdb_stats_history___ target/MANIFEST-* || fail 'statistics were moved'
}

test_send__error_if_exists_and_other_switches__moved() {
    "$maker" source 'fill a 100 100'
    sed -i 's/^  error_if_exists=.*/  error_if_exists=true/; s/^  paranoid_checks=.*/  paranoid_checks=false/;
        s/^  unordered_write=.*/  unordered_write=true/; s/^  max_open_files=.*/  max_open_files=1/' source/OPTIONS-*
    grep -q '^  error_if_exists=true' source/OPTIONS-* || fail 'no such option'
    cp "$(find source -name 'OPTIONS-*' | sort | tail -n 1)" options
    moves
    cmp options "$(find source -name 'OPTIONS-*' | sort | tail -n 1)"
}

test_send__odd_names_of_families__escaped_in_options() {
    "$maker" source 'put a 1' 'create with=equals' 'churn a 100 1' 'create with:colon;semi' 'churn a 100 2' \
        'create a#b\x5cc' 'churn a 100 3' 'create ]"[' 'churn a 100 4' 'create \xc3\xa4' 'churn a 100 5' leave
    moves
}

test_send__empty_and_large_keys__moved() {
    "$maker" source 'put \e empty' 'put emptyvalue \e' 'large_key 8388608 long' 'large big 20000000' 'put \xff\xff\xff\xff last' \
        'put \x00 zero' 'put \x00\x00 zeros' flush 'large_key 8388607 shorter'
    moves
}

test_send__own_log_directory__moved() {
    "$maker" source "options wal_dir=$work/source/wal" 'churn a 1000 1' leave
    moves
    rm -rf source target
    mkdir wal
    "$maker" source "options wal_dir=$work/wal;info_log_level=INFO_LEVEL" 'churn a 1000 1' leave
    moves --wal-dir "$work/wal"
}

test_send__compressed_and_recycled_log__moved() {
    "$maker" source 'options wal_compression=kZSTD' 'churn a 3000 1' leave
    moves
    rm -rf source target
    "$maker" source 'options recycle_log_file_num=4;write_buffer_size=65536' 'churn a 3000 1' flush 'churn b 3000 2' flush \
        'churn c 3000 3' leave
    moves
    rm -rf source target
    "$maker" source 'options manual_wal_flush=true;two_write_queues=true;enable_pipelined_write=false' 'churn a 3000 1' sync leave
    moves
}

test_send__tables_of_every_kind__moved() {
    local table
    for table in 'format_version=0;checksum=kCRC32c' 'format_version=2;checksum=kxxHash' 'format_version=5;checksum=kXXH3' \
        'index_type=kTwoLevelIndexSearch;partition_filters=true;filter_policy=bloomfilter:10:false;metadata_block_size=512' \
        'index_type=kHashSearch' 'data_block_index_type=kDataBlockBinaryAndHash' 'index_type=kBinarySearchWithFirstKey'; do
        rm -rf source target
        "$maker" source "options block_based_table_factory={$table};prefix_extractor=fixed:2;compression=kLZ4Compression" \
            'churn a 2000 1' flush 'churn a 2000 2' flush 'ingest zz1 one zz2 two' 'delete_range a000001 a000100' compact 'churn b 300 3'
        moves
    done
}

# The family would take the target's memory at every open. One that is there keeps its own options.
test_send__options_beyond_the_limits_of_a_new_family__refused_and_moved_to_a_family_of_its_own() {
    "$maker" source 'options num_levels=100' 'fill a 100 10' flush
    refused "column family 'default' of the source has num_levels=100, and the target makes families with 1 to 64"
    rm -rf source target
    "$maker" source 'put a 1' 'create many num_levels=100' 'fill b 100 10' flush
    refused "column family 'many' of the source has num_levels=100"
    "$maker" target 'create many num_levels=5'
    moves
}

# family_of DATABASE NAME: what a reader finds in one family.
family_of() {
    "$reader" "$1" | awk -v name="$2" '/^family / { inside = ($2 == name) } inside && !/^(family|end) /'
}

# One test, because making the databases takes longest. In a read-only database other families may
# stay closed.
test_send__many_families__256_are_moved_and_more_refused() {
    grep -q '^HAUL_SANITIZER:[A-Z]*=none' "$build/CMakeCache.txt" || skip 'hundreds of families: the plain build has them'
    local commands=() i
    in_memory
    for ((i = 0; i < 256; i++)); do
        commands+=("family f$i")
    done
    "$maker" source "${commands[@]}" 'use f7' 'fill a 10 10' 'use f254' 'fill b 10 10'
    refused '257 column families'
    cp -r source whole
    "$maker" source 'use f7' 'fill c 10 10' 'use f8' 'fill d 10 10' 'use f254' 'fill e 10 10' leave
    start_receiver "$work/recv.log" --db chosen --listen "$own_host:0" --once
    send 0 --cf f7 --cf f254
    end_process "$receiver_pid" || fail "the receiver ended with $?"
    for i in f7 f254; do
        family_of source "$i" >source.family
        family_of chosen "$i" >chosen.family
        [[ $(wc -l <source.family) == 20 ]] || fail "the reader finds $(wc -l <source.family) records in $i"
        diff source.family chosen.family || fail "$i reads differently"
    done
    [[ -z $(family_of chosen f8) ]] || fail 'a family that was not chosen came along'
    run 0 "$haul" verify --db source --with chosen --cf f7 --cf f254
    rm -rf source target
    mv whole source
    "$maker" source 'drop f255'
    moves
}

# 300 families and an interrupted job of two of them: every way out that `status` names works.
test_send__job_of_chosen_families_broke_off__resume_resolve_and_cancel_open_the_database() {
    grep -q '^HAUL_SANITIZER:[A-Z]*=none' "$build/CMakeCache.txt" || skip 'hundreds of families: the plain build has them'
    local commands=() i address
    in_memory
    for ((i = 0; i < 300; i++)); do
        commands+=("family f$i")
    done
    "$maker" source "${commands[@]}" 'use f7' 'fill a 20000 200' 'use f254' 'fill b 10 10'
    start_receiver "$work/recv.log" --db chosen --listen "$own_host:0"
    address=$receiver_address
    break_off
    run 3 "$haul" send --db source --to "$address"
    one_error '301 column families'
    run 0 "$haul" cancel --db source
    run 3 "$haul" cancel --db source
    run 0 "$haul" resolve --db source --to "$address"
    grep -q '1 job that is over' "$work/out" || fail 'the receiver was not told'
    break_off
    run 0 "$haul" resume --db source --to "$address" --transport tcp --json
    equal "$(json .resumed)" true
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
    for i in f7 f254; do
        family_of source "$i" >source.family
        family_of chosen "$i" >chosen.family
        diff source.family chosen.family || fail "$i reads differently"
    done
    run 3 "$haul" resume --db source --to "$address"
    one_error 'no job'
    run 5 "$haul" resolve --db source --to "$address" # which asks by the record of the finished job
}

test_send__more_ranges_than_a_job_has__refused_with_the_way_out() {
    local ranges=() i
    "$maker" source 'put a 1'
    for ((i = 1000; i < 2025; i++)); do
        ranges+=(--range "$i:$i~")
    done
    run 3 "$haul" send --db source --dry-run "${ranges[@]}"
    one_error '1025 ranges; at most 1024: move them in several jobs'
}

# break_off: stop a job of f7 and f254 in mid-copy.
break_off() {
    "$haul" send --db source --to "$receiver_address" --transport tcp --cf f7 --cf f254 --rate 1M \
        --batch-min 64K --batch-max 64K >"$work/send.out" 2>"$work/send.err" &
    sender=$!
    sender_reaches '.running != null and .running.phase == "copying" and .running.records > 100'
    kill "$sender"
    ended "$sender" 143
}

# --- refused --------------------------------------------------------------------------------------

test_send__entities__refused_by_key() {
    "$maker" source 'put a 1' 'entity k =d name=n mail=m' flush 'put z 2'
    refused "wide-column entity at key '?k'?"
    rm -rf source target
    "$maker" source 'put a 1' 'entity k name=n' leave
    refused "wide-column entity at key '?k'?"
}

# After the checks that come before the plan.
test_send__entity_far_inside__refused_by_key_and_discarded() {
    "$maker" source 'fill a 60000 200' 'entity z name=n' 'create other' 'fill b 100 100' flush
    refused "wide-column entity at key '?z'?"
    rm -rf target
    "$maker" target 'put kept 1' 'create other' 'put kept 2'
    "$reader" target >before.target
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    send 3 --prefix z
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
    "$reader" target >after.target
    cmp before.target after.target
}

test_send__entity_with_the_default_column_only__moved_as_its_value() {
    "$maker" source 'entity k =d' flush 'entity l =' 'put m 1'
    moves
}

test_send__prepared_transaction__refused() {
    "$maker" source 'kind transactions' 'put a 1' 'prepare xid1 key value' leave
    refused "transaction '?xid1'? is prepared"
    rm -rf source target
    "$maker" source 'options wal_compression=kZSTD' 'kind transactions' 'fill a 1000 100' 'prepare xid1 key value' leave
    refused "transaction '?xid1'? is prepared"
    local kind
    for kind in write_prepared write_unprepared; do
        rm -rf source target
        "$maker" source "kind $kind" 'put a 1' 'prepare xid1 key value' leave
        refused 'prepared'
        run 3 "$haul" verify --db source --with source
        one_error "'?xid1'? is prepared.*commit or roll back"
        rm -rf source
        "$maker" source "kind $kind" 'put a 1' 'prepare xid1 key value' 'commit xid1' leave
        refused 'policy write-prepared or write-unprepared'
        keeps run 3 "$haul" verify --db source --write-manifest manifest
        one_error 'policy write-prepared or write-unprepared.*memory was flushed'
    done
}

test_send__in_place_updates__moved() {
    "$maker" source 'options inplace_update_support=true;allow_concurrent_memtable_write=false' 'put a 1' 'put a 2' \
        'fill b 100 100' leave
    moves
}

test_send__plain_and_cuckoo_tables__refused() {
    "$maker" source 'options plain_table_factory={user_key_len=0};prefix_extractor=fixed:3;allow_mmap_reads=true;compression=kNoCompression' \
        'fill key 100 100' flush
    refused 'PlainTable'
}

test_send__foreign_objects__refused() {
    "$maker" source 'options table_factory=test.TableFactory' 'put a 1' flush
    refused 'table factory'
}

test_send__foreign_merge_operator__refused() {
    "$maker" source 'options merge_operator=test.AppendOperator' 'put a 1' 'merge a 2' flush
    refused "merge operator 'test.AppendOperator'"
}

# `drop` opens every family for writing: what it cannot do is not promised.
test_send__copy_beside_a_foreign_object__drop_is_not_promised() {
    local object
    for object in 'merge_operator=test.AppendOperator' 'comparator=test.CaselessComparator'; do
        rm -rf source target
        "$maker" source "family x $object" 'put a 1' 'use x' 'put b 2'
        receive
        run 0 "$haul" send --db source --to "$receiver_address" --transport tcp --cf default
        grep -q "until the program of this database deletes it: .haul drop --db source. cannot open it, .*${object#*=}" "$work/out" ||
            { cat "$work/out"; fail 'not said'; }
        received
        run 3 "$haul" drop --db source --yes
        one_error "${object#*=}.*delete what .haul owner --db source. lists as given away"
    done
}

test_send__objects_that_do_not_change_what_is_read__moved() {
    local option
    for option in prefix_extractor=my.Extractor compaction_filter_factory=my.Factory filter_policy=my.Filter memtable_factory=my.Memtable \
        sst_partitioner_factory=my.Partitioner; do
        rm -rf source target
        "$maker" source 'churn a 100 1' flush 'churn a 100 2'
        sed -i "s/^  ${option%%=*}=.*/  $option/" source/OPTIONS-*
        grep -q "^  $option" source/OPTIONS-* || fail "no option $option"
        moves
    done
}

test_send__foreign_order__refused() {
    "$maker" source 'options comparator=test.CaselessComparator' 'put a 1' flush
    refused "comparator 'test.CaselessComparator'"
}

# Without the operator, RocksDB itself ends its replay there silently.
test_send__merges_without_a_stored_operator__refused() {
    "$maker" source 'options merge_operator=StringAppendOperator' 'put a 1' 'merge a 2' 'put b 3' leave
    rm source/OPTIONS-*
    refused "merges of column family 'default'"
    rm -rf source target
    "$maker" source 'options merge_operator=StringAppendOperator' 'put a 1' flush 'merge a 2' flush
    sed -i 's/^  merge_operator=.*/  merge_operator=nullptr/' source/OPTIONS-*
    refused "column family 'default' holds merges"
    rm -rf source target
    "$maker" source 'options merge_operator=StringAppendOperator;wal_compression=kZSTD' 'put a 1' 'merge a 2' 'put b 3' leave
    sed -i 's/^  merge_operator=.*/  merge_operator=nullptr/' source/OPTIONS-*
    refused "merges of column family 'default'"
}

test_send__user_timestamps__refused() {
    "$maker" source 'create stamped comparator=leveldb.BytewiseComparator.u64ts' 'put_at a v 1' flush
    refused 'user-defined timestamps'
}

test_send__stacked_blobs__refused() {
    "$maker" source 'put a 1' flush
    mkdir source/blob_dir
    refused 'BlobDB'
}

test_send__several_directories__refused() {
    mkdir p1 p2
    "$maker" source "path $work/p1 100000" "path $work/p2 100000000" 'fill a 3000 1000' flush
    refused 'table file [0-9]+.sst is not in source|several directories'
    rm -rf source target p1
    mkdir p1
    "$maker" source "family_path default $work/p1" 'fill a 300 1000' flush
    refused 'table file [0-9]+.sst is not in source|several directories'
}

test_send__log_directory_of_another__refused() {
    mkdir wal
    "$maker" live "options wal_dir=$work/wal" 'fill a 300 100' 'put last 1' leave
    cp -r live source
    prints wal >before.wal
    refused 'log directory'
    prints wal >after.wal
    cmp before.wal after.wal
}

test_send__checkpoint_of_such__the_log_of_the_living_one_stays() {
    mkdir wal
    "$maker" live "options wal_dir=$work/wal" 'fill a 300 100' "checkpoint $work/source" 'fill b 300 100' leave
    prints wal >before.wal
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --once
    send 0
    prints wal >after.wal
    cmp before.wal after.wal
    equal "$("$reader" --digest live | grep -o 'end [0-9]*')" 'end 600'
}

test_send__leveldb__refused() {
    mkdir source
    python3 - <<'P'
import struct, zlib
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 & -(crc & 1))
    return crc ^ 0xffffffff
def record(body):
    crc = crc32c(b'\x01' + body)
    masked = (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff
    return struct.pack('<IHB', masked, len(body), 1) + body
def text(tag, value):
    return bytes([tag, len(value)]) + value
edit = text(1, b'leveldb.BytewiseComparator') + bytes([2, 4, 9, 0, 3, 5, 4, 1])
open('source/MANIFEST-000002', 'wb').write(record(edit))
open('source/CURRENT', 'w').write('MANIFEST-000002\n')
batch = struct.pack('<QI', 1, 1) + b'\x01\x01k\x01v'
open('source/000004.log', 'wb').write(record(batch))
open('source/LOCK', 'w')
P
    refused 'LevelDB'
}

test_send__family_with_a_long_name__others_are_moved_by_name() {
    local name
    name=$(printf 'n%.0s' {1..128})
    "$maker" source 'fill a 100 10' "create $name" 'put b 2'
    refused "column family's name has 128 bytes"
    receive
    send 0 --cf default
    received
    run 0 "$haul" verify --db source --with target --cf default
    run 3 "$haul" drop --db source --yes
    one_error "column family's name has 128 bytes"
}

test_send__family_with_an_empty_name__refused() {
    "$maker" source 'put a 1' 'create \e' 'put b 2' leave
    refused 'empty name'
}

test_send__later_table_format__refused() {
    "$maker" source 'put a 1' flush
    python3 - source/*.sst <<'P'
import sys
with open(sys.argv[1], 'r+b') as table:
    table.seek(-12, 2)
    table.write((7).to_bytes(4, 'little'))
P
    sed -i 's/rocksdb_version=.*/rocksdb_version=99.1.0/' source/OPTIONS-*
    refused 'RocksDB 99.1.0.*format'
}

test_send__options_of_a_later_release__moved_and_kept() {
    "$maker" source 'churn a 100 1'
    sed -i 's/^  max_open_files=.*/&\n  option_of_the_future=17/; s/rocksdb_version=.*/rocksdb_version=9.1.0/' source/OPTIONS-*
    cp "$(find source -name 'OPTIONS-*' | sort | tail -n 1)" options
    moves
    cmp options "$(find source -name 'OPTIONS-*' | sort | tail -n 1)"
}

test_send__options_with_a_value_that_is_unknown__refused_with_the_file() {
    "$maker" source 'churn a 100 1'
    sed -i 's/^  compression=.*/  compression=kFutureCompression/' source/OPTIONS-*
    refused 'OPTIONS-[0-9]+ holds what haul cannot read'
}

# damage DIR: in the middle of its newest log.
damage() {
    python3 - "$(find "$1" -maxdepth 1 -name '*.log' | sort | tail -n 1)" <<'P'
import os, sys
with open(sys.argv[1], 'r+b') as log:
    log.seek(os.path.getsize(sys.argv[1]) // 2)
    log.write(b'damage!!' * 8)
P
}

# RocksDB does not replay a log that no family needs.
test_send__last_records_of_the_log_are_of_a_dropped_family__moved() {
    "$maker" source 'put k 1' flush 'create y' 'use y' 'put a b' leave
    ldb --db=source drop_column_family y >/dev/null
    receive_into source "$own_host:0" # which opens it for writing
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    moves
}

test_send__log_torn_at_its_end__moved_without_a_warning() {
    local log tear
    for tear in 'truncate -s -7' 'truncate -s +70000' 'dd if=/dev/urandom bs=1000 count=5 oflag=append conv=notrunc status=none'; do
        rm -rf source target
        "$maker" source 'churn a 1000 1' sync leave
        log=$(find source -name '*.log' | sort | tail -n 1)
        case $tear in dd*) $tear of="$log" ;; *) $tear "$log" ;; esac
        moves
        ! grep -q 'damaged' "$work/err" || fail 'a warning'
    done
}

test_send__table_file_that_was_cut__corrupt_by_name() {
    "$maker" source 'fill a 1000 100' flush
    truncate -s -100 source/*.sst
    keeps run 6 "$haul" send --db source --to 127.0.0.1:1 --transport tcp
    one_error 'table file [0-9]+.sst in source is shorter'
}

test_send__encrypted_database__told_to_embed() {
    local file
    "$maker" source encrypt 'fill a 1000 100' flush 'put b c'
    refused 'encrypted.*embed libhaul'
    for file in CURRENT "$(cd source && echo MANIFEST-*)"; do
        rm -rf source
        "$maker" source 'fill a 10 100' flush
        head -c 3000 /dev/urandom >"source/$file"
        keeps run 3 "$haul" send --db source --to 127.0.0.1:1 --transport tcp
        one_error "$file is not a file of RocksDB.*encrypted"
    done
}

# haul distinguishes what RocksDB has written from what it has not.
test_send__damaged_manifest__corrupt() {
    local manifest
    "$maker" source 'fill a 10 100' flush 'create other' 'put b c' flush
    manifest=source/$(<source/CURRENT)
    cp "$manifest" "$work/whole"
    printf 'damage' | dd of="$manifest" bs=1 seek=9 conv=notrunc status=none
    keeps run 6 "$haul" send --db source --to 127.0.0.1:1 --transport tcp
    one_error 'MANIFEST-[0-9]+ is damaged'
    head -c 4096 /dev/zero >"$manifest"
    keeps run 6 "$haul" send --db source --to 127.0.0.1:1 --transport tcp
    cp "$work/whole" "$manifest"
    for content in '' 'no name' "$(head -c 16 /dev/zero | tr '\0' '\n')"; do
        echo -n "$content" >source/CURRENT
        keeps run 6 "$haul" send --db source --to 127.0.0.1:1 --transport tcp
        one_error 'CURRENT names no manifest'
    done
}

test_send__log_damaged_in_its_middle__warned_and_kept() {
    "$maker" source 'fill a 20000 100' 'fill b 2000 100' 'fill c 2000 100' sync leave
    damage source
    find source -name '*.log' -exec sha256sum {} + >before.logs
    moves
    grep -q 'the log is damaged .*the log is left as it is' "$work/err" || { cat "$work/err"; fail 'no warning'; }
    find source -name '*.log' -exec sha256sum {} + >after.logs
    cmp before.logs after.logs
}

test_recv__log_damaged_in_its_middle__warned_and_copied() {
    "$maker" source 'fill x 100 100'
    "$maker" target 'fill a 20000 100' 'fill b 2000 100' sync leave
    damage target
    find target -maxdepth 1 -name '*.log' -size +0 -exec sha256sum {} + | sed 's/ .*//' | sort >before.logs
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --once
    send 0 --prefix x
    end_process "$receiver_pid"
    grep -q 'the log is damaged .*a copy is in target/haul/damaged-log-1' "$work/recv.log" || { cat "$work/recv.log"; fail 'no warning'; }
    find target/haul/damaged-log-1 -name '*.log' -size +0 -exec sha256sum {} + | sed 's/ .*//' | sort >after.logs
    cmp before.logs after.logs
    "$reader" --digest --range x:y source >source.digest
    "$reader" --digest --range x:y target >target.digest
    cmp source.digest target.digest
}

# What RocksDB does at the damage depends on the database's own wal_recovery_mode.
test_send__log_damaged_in_each_mode__warning_says_what_rocksdb_does() {
    local mode damage effect code first
    while read -r mode damage code effect; do
        rm -rf source target
        "$maker" source "options wal_recovery_mode=$mode" 'family x' 'fill a 2000 100' 'use x' 'fill b 100 100' flush \
            'use default' 'fill c 100 100' sync leave
        first=$(find source -name '*.log' | sort | head -n 1)
        case $damage in
        torn) truncate -s -37 "$first" ;;
        *) printf 'damage' | dd of="$first" bs=1 seek=3000 conv=notrunc status=none ;;
        esac
        if [[ $code == 0 ]]; then
            moves
        else
            keeps run "$code" "$haul" send --db source --to 127.0.0.1:1 --transport tcp
        fi
        grep -q "the log is damaged .*$effect .*(wal_recovery_mode $mode)" "$work/err" ||
            { cat "$work/err"; fail "$mode, $damage: not '$effect'"; }
    done <<'END'
kTolerateCorruptedTailRecords torn 0 which RocksDB reads: only the damaged records are lost
kTolerateCorruptedTailRecords inside 6 RocksDB refuses to open
kAbsoluteConsistency torn 6 RocksDB refuses to open
kAbsoluteConsistency inside 6 RocksDB refuses to open
kPointInTimeRecovery torn 6 which RocksDB will not read
kPointInTimeRecovery inside 6 which RocksDB will not read
kSkipAnyCorruptedRecords torn 0 which RocksDB reads: only the damaged records are lost
kSkipAnyCorruptedRecords inside 0 which RocksDB reads: only the damaged records are lost
END
    rm -rf source target
    "$maker" source 'options paranoid_checks=false' 'fill a 20000 100' 'fill b 2000 100' sync leave
    damage source
    "$haul" send --db source --to 127.0.0.1:1 --transport tcp >"$work/out" 2>"$work/err" || true
    grep -q 'which RocksDB reads if it can (wal_recovery_mode kPointInTimeRecovery, paranoid_checks off)' "$work/err" ||
        { cat "$work/err"; fail 'no warning'; }
}

test_status__of_a_file__told_to_give_the_directory() {
    : >file
    run 3 "$haul" status --db file
    one_error 'is not a directory'
}

run_tests
