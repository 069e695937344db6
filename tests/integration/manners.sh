#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# manners.sh — haul as a process among others: what it inherits, what it leaves, what it says.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite manners "$@"

# --- descriptors and signals ----------------------------------------------------------------------

# wait_for COMMAND...: until it succeeds; nothing takes that long.
wait_for() {
    local i
    for ((i = 0; i < 600; i++)); do
        ! "$@" 2>/dev/null || return 0
        sleep 0.1
    done
    fail "in vain: $*"
}

test_descriptors__closed_at_start__are_dev_null() {
    make_database source 200
    local port=$((20000 + $$ % 9000)) fd
    "$haul" recv --db target --listen "$own_host:$port" --once <&- >&- 2>&- &
    receiver_pid=$!
    wait_for test -S target/haul/control
    for fd in 0 1 2; do
        equal "$(readlink "/proc/$receiver_pid/fd/$fd")" /dev/null
    done
    run 0 "$haul" send --db source --to "$own_host:$port" --transport tcp
    end_process "$receiver_pid" || fail "exit code $?"
    same source target
}

test_descriptors__each_closed_alone__nothing_is_written_into_the_database() {
    make_database source 100
    local before
    before=$("$kv" scan source | md5sum)
    "$haul" send --db source --to 127.0.0.1:1 -vv 2>&- || true
    "$haul" verify --db source --with source >&- || fail "exit code $?"
    "$haul" status --db source <&- >"$work/out"
    ! grep -arl 'haul: ' source || fail 'a message went into the database'
    equal "$("$kv" scan source | md5sum)" "$before"
}

test_file_size_limit__send_and_verify__no_death_by_signal() {
    make_database source 2000
    local code=0
    (ulimit -f 64; exec timeout "$limit" "$haul" send --db source --to 127.0.0.1:1 \
        >"$work/out" 2>"$work/err" </dev/null) || code=$?
    ((code > 0 && code < 124)) || fail "exit code $code"
    one_error .
    opens source
}

# --- names and keys -------------------------------------------------------------------------------

test_status__path_is_a_file__says_so() {
    echo text >file
    run 3 "$haul" status --db file
    one_error 'file is not a directory'
}

test_prefix__text_that_begins_with_0x__help_tells_how() {
    local command
    "$kv" put source 0xabc 1 other 2
    run 0 "$haul" verify --db source --with source --prefix '\0xab' --json
    equal "$(json '.families[0].records')" 1
    for command in send verify; do
        run 0 "$haul" "$command" --help
        # shellcheck disable=SC1003
        grep -qF "'\\0xab'" "$work/out" || fail "haul $command --help does not tell"
    done
    run 2 "$haul" send --db source --to 127.0.0.1:1 --prefix 0xabc
    one_error '\\0x for the text 0x'
}

test_messages__names_with_control_characters__escaped_on_every_stream() {
    local bad=$'a\e[31m\nhaul: error: forged\x9b' stream
    make_database source 10
    run 3 "$haul" send --db source --to 127.0.0.1:1 --cf "$bad" --json
    run 3 "$haul" status --db "$bad"
    one_error 'a\\x1b\[31m\\x0ahaul'
    run 2 "$haul" "$bad"
    run 2 "$haul" send --db source --to 127.0.0.1:1 --range "$bad"
    for stream in "$work/out" "$work/err"; do
        ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' "$stream" || fail 'a control character'
    done
}

run_tests
