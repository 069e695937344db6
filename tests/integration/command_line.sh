#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# command_line.sh — options, exit codes, the JSON document, signals: what a script relies on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite command_line "$@"

test_help__every_command__has_examples_and_exit_codes() {
    local command
    for command in send recv status cancel resume resolve owner drop verify bench version; do
        run 0 "$haul" "$command" --help
        grep -q "haul $command" "$work/out"
        grep -q '^Exit codes:' "$work/out"
        grep -qE '^Examples?:' "$work/out"
        [[ ! -s $work/err ]]
    done
    run 0 "$haul" --help
    grep -q '10   in doubt' "$work/out"
}

test_usage__no_command__exit_2() {
    run 2 "$haul"
    one_error "no command given: see 'haul --help'"
}

test_usage__unknown_command__exit_2() {
    run 2 "$haul" sned
    one_error "unknown command 'sned': did you mean 'haul send'\?"
    run 2 "$haul" frobnicate
    one_error "unknown command 'frobnicate': see 'haul --help'"
}

test_usage__unknown_option__names_the_nearest() {
    run 2 "$haul" send --db a --to b:1 --transprot tcp
    one_error "unknown option '--transprot': did you mean '--transport'\?"
}

test_usage__missing_value__exit_2() {
    run 2 "$haul" send --db
    one_error "option '--db' requires a value: see 'haul send --help'"
}

test_usage__missing_option__is_named() {
    run 2 "$haul" send --db a
    one_error 'send needs --to ADDR:PORT'
    run 2 "$haul" recv
    one_error 'recv needs --db DIR'
    run 2 "$haul" verify --db a
    one_error 'verify needs --with DIR'
    run 2 "$haul" bench link
    one_error 'bench needs --transport'
}

test_usage__stray_argument__exit_2() {
    run 2 "$haul" recv --db a b
    one_error "unexpected argument 'b'"
    run 2 "$haul" send a host:7447
    one_error "unexpected argument 'a': every value needs its option: haul send --db DIR --to ADDR:PORT"
}

test_usage__values_out_of_range__tell_the_range() {
    local value
    for value in 1 65M 12Q -4K '' 4.0000001 nan; do
        run 2 "$haul" send --db a --to b:1 --slot-size "$value"
        one_error "invalid value '$value' for --slot-size: bytes from 4K to 64M"
    done
    run 2 "$haul" send --db a --to b:1 --links 17
    one_error 'a number from 1 to 16'
    run 2 "$haul" send --db a --to b:1 --peer-timeout 5d
    one_error '500ms, 5s, 2m'
    run 2 "$haul" send --db a --to b:1 --transport udp
    one_error 'auto, rdma, tcp, or both'
    run 2 "$haul" send --db a --to b:1 --lane fast
    one_error 'auto, ingest or writebatch'
}

test_usage__ranges_that_are_none__exit_2() {
    local value
    for value in abc b:a a:a 0x1:0x2 0xzz: a:b:c user:a:user:b; do
        run 2 "$haul" send --db a --to b:1 --range "$value"
        one_error 'is not a range START:END'
    done
    run 2 "$haul" send --db a --to b:1 --prefix ''
    one_error 'is not a key prefix'
}

test_json__usage_error__is_a_document() {
    run 2 "$haul" send --nonsense --json
    one_error 'unknown option'
    equal "$(json .status)" failed
    equal "$(json .exit_code)" 2
    equal "$(json .error.code)" INVALID
    equal "$(json .error.retryable)" false
    [[ $(json .error.hint) == *--help* ]]
}

test_json__refused_send__has_every_member() {
    run 3 "$haul" send --db nowhere --to 127.0.0.1:1 --json
    equal "$(wc -l <"$work/out")" 1
    local member
    for member in schema_version status records bytes wire_bytes seconds transport fallback_reason \
        verified resumed rounds lag_bytes_at_freeze old_version new_version write_pause_ms job error \
        families durable_records durable_bytes pinned_log_bytes pinned_table_bytes; do
        equal "$(json "has(\"$member\")")" true
    done
    equal "$(json .error.code)" NOT_FOUND
}

test_send__dry_run__tells_sizes_and_changes_nothing() {
    make_database a 500 2
    local before
    before=$(find a -type f -not -name LOCK -not -path '*/haul/*' -exec md5sum {} + | sort)
    run 0 "$haul" send --db a --dry-run
    grep -qE '^column family default: about [0-9.]+ kB$' "$work/out" || fail 'no size'
    grep -q 'nothing was sent' "$work/out"
    run 0 "$haul" send --db a -n --cf default --json
    equal "$(json .dry_run)" true
    equal "$(json '.families | length')" 1
    equal "$(json '.bytes_expected > 100000')" true
    run 0 "$haul" send --db a -n --range 0xff: --json
    equal "$(json .bytes_expected)" 0
    equal "$(find a -type f -not -name LOCK -not -path '*/haul/*' -exec md5sum {} + | sort)" "$before"
    run 0 "$haul" status --db a
    grep -qx 'no job' "$work/out"
    run 3 "$haul" send --db a -n --cf nothing
    one_error "no column family named 'nothing'"
}

