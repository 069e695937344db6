#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# strangers.sh — what a peer that breaks the rules, or knows more than it should, can do to a
# receiver: nothing to a job that is not its own, and nothing that an honest sender notices for
# long; and what a lying receiver can do to a comparison: end it, with an exit code that shows so.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite strangers "$@"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo 'strangers: 0 passed, 0 failed, 1 skipped: no python3'; exit 77; }

# Whatever a stranger asks for is allowed here.
receive() { receive_into target "$own_host:0" --allow-overwrite "$@"; } # ARGUMENT...

stop_receiver() {
    local code=0
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || code=$?
    equal "$code" 143
}

# stranger STEP...: what it received is in $work/heard.
stranger() {
    timeout "$limit" python3 -B "$here/stranger.py" "$receiver_address" "$@" >"$work/heard" 2>&1 </dev/null
}

# plays STEP...: to the end.
plays() { stranger "$@" || { cat "$work/heard"; fail "not to the end: $*"; }; }

heard() { grep -qE -- "$1" "$work/heard" || { cat "$work/heard"; fail "not heard: $1"; }; }

# refused PATTERN STEP...
refused() {
    local pattern=$1
    shift
    stranger "$@" || true
    heard "^Refused $pattern"
}

send() { # EXPECTED-CODE ARGUMENT...
    local expected=$1
    shift
    run "$expected" "$haul" send --db source --to "$receiver_address" --transport tcp --json "$@"
}

put() { "$kv" put "$1" "$2" value; }

# --- plans ----------------------------------------------------------------------------------------

test_recv__refused_plan_with_overwrite__the_target_is_as_it_was() {
    make_database target 100
    run 0 "$haul" verify --db target --write-manifest before
    receive
    refused "20 .*comparator" connect hello plan overwrite=1 families=3 comparator=no.such keep 5
    refused "17 .*config version" connect hello plan overwrite=1 version=9 keep 5
    refused "16 .*has no name" connect hello plan overwrite=1 family= keep 5
    stop_receiver
    run 0 "$haul" verify --db target --manifest before
    equal "$(ldb --db=target list_column_families | tail -n 1)" '{default}'
}

test_recv__families_of_a_plan_that_is_given_up__gone() {
    receive
    plays connect hello plan families=20 peer-timeout=60000 abort
    heard '^Aborted'
    stop_receiver
    equal "$(ldb --db=target list_column_families | tail -n 1)" '{default}'
}

test_recv__names_that_are_none__refused() {
    receive
    refused '16 .*NUL byte' connect hello plan 'family=a\0b' keep 5
    refused '16 .*has no name' connect hello plan family= keep 5
    refused '16 ' connect hello plan family="$(printf 'x%.0s' {1..128})" keep 5
    refused "6 .*RocksDB's own" connect hello plan family=___rocksdb_stats_history___ keep 5
    stop_receiver
    equal "$(ldb --db=target list_column_families | tail -n 1)" '{default}'
}

test_recv__versions_beyond_the_next__refused() {
    local version
    make_database source 100
    receive
    for version in 0 2 4611686018427387904 9223372036854775808 18446744073709551615; do
        refused '17 .*config version' connect hello plan "version=$version"
    done
    plays connect hello plan link last prepare commit
    send 0
    stop_receiver
    run 0 "$haul" owner --db target --json
    equal "$(json .config_version)" 2
}

# Ranges without a stream would be handed over without their records.
test_recv__plan_with_a_gap_or_no_epoch__refused() {
    local stream
    receive
    for stream in 0 1 2; do
        refused '16 .*plan is not sound.*stream' connect hello plan streams=3 without=$stream
    done
    refused '16 .*epoch' connect hello epoch=0
    plays connect hello plan streams=3 abort
    stop_receiver
}

# --- jobs of others -------------------------------------------------------------------------------

test_recv__prepared_and_gone__only_its_own_range_waits() {
    put source a1
    put source k1
    receive
    plays connect hello job=left plan link last prepare close
    send 0 --prefix k
    send 5 --prefix a --retry 300ms
    send 5 --prefix a --overwrite --retry 300ms
    stop_receiver
    run 10 "$haul" cancel --db target
    one_error 'accept-two-owners'
    run 0 "$haul" cancel --db target --accept-two-owners
    receive
    send 0 --prefix a
    stop_receiver
}

test_recv__job_of_another_known_by_its_id__nothing_happens_to_it() {
    receive
    plays connect hello job=left as=honest plan link last prepare close
    refused '20 .*database honest, not of stranger' connect hello job=left resume=1 commit
    refused '20 .*database honest, not of honest2' connect hello job=left as=honest2 resume=1 commit
    refused 16 connect hello job=left commit
    refused '20 .*database honest' connect hello plan range=k:l ends=left
    plays connect hello abort job=left
    ! grep -q Aborted "$work/heard" || fail 'the job of another was ended'
    stop_receiver
    run 0 "$haul" status --db target --json
    equal "$(json '.jobs[0].phase')" PREPARED
}

