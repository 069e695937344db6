#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# store_matrix.sh — moves every database of stores.table, and an independent reader judges.
#   tests/matrix/store_matrix.sh BUILD [PART-OF-A-NAME...]
# Each moves twice: under a live load, and with one side killed (-9) in the middle, written to by its
# own program meanwhile, and resumed. Lanes and victims alternate. Environment:
#   HAUL_MATRIX_SHARE=K/N  every N-th database, beginning with the K-th (1 to N)
#   HAUL_MATRIX=all        each with both lanes and both victims
#   HAUL_KEEP=DIR          directories of failed runs go there
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../integration/harness.sh"
table=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/stores.table
suite store_matrix "$@"
maker=$build/tests/store_maker
reader=$build/tests/store_reader

# --- one database ---------------------------------------------------------------------------------

# commands WORD: what the paragraph has after it, a line each.
commands() { sed -n "s/^$1 //p" <<<"$paragraph" | sed "s|NAME_DIR|$work|g"; }

# make DIR COMMAND...: of store_maker.
make() { "$maker" "$@" || fail "store_maker $*"; }

make_source() {
    local command list=() last=() bare=0 number
    while IFS= read -r command; do
        case $command in
        bare) bare=1 ;;
        crash) last=(leave) ;;
        'families '*)
            for ((number = 1; number <= ${command#families }; number++)); do
                list+=("create f$number" "fill f$number. 20 1000")
            done
            ;;
        *) list+=("$command") ;;
        esac
    done < <(commands source)
    ((bare)) || list+=('fill key 1200 1000' 'churn churn. 2000 1')
    make source "${list[@]}" "${last[@]}"
}

make_target() {
    local list
    mapfile -t list < <(commands target)
    ((${#list[@]} == 0)) || make target "${list[@]}"
}

# Unless the job was decided before the kill: then the source no longer owns the range.
write_later() {
    local list
    [[ $("$build/tests/owner_probe" source target) == source* ]] || return 0
    mapfile -t list < <(commands later)
    ((${#list[@]} > 0)) || list=('churn again. 200 2')
    make source "${list[@]}"
}

# read_all DIR OUTPUT ARGUMENT...: what an application reads there.
read_all() {
    "$reader" "${@:3}" "$1" >"$2" || fail "$1 cannot be read"
}

# Without what the load has written ("load:").
but_load() { grep -v '^6C6F61643A' "$1" | grep -v '^end '; }

# --- a job ----------------------------------------------------------------------------------------

address=''
receive() {
    local more
    read -r -a more < <(commands recv) || true
    start_receiver "$work/recv.log" --db target --listen "${address:-$own_host:0}" --once --lane "$lane" \
        --table-size 1M "${more[@]}"
    [[ -n $receiver_address ]] || { cat "$work/recv.log"; fail 'the receiver did not start'; }
    address=$receiver_address
}

# One link, whatever the round trip looks like on a busy machine.
send() {
    local more
    read -r -a more < <(commands send) || true
    timeout -k 5 "$limit" "$haul" send --db source --to "$address" --transport tcp --rate 4M --batch-min 32K \
        --batch-max 128K --links 1 --lane "$lane" --load 2000 --load-keys 500 --load-ledger ledger \
        --load-for 50ms --json "${more[@]}" >>"$work/send.json" 2>"$work/send.err" </dev/null
}

resume() {
    timeout -k 5 "$limit" "$haul" resume --db source --to "$address" --transport tcp --links 1 --json \
        >>"$work/send.json" 2>"$work/send.err" </dev/null
}

# What an operator does until the job is committed.
finish() {
    local code tries
    for ((tries = 0; tries < 10; tries++)); do
        kill -0 "$receiver_pid" 2>/dev/null || receive
        code=0
        send || code=$?
        case $code in
        0) return 0 ;;
        10)
            timeout "$limit" "$haul" resolve --db source --to "$address" 2>>"$work/send.err" && return 0
            ;;
        3) ! grep -q 'handed over' "$work/send.err" || return 0 ;; # it was committed before the kill
        5) ;;
        *) break ;;
        esac
    done
    cat "$work/send.err" "$work/recv.log"
    fail "never finished: $code"
}

# The receiver ends by itself, unless no sender came to it.
receiver_ends() {
    timeout 2 tail -s 0.02 --pid="$receiver_pid" -f /dev/null || kill "$receiver_pid"
    reap "$receiver_pid" || true
}

# wait_for_job: wait until the source has a journal, or the sender has ended.
wait_for_job() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        ! compgen -G 'source/haul/source-*' >/dev/null || return 0
        kill -0 "$sender" 2>/dev/null || return 0
        sleep 0.01
    done
}

kill_sender() {
    kill -9 "$sender_pid" 2>/dev/null && echo hit >>"$tally"
    wait "$sender" 2>/dev/null || true
    write_later
    # Without the load, which would open the source for writing.
    resume || finish
}

kill_receiver() {
    local code=0
    kill -9 "$receiver_pid" 2>/dev/null && echo hit >>"$tally"
    reap "$receiver_pid" || true
    ! kill -0 "$sender" 2>/dev/null || receive
    wait "$sender" || code=$?
    ((code == 0)) || { write_later; finish; }
}

# --- what must hold -------------------------------------------------------------------------------

check_end() {
    local side
    receiver_ends
    for side in source target; do
        [[ $("$haul" status --db $side) == 'no job' ]] || { "$haul" status --db $side; fail "a job is left on $side"; }
        [[ ! -e $side/haul/staging ]] || fail "staging files are left on $side"
    done
    read_all source source.text
    read_all target target.text --points
    cmp source.text target.text || { diff source.text target.text | head -n 10; fail 'the databases read differently'; }
    "$haul" verify --db target --ledger ledger >/dev/null 2>"$work/verify.err" ||
        { cat "$work/verify.err"; fail 'the ledger is not complete'; }
    # With its own program, and all its compactions.
    make target compact
    read_all target compacted.text --points
    cmp target.text compacted.text || { diff target.text compacted.text | head; fail 'a compaction changes what is read'; }
}

# --- runs -----------------------------------------------------------------------------------------

begin() {
    if grep -q '^needs direct_io' <<<"$paragraph"; then
        dd if=/dev/zero of=probe bs=4096 count=1 oflag=direct 2>/dev/null || skip 'no direct IO on this file system'
    fi
    make_source
    make_target
    read_all source before.text --points
}

# run_live LANE
run_live() {
    lane=$1
    begin
    receive
    send || { cat "$work/send.err" "$work/recv.log"; fail 'the job failed'; }
    received
    check_end
    cmp <(but_load before.text) <(but_load source.text) || fail 'the source was changed'
}

# run_killed LANE VICTIM MILLISECONDS
run_killed() {
    local sender sender_pid
    lane=$1
    begin
    receive
    # Kill the tool, not a shell or `timeout` around it.
    { send || exit "$?"; } &
    sender=$!
    wait_for_job
    sleep "0.$(printf %03d "$3")"
    sender_pid=$(pgrep -f "^$haul send --db source --to $address " | head -n 1) || true
    echo kill >>"$tally"
    "kill_$2"
    check_end
}

# --- the table ------------------------------------------------------------------------------------

# A hash of a name: the same moment in every run, before an idle machine has finished.
moment_of() { echo $(($(cksum <<<"$1" | cut -d ' ' -f 1) % 300)); }

runs_of() { # NUMBER
    local lanes=(ingest writebatch) victims=(sender receiver) lane victim
    if [[ ${HAUL_MATRIX:-} != all ]]; then
        echo "live ${lanes[$1 % 2]}"
        echo "killed ${lanes[($1 + 1) % 2]} ${victims[$1 / 2 % 2]}"
        return
    fi
    for lane in "${lanes[@]}"; do
        echo "live $lane"
        for victim in "${victims[@]}"; do echo "killed $lane $victim"; done
    done
}

# The paragraph of one database.
paragraph_of() { awk -v name="$1" '/^store / { inside = $2 == name } inside' "$table"; }

# A test function for each run, so that the harness finds them.
add_store() { # NUMBER NAME
    local run
    while IFS= read -r run; do
        eval "test_store__$2__${run// /_}() {
            paragraph=\$(paragraph_of $2)
            run_$run $(moment_of "$2 $run")
        }"
    done < <(runs_of "$1")
}

add_stores() {
    local number=0 name share=${HAUL_MATRIX_SHARE:-1/1}
    while read -r name; do
        number=$((number + 1))
        ((number % ${share#*/} != ${share%/*} % ${share#*/})) || add_store "$((number / ${share#*/}))" "$name"
    done < <(sed -n 's/^store //p' "$table")
}

# A matrix whose kills all come too late would prove nothing.
tell_kills() {
    local status=$? kills=0 hits=0
    [[ ! -e $tally ]] || { kills=$(grep -c kill "$tally") || true; hits=$(grep -c hit "$tally") || true; }
    rm -f "$tally"
    echo "$hits of $kills kills met a running process"
    ((kills < 4 || 4 * hits >= kills)) || { echo 'too few'; status=1; }
    exit "$status"
}

tally=$(mktemp "${TMPDIR:-/tmp}/haul-matrix.XXXXXX")
trap tell_kills EXIT
add_stores
run_tests
