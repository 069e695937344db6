#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bad_input.sh — wrong addresses, wrong files and hostile peers: one clear line, the right exit
# code, databases that still open, and nothing that hangs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite bad_input "$@"

# --- the sender's side ----------------------------------------------------------------------------

# send_to CODE ADDRESS PATTERN [ARGUMENT...]
send_to() {
    local code=$1 address=$2 pattern=$3
    shift 3
    [[ -d source ]] || make_database source 200
    run "$code" "$haul" send --db source --to "$address" --transport tcp --peer-timeout 1s --json "$@"
    one_error "$pattern"
    equal "$(json .exit_code)" "$code"
    opens source
}

# hostile_listener FAULT: sets listener_address.
hostile_listener() {
    mkfifo listener.pipe
    "$hostile" listen "$1" >listener.pipe &
    read -r listener_address <listener.pipe
    listener_address=${listener_address#listening on }
}

# A port that was free a moment ago.
free_port() {
    start_receiver "$work/free.log" --db free --listen "$own_host:0"
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
    echo "$receiver_address"
}

test_send__nothing_listens__temporary() {
    send_to 5 "$(free_port)" "[Rr]efused.*haul recv"
    equal "$(json .error.retryable)" true
}

test_send__not_a_haul_peer__permanent() {
    hostile_listener garbage
    send_to 7 "$listener_address" 'haul'
    equal "$(json .error.code)" PROTOCOL
}

test_send__silent_peer__temporary_in_time() {
    hostile_listener silent
    send_to 5 "$listener_address" '.'
    equal "$(json .error.code)" TIMEOUT
}

test_send__peer_hangs_up_at_once__one_line() {
    hostile_listener close
    make_database source 200
    local code=0
    timeout "$limit" "$haul" send --db source --to "$listener_address" --transport tcp --retry 1s \
        >"$work/out" 2>"$work/err" || code=$?
    # The kernel may answer with an end (no haul peer) or with a reset (connection lost); the sender
    # retries, and nobody listens there any more.
    [[ $code == 7 || $code == 5 ]] || fail "exit code $code"
    one_error 'not a haul peer|connect'
    opens source
}

test_send__peer_of_another_version__preflight() {
    hostile_listener version
    send_to 3 "$listener_address" 'version'
    equal "$(json .error.code)" VERSION
}

test_send__address_without_port__usage() {
    send_to 2 127.0.0.1 'ADDR:PORT'
    send_to 2 ::1:7447 'ADDR:PORT'
    send_to 2 127.0.0.1:99999 'ADDR:PORT'
}

test_send__name_that_does_not_resolve__preflight() {
    send_to 3 no-such-host.invalid:7447 'no-such-host.invalid'
}

test_send__no_such_database__preflight() {
    run 3 "$haul" send --db nowhere --to 127.0.0.1:1 --json
    one_error 'nowhere'
    [[ ! -e nowhere ]]
}

test_send__directory_is_no_database__preflight() {
    mkdir empty
    run 3 "$haul" send --db empty --to 127.0.0.1:1
    one_error 'empty'
    equal "$(ls -A empty)" ''
}

test_send__unknown_family__preflight() {
    send_to 3 127.0.0.1:1 "nosuch" --cf nosuch
}

test_send__locked_database__temporary() {
    start_receiver "$work/recv.log" --db source --listen "$own_host:0"
    run 5 "$haul" send --db source --to 127.0.0.1:1 --json
    one_error 'source'
    equal "$(json .error.code)" BUSY
}

test_send__corrupt_manifest__fails_and_changes_nothing() {
    make_database source 200
    local manifest
    manifest=$(echo source/MANIFEST-*)
    printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | dd of="$manifest" conv=notrunc status=none
    cp -r source before
    local code=0
    timeout "$limit" "$haul" send --db source --to 127.0.0.1:1 >"$work/out" 2>"$work/err" || code=$?
    [[ $code == 6 || $code == 7 ]] || fail "exit code $code"
    one_error '[Cc]orrupt|checksum|MANIFEST|manifest'
    cmp "$manifest" "before/${manifest#source/}"
}

# --- the receiver's side --------------------------------------------------------------------------

test_recv__port_in_use__temporary() {
    start_receiver "$work/recv.log" --db first --listen "$own_host:0"
    run 5 "$haul" recv --db second --listen "$receiver_address" --json
    one_error "${receiver_address##*:}"
    equal "$(json .error.code)" BUSY
}

test_recv__locked_database__temporary() {
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    run 5 "$haul" recv --db target --listen "$own_host:0" --json
    one_error 'target'
    equal "$(json .error.code)" BUSY
}

test_recv__directory_that_cannot_be_written__one_line() {
    local code=0
    timeout "$limit" "$haul" recv --db /proc/db --listen "$own_host:0" >"$work/out" 2>"$work/err" ||
        code=$?
    [[ $code == 3 || $code == 7 ]] || fail "exit code $code"
    one_error '/proc/db'
}

test_recv__path_is_a_file__one_line() {
    echo text >file
    local code=0
    timeout "$limit" "$haul" recv --db file --listen "$own_host:0" >"$work/out" 2>"$work/err" || code=$?
    [[ $code == 3 || $code == 7 ]] || fail "exit code $code"
    one_error 'file'
    equal "$(cat file)" text
}

test_recv__address_of_another_machine__one_line() {
    local code=0
    timeout "$limit" "$haul" recv --db target --listen 192.0.2.1:7447 >"$work/out" 2>"$work/err" ||
        code=$?
    ((code != 0 && code < 124)) || fail "exit code $code"
    one_error '192\.0\.2\.1'
}

# --- hostile senders ------------------------------------------------------------------------------

# attack FAULT PATTERN: the receiver ends the hostile session, reports it in one line, has lost and
# gained no record, and serves an honest sender.
attack() {
    local fault=$1 pattern=$2 lines
    "$kv" put target a-mine 1 z-mine 2
    "$kv" put source p-new 1 p-more 2
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --peer-timeout 2s
    timeout "$limit" "$hostile" attack "$receiver_address" "$fault" || fail "the attack ended with $?"
    until timeout "$limit" "$haul" send --db source --to "$receiver_address" --transport tcp \
        --prefix p- --json >"$work/out" 2>"$work/err"; do
        # The hostile session may still be ending.
        [[ $(json .error.code) == BUSY ]] || { cat "$work/err" "$work/recv.log"; fail 'not served'; }
    done
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || equal $? 143
    lines=$(grep -cE '^haul: (warning|error): ' "$work/recv.log") || true
    grep -E '^haul: (warning|error): ' "$work/recv.log" | grep -qE -- "$pattern" ||
        { cat "$work/recv.log"; fail "$lines lines, none matches /$pattern/"; }
    # What a vanished sender had sent is kept for its return, if it had been applied.
    [[ $fault != none ]] || timeout "$limit" "$haul" cancel --db target >/dev/null 2>&1 || true
    opens target
    equal "$("$kv" scan target | tr '\n' '|')" \
        'a-mine : 1|p-more : 2|p-new : 1|z-mine : 2|'
}

test_recv__not_a_haul_peer__turned_away() { attack garbage 'peer|preamble|haul'; }
test_recv__wrong_version__turned_away() { attack version 'version'; }
test_recv__bad_preamble_crc__turned_away() { attack preamble-crc 'checksum|preamble|peer'; }
test_recv__wrong_message_magic__session_ends() { attack frame-magic 'magic|frame|message'; }
test_recv__bad_message_crc__session_ends() { attack frame-crc 'damaged'; }
test_recv__truncated_message__session_ends() { attack frame-truncated 'closed|truncated|ended'; }
test_recv__oversized_message__session_ends() { attack frame-oversized 'bytes|large|long|exceed'; }
test_recv__message_that_is_noise__session_ends() { attack message-garbage 'HELLO|message'; }
test_recv__message_out_of_turn__session_ends() { attack message-early 'COMMIT|message|HELLO'; }
test_recv__wrong_block_magic__job_ends() { attack block-magic 'magic'; }
test_recv__bad_block_header_crc__job_ends() { attack block-header-crc 'checksum'; }
test_recv__bad_payload_crc__job_ends() { attack block-payload-crc 'checksum|CRC'; }
test_recv__wrong_sequence__job_ends() { attack block-sequence 'block 5|sequence|expected'; }
test_recv__other_epoch__job_ends() { attack block-epoch 'epoch'; }
test_recv__length_beyond_the_slot__job_ends() { attack block-oversized 'slot|fit'; }
test_recv__unknown_stream__job_ends() { attack block-stream 'stream'; }
test_recv__record_outside_the_range__job_ends() { attack record-outside 'range|outside'; }
test_recv__unknown_tag__job_ends() { attack record-tag 'tag|record|batch'; }
test_recv__unknown_family__job_ends() { attack record-family 'family'; }
test_recv__torn_record__job_ends() { attack record-torn 'batch|record|torn'; }
test_recv__count_that_lies__job_ends() { attack count-lies 'count|batch|record'; }
test_recv__sender_that_vanishes__job_ends() { attack none 'closed|lost|ended|timeout|silent'; }

run_tests