test_send__over_tcp_without_rdma__no_warning_and_a_word_of_the_copy() {
    [[ ! -d /sys/class/infiniband || -z $(ls /sys/class/infiniband) ]] || skip 'there is RDMA'
    make_database a 100
    start_receiver "$work/recv.log" --db b --listen "$own_host:0" --once
    run 0 "$haul" send --db a --to "$receiver_address"
    end_process "$receiver_pid" || fail "exit code $?"
    [[ ! -s $work/err ]] || { cat "$work/err"; fail 'a warning'; }
    ! grep -q warning "$work/recv.log" || { cat "$work/recv.log"; fail 'a warning'; }
    grep -q 'haul drop --db a' "$work/out" || fail 'no word of the copy that stays'
}

test_json__every_member__is_documented() {
    local member count=0
    while read -r member; do
        count=$((count + 1))
        grep -q "\`$member\`" "$root/docs/JSON.md" || fail "docs/JSON.md does not tell of '$member'"
    done < <({
        grep -ohE 'set(_count)?\([a-z]+, "[a-z0-9_]+"' "$root/cli/json_output.c" | grep -oE '"[a-z0-9_]+"'
        sed -n '/json_pack/,/;/p' "$root/cli/running_job.c" | grep -oE '"[a-z0-9_]+"'
    } | tr -d '"' | sort -u)
    ((count > 80)) || fail "only $count members were found"
}

test_exit_codes__document_and_help__are_the_same() {
    local code
    run 0 "$haul" --help
    for code in 0 1 2 3 4 5 6 7 8 9 10 130; do
        grep -qE "^  $code  " "$work/out" || fail "--help has no $code"
        grep -qE "^\| $code\b" "$root/docs/COMMANDS.md" || fail "docs/COMMANDS.md has no $code"
    done
}

