#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# random_kills.sh — kill -9 of either side, or `haul cancel`, at random moments of a live migration:
# each must end with the ledger complete, both databases equal, and one owner.
#   tests/integration/random_kills.sh BUILD [COUNT [SEED [WHAT...]]]
# COUNT moments (20 by default) take turns: WHAT is sender, receiver (killed: the default is these
# two), cancel-sender, cancel-receiver. Prints each failure with the command that repeats it, and a
# closing line.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
count=${2:-20}
RANDOM=${3:-1}
victims=("${@:4}")
((${#victims[@]} > 0)) || victims=(sender receiver)
suite random_kills "$1"
records=30000 span_ms=1100 give_up=120

# Listens where the last one did; the first one sets address.
address=''
start_receiver_again() {
    start_receiver "$work/recv.log" --db target --listen "${address:-$own_host:0}" --once
    [[ -n $receiver_address ]] || { cat "$work/recv.log"; return 1; }
    address=$receiver_address
}

send_command() { # haul send, or the command that its exit code advised
    timeout -k 5 "$give_up" "$haul" "$1" --db source --to "$address" "${@:2}" --json \
        >"$work/send.json" 2>"$work/send.err" </dev/null
}

load=(--load 3000 --load-keys 2000 --load-ledger ledger --load-for 50ms)
send() { send_command send --transport tcp --rate 40M --batch-min 64K --batch-max 512K "${load[@]}"; }

# Until the job is committed, as an operator would do.
finish() {
    local code=0 tries
    for ((tries = 0; tries < 20; tries++)); do
        code=0
        send || code=$?
        case $code in
        0) return 0 ;;
        10) send_command resolve && return 0 || code=$? ;;
        3) grep -q 'handed over' "$work/send.err" && return 3 ;; # it was committed before the kill
        esac
        kill -0 "$receiver_pid" 2>/dev/null || start_receiver_again || true
    done
    echo "never finished: $code"
    cat "$work/send.err"
    return 1
}

is_whole() {
    "$haul" verify --db target --ledger ledger >/dev/null 2>"$work/verify.err" &&
        "$haul" verify --db source --with target >/dev/null 2>>"$work/verify.err" ||
        { cat "$work/verify.err"; return 1; }
}

one_owner() { # a finished job leaves no journal on either side
    local side
    for side in source target; do
        [[ $("$haul" status --db "$side") == 'no job' ]] || { "$haul" status --db "$side"; return 1; }
    done
}

kill_sender() {
    local code=0
    pkill -9 -f "$haul send --db source --to $address" && : >hit
    wait "$sender" || code=$?
    # Killed after the commit: nothing is left to send.
    [[ $code == 0 ]] || finish || [[ $? == 3 ]]
}

kill_receiver() {
    kill -9 "$receiver_pid" 2>/dev/null && : >hit
    reap "$receiver_pid" || true
    if kill -0 "$sender" 2>/dev/null; then start_receiver_again; fi
    wait "$sender" || { start_receiver_again || true; finish || [[ $? == 3 ]]; }
}

nothing_moved() {
    local records
    # A receiver that did not know of the job yet goes on listening.
    timeout 5 tail -s 0.02 --pid="$receiver_pid" -f /dev/null || kill "$receiver_pid"
    reap "$receiver_pid" || true
    records=$("$haul" verify --db target --with target --json | jq '.families | map(.records) | add')
    [[ $records == 0 ]] || { echo "$records records stayed on the target"; return 1; }
    # The target is done with it. A source that does not know yet keeps the end of the job in its
    # journal, and the next job informs it: `finish` begins one.
    [[ $("$haul" status --db target) == 'no job' ]] || { "$haul" status --db target; return 1; }
    ! "$haul" status --db source | grep -vE '^no job$|ABORTED' || return 1
}

# An undecided job is undone on both sides; after the decision it ends normally.
cancel() {
    local code=0
    "$haul" cancel --db "$1" >"$work/cancel.out" 2>&1 && : >hit
    wait "$sender" || code=$?
    [[ $code != 0 ]] || return 0
    [[ $code == 5 ]] || { echo "exit code $code"; cat "$work/send.err"; return 1; }
    nothing_moved && finish
}

# one_moment VICTIM MILLISECONDS
one_moment() {
    local victim=$1 moment=$2 sender
    cp -a "$template" source
    start_receiver_again
    send &
    sender=$!
    sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))" # the random moment
    case $victim in
    sender) kill_sender ;;
    receiver) kill_receiver ;;
    cancel-sender) cancel source ;;
    cancel-receiver) cancel target ;;
    *) echo "what is $victim?"; false ;;
    esac || return 1
    # The receiver ends by itself, unless no sender came to it.
    timeout 20 tail -s 0.02 --pid="$receiver_pid" -f /dev/null || kill "$receiver_pid"
    reap "$receiver_pid" || true
    is_whole && one_owner
}

world=$(mktemp -d "${TMPDIR:-/tmp}/haul-kills.XXXXXX")
trap 'kill -9 $(jobs -p) 2>/dev/null || true; rm -rf "$world"' EXIT
template=$world/template work=$world
db_bench --db="$template" --benchmarks=fillseq --num=$records --value_size=1000 \
    --compression_type=none >/dev/null 2>&1
passed=0 failed=0 hits=0
for ((i = 0; i < count; i++)); do
    victim=${victims[i % ${#victims[@]}]}
    moment=$((RANDOM % span_ms))
    work=$world/$i
    mkdir "$work"
    if (set -e; cd "$work"; one_moment "$victim" "$moment") >"$work/log" 2>&1; then
        passed=$((passed + 1))
        [[ ! -e $work/hit ]] || hits=$((hits + 1))
        rm -rf "$work"
    else
        failed=$((failed + 1))
        echo "FAILED kill_$i: the $victim after $moment ms (seed ${3:-1})"
        sed 's/^/  /' "$work/log" | tail -n 20
        [[ -n ${HAUL_KEEP:-} ]] && cp -a "$work" "$HAUL_KEEP/"
        rm -rf "$work"
    fi
done
echo "$hits of $count met a running process"
echo "random_kills: $passed passed, $failed failed, 0 skipped"
((hits > 0 && failed == 0))
