#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# migration.sh — whole migrations over TCP: what arrives, what is reported, what is left behind.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite migration "$@"

has_rdma_device() { compgen -G '/sys/class/infiniband/*' >/dev/null; }

test_send__three_families__all_equal() {
    make_database source 20000 3
    receive
    send 0 --compress off
    received
    same source target
    equal "$(json .status)" ok
    equal "$(json .verified)" true
    equal "$(json '.families | length')" 3
    equal "$(json '[.families[].records] | add == '"$(json .records)")" true
    equal "$(json '.bytes > 1000000 and .wire_bytes >= .bytes and .seconds > 0')" true
    equal "$(json .transport)" tcp
    equal "$(json .fallback_reason)" null
    equal "$(json '.new_version - .old_version')" 1
    equal "$(json_of "$work/recv.log.json" .verified)" true
    opens source
    opens target
}

test_send__handed_over_before__refused() {
    make_database source 100
    receive
    send 0
    received
    run 3 "$haul" send --db source --to 127.0.0.1:1 --transport tcp
    one_error 'was handed over'
    # And back: the new owner may give the database away, and then the first one owns it again.
    start_receiver "$work/recv.log" --db source --listen "$own_host:0" --once --allow-overwrite
    run 0 "$haul" send --db target --to "$receiver_address" --transport tcp --overwrite
    received
    run 3 "$haul" send --db target --to 127.0.0.1:1 --transport tcp
    one_error 'was handed over'
    same source target
}

test_send__config_versions_differ__refused_whichever_is_older() {
    local version
    make_database source 10
    receive_into target "$own_host:0" --config-version 7
    for version in 3 9; do
        send 3 --config-version $version
        one_error "the config versions differ: source $version, target 7.*view is stale"
    done
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
}

test_send__empty_database__is_moved() {
    "$kv" put source
    receive
    send 0
    received
    equal "$(json .records)" 0
}

test_send__each_lane__equal() {
    make_database source 5000
    local lane
    for lane in ingest writebatch; do
        rm -rf target source/haul # as if nothing had been handed over
        receive
        send 0 --lane "$lane"
        received
        same source target
        equal "$(json .lane)" "$lane"
    done
}

test_recv__target_compresses__so_do_its_tables() {
    make_database source 8000
    db_bench --db=target --benchmarks=fillseq,deleteseq,flush,compact --num=1 \
        --compression_type=zstd --block_size=16384 >"$work/db_bench.log" 2>&1
    receive --lane ingest
    send 0
    received
    same source target
    sst_dump --file=target --command=none --show_properties 2>/dev/null >"$work/tables"
    equal "$(sed -n 's/.*SST file compression algo: //p' "$work/tables" | sort -u)" ZSTD
    # Blocks of 16 KB instead of the default 4 KB.
    equal "$(awk -F ': ' '/# data blocks/ { blocks += $2 } /raw value size/ { bytes += $2 }
        END { print (bytes / blocks > 10000) }' "$work/tables")" 1
}

test_send__compressed__equal_and_less_on_the_wire() {
    make_database source 5000
    local when
    for when in on off; do
        rm -rf target source/haul # as if nothing had been handed over
        receive
        send 0 --compress "$when" --readers 2
        received
        same source target
        equal "$(json '.wire_bytes < .bytes')" "$([[ $when == on ]] && echo true || echo false)"
        equal "$(json .verified)" true
    done
}

test_send__slow_link__compression_is_chosen() {
    make_database source 12000
    receive
    send 0 --rate 4M --batch-min 64K --batch-max 64K -v
    received
    same source target
    grep -q 'compressing payloads' "$work/err"
    equal "$(json '.wire_bytes < .bytes')" true
}