test_version__json__names_the_release() {
    run 0 "$haul" version --json
    [[ $(json .version) =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
    local option
    for option in --version -V; do
        run 0 "$haul" "$option"
        grep -q '^haul [0-9]' "$work/out"
    done
}

test_status__no_database_there__says_so() {
    mkdir empty
    run 3 "$haul" status --db empty
    one_error 'no RocksDB database in empty'
}

test_recv__place_where_nothing_can_be_made__refused_by_name() {
    run 3 "$haul" recv --db no/parent --listen "$own_host:0"
    one_error 'no directory no in which to create parent: create it first'
    : >file
    run 3 "$haul" recv --db file --listen "$own_host:0"
    one_error 'file is not a directory'
    run 3 "$haul" recv --db file/below --listen "$own_host:0"
    one_error 'no directory file '
    run 3 "$haul" send --db file --to 127.0.0.1:1
    one_error 'no RocksDB database in file|file is not a directory'
}

test_log_time__a_line__begins_with_the_time() {
    local before after line
    before=$(date -u +%FT%T)
    run 3 "$haul" send --db none --to 127.0.0.1:1 --log-time
    after=$(date -u +%FT%T)
    line=$(cat "$work/err")
    [[ $line =~ ^([0-9T:-]+)\.[0-9]{3}Z\ haul:\ error:\  ]] || fail "no time: $line"
    [[ ! ${BASH_REMATCH[1]} < $before && ! ${BASH_REMATCH[1]} > $after ]] || fail "$line is not of $before to $after"
    run 3 "$haul" send --db none --to 127.0.0.1:1
    grep -q '^haul: error: ' "$work/err" || fail 'a time that nobody wanted'
}

test_signal__twice_within_a_moment__stops_in_order() {
    local i
    for ((i = 0; i < 5; i++)); do
        start_receiver "$work/recv.log" --db b --listen "$own_host:0"
        # As timeout(1) does: to the process, and to its group.
        kill -TERM "$receiver_pid"
        kill -TERM "$receiver_pid" 2>/dev/null || true
        end_process "$receiver_pid" || equal $? 143
        grep -q 'stopped while listening' "$work/recv.log" || { cat "$work/recv.log"; fail 'not in order'; }
    done
}

test_verify__same_database__exit_0() {
    make_database a 500
    run 0 "$haul" verify --db a --with a
    grep -q '^equal$' "$work/out"
}

test_verify__one_record_more__exit_6() {
    make_database a 500
    cp -r a b
    "$kv" put b extra value
    run 6 "$haul" verify --db a --with b --json
    one_error 'differ in 1 column family'
    equal "$(json .equal)" false
    equal "$(json '.families_with[0].records - .families[0].records')" 1
}

test_verify__difference_outside_the_range__exit_0() {
    make_database a 500
    cp -r a b
    "$kv" put b extra value
    run 0 "$haul" verify --db a --with b --range :e
    run 6 "$haul" verify --db a --with b --prefix ext
}

test_bench__loopback__reports_speed() {
    run 0 "$haul" bench link --transport loopback --seconds 200ms --json
    equal "$(json .transport)" loopback
    equal "$(json '.bytes > 0 and .seconds > 0 and .bytes_per_second > 0')" true
}

test_bench__tcp_both_ends__reports_speed() {
    run 0 "$haul" bench link --transport tcp --seconds 200ms --size 64K --links 2 --json
    equal "$(json .transport)" tcp
    equal "$(json '.bytes > 0 and .bytes_per_second > 0')" true
}

test_bench__two_addresses__exit_2() {
    run 4 "$haul" bench link --transport tcp --serve 0.0.0.0:0
    one_error 'only this host is trusted.*--insecure'
    run 4 "$haul" bench link --transport tcp --to 192.0.2.77:7448
    run 2 "$haul" bench link --transport tcp --to a:1 --serve b:2
    one_error 'exclude each other'
}

test_bench__block_larger_than_a_slot__exit_2() {
    run 2 "$haul" bench link --transport tcp --size 64K --slot-size 4K
    one_error 'a block of 65536 bytes.*give a --slot-size of 131072'
}

test_listen__link_local_address_without_its_interface__exit_2() {
    run 2 "$haul" recv --db b --listen '[fe80::77]:0'
    one_error 'add the interface: .fe80::77%eth0.:0'
}

test_signal__listening_receiver__ends_with_its_number() {
    local name number
    for name in TERM INT HUP; do
        number=$(kill -l "$name")
        start_receiver "$work/recv.log" --db b --listen "$own_host:0"
        kill "-$name" "$receiver_pid"
        end_process "$receiver_pid" || equal $? $((128 + number))
        equal "$(json_of "$work/recv.log.json" .exit_code)" $((128 + number))
        equal "$(json_of "$work/recv.log.json" .error.code)" STOPPED
    done
    opens b
}

test_signal__ignored_at_the_start__stays_ignored() {
    local name
    : >"$work/recv.log"
    (
        trap '' INT HUP TERM
        exec "$haul" recv --db b --listen "$own_host:0" 2>"$work/recv.log" </dev/null
    ) &
    receiver_pid=$!
    timeout "$limit" grep -q -m 1 'listening on' <(tail -n +1 -f "$work/recv.log" \
        --pid="$receiver_pid")
    for name in INT HUP TERM; do
        kill "-$name" "$receiver_pid"
    done
    # It still answers, and can be ended.
    kill -USR1 "$receiver_pid"
    timeout "$limit" grep -q -m 1 'haul: status: listening' <(tail -n +1 -f "$work/recv.log" \
        --pid="$receiver_pid")
    run 0 "$haul" cancel --db b
    local code=0
    end_process "$receiver_pid" || code=$?
    equal "$code" 9
}

test_signal__usr1__prints_a_status_line() {
    start_receiver "$work/recv.log" --db b --listen "$own_host:0"
    kill -USR1 "$receiver_pid"
    timeout "$limit" grep -q -m 1 'haul: status: listening' <(tail -n +1 -f "$work/recv.log" \
        --pid="$receiver_pid")
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || equal $? 143
}

test_signal__usr1_while_it_reads__verify_prints_its_figures() {
    db_bench --db=a --benchmarks=fillseq --num=300000 --value_size=10 >"$work/db_bench.log" 2>&1
    trap '' USR1 # inherited: a signal may come before main, which blocks it
    "$haul" verify --db a --with a -q >"$work/out" 2>"$work/err" &
    local pid=$!
    while kill -USR1 "$pid" 2>/dev/null && ! grep -q 'haul: status: read [0-9]* records, .* of a$' "$work/err"; do
        :
    done
    ended "$pid" 0
    grep -q 'haul: status: read' "$work/err" || fail 'no figures'
}

# A command that has no figures: the signal comes while it waits for an answer.
test_signal__usr1_for_status__not_its_end() {
    mkdir -p a/haul
    python3 - a/haul/control <<'END' &
import os, signal, socket, struct, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o600)
server.listen(1)
client = server.accept()[0]
client.recv(100)
pid = struct.unpack('3i', client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
os.kill(pid, signal.SIGUSR1)
open('signalled', 'w').close()
END
    wait_for test -S a/haul/control
    local code=0
    timeout "$limit" "$haul" status --db a >"$work/out" 2>"$work/err" || code=$?
    ((code < 124)) || fail "exit code $code"
    [[ -e signalled ]] || fail 'status did not ask'
}

test_output__closed_stdout__no_signal_death() {
    local code=0
    # The reader is gone before a byte is written.
    "$haul" version > >(exec true) 2>"$work/err" || code=$?
    ((code < 128))
}

run_tests