# Whoever can list the receiver's jobs, or has read an earlier connection, knows id and database.
test_recv__job_with_a_proof__without_it_nothing_happens_to_it() {
    local proof
    receive
    plays connect hello job=left as=honest plan proof=secret link last prepare close
    for proof in '' proof=another; do
        # shellcheck disable=SC2086 # a step's setting, or none
        refused '19 .*whose secret this one does not have' connect hello job=left as=honest resume=1 commit $proof
        # shellcheck disable=SC2086
        refused '19 .*whose secret this one does not have' connect hello job=left as=honest resume=1 plan $proof
        # shellcheck disable=SC2086
        refused '19 ' connect hello as=honest plan range=k:l ends=left ${proof/proof/ends-proof}
        # shellcheck disable=SC2086
        stranger connect hello as=honest abort job=left $proof || true
        ! grep -q Aborted "$work/heard" || fail 'the job was ended without its proof'
    done
    run 0 "$haul" status --db target --json
    equal "$(json '.jobs[0].phase')" PREPARED
    plays connect hello job=left as=honest resume=1 commit proof=secret
    heard '^Committed'
    stop_receiver
}

test_recv__identity_that_is_none__refused() {
    receive
    refused '16 .*does not name' connect hello as=
    refused '16 .*does not name' connect hello "as=$(printf 'x%.0s' {1..64})"
    refused '16 .*does not name' connect hello "as=$(printf 'a\nb')"
    plays connect hello "as=$(printf 'x%.0s' {1..63})"
    stop_receiver
}

test_recv__token_of_an_ended_job__refused() {
    receive
    plays connect hello plan link close hold 0.5 connect hello job=other plan range=c:d stale
    heard '^link answered 19$'
    stop_receiver
}

# --- memory ---------------------------------------------------------------------------------------

# Five unfinished batches, each of which announces 240 MiB: one more than fits.
test_recv__batches_that_never_end__the_job_ends_and_the_next_comes_through() {
    make_database source 100
    receive
    plays connect hello plan streams=5 link pieces total=240
    heard '^Abort 16 batches in fragments take more than 1082130496 bytes'
    send 0
    stop_receiver
    same source target
}

# --- receivers that lie -------------------------------------------------------------------------------

# lies_to_verify LIE CODE
lies_to_verify() {
    local lie=$1 silence=3s
    [[ $2 != 5 && $lie != pieces-for-ever ]] || silence=100ms
    timeout "$limit" python3 -B "$here/lying_target.py" "$lie" timeout -k 1 "$limit" "$haul" verify --db source \
        --to '{}' --peer-timeout $silence --retry 300ms --json >"$work/$lie.out" 2>"$work/$lie.err" || true
    read -r _ code _ seconds _ mib < <(tail -n 1 "$work/$lie.out") || true
    [[ $code == "$2" ]] || { cat "$work/$lie.err"; fail "$lie: exit code $code, expected $2"; }
    [[ $(sed -n 1p "$work/$lie.out" | jq .exit_code) == "$2" ]] || fail "$lie: no JSON document"
    [[ $(grep -c '^haul: error: ' "$work/$lie.err") == 1 ]] || { cat "$work/$lie.err"; fail "$lie: no error line"; }
    ! grep -q $'[\001-\011\013-\037\177]' "$work/$lie.err" || fail "$lie: its text reaches the terminal as it is"
    ((${seconds%.*} < 60)) || fail "$lie: $seconds s"
    case $(ldd "$haul") in
    *libasan* | *libtsan*) ;;
    *) ((mib < 96)) || fail "$lie: $mib MiB" ;;
    esac
}

test_verify_to__receiver_lies__ends_with_the_exit_code_of_the_lie() {
    local lie code lies=() pids=() pid
    make_database source 2000
    # Those that only wait come first, all at once.
    mapfile -t lies < <(python3 -B "$here/lying_target.py" --list | sort -k 2,2 -s)
    ((${#lies[@]} > 50)) || fail "only ${#lies[@]} lies"
    for lie in "${lies[@]}"; do
        read -r lie code <<<"$lie"
        lies_to_verify "$lie" "$code" &
        pids+=("$!")
        [[ $code == 5 ]] || ((${#pids[@]} % 4 != 0)) || wait "${pids[@]: -4}"
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || fail 'a lie was not met as it should'
    done
}

run_tests