# The link is as fast as memory, and still the sender waits: for a target that RocksDB slows down.
test_send__slow_target__nothing_is_compressed() {
    local slow='write_buffer_size=262144;level0_slowdown_writes_trigger=1;level0_stop_writes_trigger=1000'
    make_database source 20000
    "$maker" target "options compression=kNoCompression;level0_file_num_compaction_trigger=1000;$slow;delayed_write_rate=8000000" \
        'put other x' 'delete other'
    receive --lane writebatch
    send 0 --lane writebatch -v
    received
    same source target
    if grep 'compressing payloads' "$work/err"; then fail 'it compresses'; fi
    equal "$(json '.wire_bytes > .bytes')" true
}

test_send__links_readers_and_small_slots__equal() {
    make_database source 20000
    receive --appliers 2 --slot-size 64K
    send 0 --links 3 --readers 2 --slots 4 --slot-size 64K --batch-min 16K --batch-max 32K
    received
    same source target
}

test_send__one_family__others_stay() {
    make_database source 6000 3
    receive
    send 0 --cf default
    received
    equal "$(json '.families | length')" 1
    run 0 "$haul" verify --db source --with target --cf default
    run 6 "$haul" verify --db source --with target
}

test_send__range__only_its_keys() {
    make_database source 5000
    receive
    send 0 --range 0x0000000000000400:0x0000000000000800
    received
    equal "$(json '.records > 0')" true
    run 0 "$haul" verify --db source --with target --range 0x0000000000000400:0x0000000000000800
    run 0 "$haul" verify --db target --with target --json
    equal "$(json '.families[0].records')" "$(json_of "$work/recv.log.json" .records)"
}

test_send__prefix__only_its_keys() {
    "$kv" put source user:1 a user:2 b used:1 c uses:1 d
    receive
    send 0 --prefix user:
    received
    equal "$(json .records)" 2
    equal "$("$kv" scan target | tr '\n' '|')" 'user:1 : a|user:2 : b|'
}

test_send__target_not_empty__refused_unless_both_say_overwrite() {
    make_database source 2000
    "$kv" put target 00 old
    receive
    send 3
    one_error '--overwrite, where the receiver has --allow-overwrite'
    equal "$(json .error.code)" NOT_EMPTY
    send 3 --overwrite
    one_error 'the receiver does not allow --overwrite: .*already holds records.*allow-overwrite'
    equal "$(json .error.code)" NOT_EMPTY
    kill -TERM "$receiver_pid"
    received 143
    equal "$("$kv" scan target)" '00 : old'
    receive --allow-overwrite
    # A refused job does not count as ended: the same receiver accepts the better command.
    send 0 --overwrite
    received
    same source target
}

test_send__ipv6_literal__equal() {
    [[ -e /proc/net/if_inet6 ]] || skip 'this machine has no IPv6'
    make_database source 1000
    start_receiver "$work/recv.log" --db target --listen '[::1]:0' --once
    [[ $receiver_address == '[::1]:'* ]]
    send 0
    received
    same source target
}

test_send__auto_without_device__falls_back_and_says_why() {
    ! has_rdma_device || skip 'this machine has an RDMA device'
    make_database source 1000
    receive
    run 0 "$haul" send --db source --to "$receiver_address" --json -v
    received
    equal "$(json .transport)" tcp
    [[ $(json .fallback_reason) != null ]]
    grep -q 'info: no rdma, falling back to tcp' "$work/err"
}

test_send__rdma_without_device__refused_and_says_why() {
    ! has_rdma_device || skip 'this machine has an RDMA device'
    make_database source 1000
    receive
    run 3 "$haul" send --db source --to "$receiver_address" --transport rdma --json
    one_error '[Rr](DMA|dma)'
    kill -TERM "$receiver_pid" 2>/dev/null || true
    end_process "$receiver_pid" || true
    opens source
}

test_send__quiet__nothing_on_stderr() {
    make_database source 1000
    receive
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp -q
    received
    [[ ! -s $work/err && ! -s $work/out ]]
}

test_send__terminal__shows_a_bar_unless_dumb() {
    command -v script >/dev/null || skip 'no script(1) to make a terminal'
    make_database source 4000
    local terminal
    for terminal in xterm dumb; do
        rm -rf target source/haul # as if nothing had been handed over
        receive
        TERM=$terminal NO_COLOR=1 timeout "$limit" script -qec "$haul send --db source \
            --to $receiver_address --transport tcp --rate 4M" "$work/screen" >/dev/null </dev/null
        received
        grep -q 'verified' "$work/screen"
        case $terminal in
        xterm) grep -q '\[[#.]*\]' "$work/screen" ;;
        dumb) ! grep -q '\[[#.]*\]' "$work/screen" || fail 'a bar' ;;
        esac
        ! grep -q $'\033\[32m' "$work/screen" || fail 'a colour'
    done
}

test_recv__cpu_list__its_threads_run_there() {
    local cpu
    cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
    receive --cpu-list "$cpu"
    # RocksDB's own threads stay where they were; with one processor all are there.
    grep -hx "Cpus_allowed_list:[[:space:]]*$cpu" "/proc/$receiver_pid/task"/*/status >/dev/null ||
        fail 'no thread runs there alone'
    make_database source 100
    send 0 --cpu-list "$cpu"
    received
    same source target
}

test_recv__cpu_list_that_is_none__refused() {
    run 2 "$haul" recv --db target --listen "$own_host:0" --cpu-list 3-1
    one_error 'invalid list of processors'
    run 2 "$haul" recv --db target --listen "$own_host:0" --cpu-list 1023
    one_error 'may not use'
}

# slow_send ARGUMENT...: a sender in the background that needs some seconds; returns when it has
# sent records. Sets sender_pid; its result goes to $work/out.
slow_send() {
    local line=''
    exec {sender_fd}< <(exec env --default-signal=INT "$haul" send --db source --to "$receiver_address" --transport tcp \
        --json --rate 2M --batch-min 16K --batch-max 32K -v "$@" 2>&1 >"$work/out" </dev/null)
    sender_pid=$!
    : >"$work/err"
    # It accepts signals from its first line on, and answers each with a line.
    until [[ $line =~ 'status: copying: '.*', '[1-9][0-9]*' records' ]]; do
        read -r -t "$limit" -u "$sender_fd" line || { cat "$work/err"; fail 'the sender ended early'; }
        printf '%s\n' "$line" >>"$work/err"
        kill -USR1 "$sender_pid"
    done
    cat <&"$sender_fd" >>"$work/err" &
    exec {sender_fd}<&-
}

test_send__interrupted__exit_130_and_run_again_goes_on() {
    make_database source 20000
    receive
    slow_send
    kill -INT "$sender_pid"
    local code=0
    end_process "$sender_pid" || code=$?
    equal "$code" 130
    equal "$(json .error.code)" STOPPED
    equal "$(json .error.retryable)" true
    opens source
    send 0
    equal "$(json .resumed)" true
    received
    same source target
}

test_send__killed_receiver__temporary_and_run_again() {
    make_database source 20000
    receive --peer-timeout 2s
    slow_send --peer-timeout 2s
    kill -9 "$receiver_pid"
    local code=0
    end_process "$sender_pid" || code=$?
    equal "$code" 5
    one_error '.'
    equal "$(json .error.retryable)" true
    opens source
    opens target
    receive
    send 0 --overwrite
    received
    same source target
}

test_send__killed_sender__receiver_serves_the_next() {
    make_database source 20000
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --peer-timeout 2s
    slow_send --peer-timeout 2s
    kill -9 "$sender_pid"
    end_process "$sender_pid" || true
    opens source
    local job
    job=$(grep -oE '[0-9a-f]{32}' "$work/recv.log" | head -n 1) || true
    timeout "$limit" bash -c 'until "$0" "$@" >out.again 2>err.again; do
        [[ $? == 3 || $? == 5 ]] || exit 1; done' "$haul" send --db source --to "$receiver_address" \
        --transport tcp --json --overwrite ${job:+--job "$job"} || { cat err.again; fail 'never served'; }
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || equal $? 143
    same source target
}

run_tests
