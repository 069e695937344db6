# SPDX-License-Identifier: Apache-2.0
# cells.sh — a table of cells, each one fault in one migration of a small database, and the checks
# that hold whatever happened; sourced.
#
#   . cells.sh; suite NAME BUILD; cell NAME COMMAND...; run_cells
#
# The command of a cell ends with check_end, which checks what must hold at the end.
# A cell is a subshell with `set -e` in a directory of its own. It fails if its fault did not happen,
# if a process ends in an undocumented way, or if at the end there is not exactly one owner with
# everything. Every cell prints one line, and at the end there is a line "seen WHAT COUNT" for
# whatever the passed ones have noted. Environment:
#   HAUL_FAULT_CELLS=all all cells, not only the suite's share of each class (the first part of a name)
#   HAUL_FAULT_FROM=N    the first N cells were done before (of all: a share has an order of its own)
#   HAUL_FAULT_SECONDS=N start no cell after this time
#   HAUL_FAULT_DONE=FILE gets the number of the next cell, 0 when all are done
#   HAUL_FAULT_TABLE=FILE  keeps the table from run to run, so that numbers mean the same cells
#   HAUL_FAULT_ONLY=RE   cells with such a name only
#   HAUL_KEEP=DIR        directories of failed cells go there
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../integration/harness.sh"

cell_names=() cell_commands=()
# Run one cell in this many of each class (1: all), and every cell whose name matches `always`.
declare -A share=()
always='^$'

# cell NAME COMMAND ARGUMENT...: words without blanks.
cell() {
    cell_names+=("$1")
    cell_commands+=("${*:2}")
}

# make_table COMMAND...: run the commands that name the cells, unless an earlier run has kept the
# table.
make_table() {
    local step name command
    if [[ -s ${HAUL_FAULT_TABLE:-} ]]; then
        while read -r name command; do
            cell "$name" "$command"
        done <"$HAUL_FAULT_TABLE"
        return
    fi
    for step in "$@"; do $step; done
    [[ -n ${HAUL_FAULT_TABLE:-} ]] || return 0
    for step in "${!cell_names[@]}"; do
        echo "${cell_names[step]} ${cell_commands[step]}"
    done >"$HAUL_FAULT_TABLE"
}

# note WHAT: the cell has met this; one word.
note() { echo "$1" >>"$work/.notes"; }

# was_met HARM: the fault has left its mark.
was_met() {
    [[ -e mark ]] || fail 'the fault was not met'
    note "harm.$1"
}

# A source of two column families, small enough to be moved in a moment.
make_template() {
    template=$world/template
    db_bench --db="$template" --benchmarks=fillseq --num="${1:-400}" --value_size=500 --num_column_families=2 \
        --compression_type=none --seed=7 >/dev/null 2>&1
}

# --- processes ------------------------------------------------------------------------------------

# receive ARGUMENT...: listens where the last one did, if there was one. Its process id goes to
# receiver.pid.
address='' listen_host=${HAUL_RIG_ADDRESS:-$own_host}
trust_options=() # what goes wrong here does not depend on keys
[[ -z ${HAUL_RIG_ADDRESS:-} ]] || trust_options=(--insecure)
receive() {
    start_receiver recv.log --db target --listen "${address:-$listen_host:0}" --once "${trust_options[@]}" "${receiver_options[@]}" "$@"
    [[ -n $receiver_address ]] || { cat recv.log; fail 'the receiver did not start'; }
    address=$receiver_address
    echo "$receiver_pid" >receiver.pid
}

receive_again() {
    cat recv.log >>recv.old 2>/dev/null || true
    receive
}

# What the sender connects to: the receiver, or a proxy in front of it.
front=''
# One link and one reader, whatever the round trip looks like on a busy machine: then places are the
# same.
send_options=(--transport tcp --links 1 --readers 1 --retry 3s --batch-min 16K --batch-max 32K)
load_options=(--load 4000 --load-keys 200 --load-for 5ms --load-ledger ledger)
receiver_options=()

# haul VERB from the source; replaces this process.
become_sender() {
    exec timeout -k 5 "$limit" "$haul" "$@" --to "${front:-$address}" "${trust_options[@]}" --json >send.json 2>send.err </dev/null
}

start_send() {
    (exec "$haul" send --db source --to "${front:-$address}" --json "${trust_options[@]}" "${send_options[@]}" \
        "${load_options[@]}" "$@" >send.json 2>send.err </dev/null) &
    sender=$!
    echo "$sender" >sender.pid
}

# ended PID: wait for it; its exit code is in $code.
ended() {
    code=0
    end_process "$1" || code=$?
}

# documented CODE LOG: the process ended as docs/COMMANDS.md has it, with one error line if it
# failed.
documented() {
    ! grep -qE 'Sanitizer|runtime error' "$2" || { cat "$2"; fail 'a sanitizer spoke'; }
    case $1 in
    0) return 0 ;;
    134) # RocksDB as Debian builds it asserts that no log is synced after a failed write
        grep -qE 'rocksdb::.*Assertion' "$2" || { cat "$2"; fail "exit code $1"; }
        return 0
        ;;
    137) # killed, by this test only
        [[ -e mark ]] || fail 'killed'
        return 0
        ;;
    3 | 4 | 5 | 6 | 7 | 8 | 9 | 10) ;;
    *) cat "$2"; fail "exit code $1" ;;
    esac
    [[ $(grep -c '^haul: error: ' "$2") == 1 ]] || { cat "$2"; fail "exit code $1 without one error line"; }
}

# Send the signal that an operator sends; the process may have ended by itself.
end_receiver() {
    kill "$receiver_pid" 2>/dev/null || true
    ended "$receiver_pid"
    [[ $code == 143 ]] || documented "$code" recv.log
}

# --- what must hold -------------------------------------------------------------------------------

# never_two: the records do not name two owners at this moment.
never_two() {
    local state
    state=$("$build/tests/owner_probe" source target) || fail 'the records cannot be read'
    [[ $state != both* ]] || fail "two owners: $state"
}

# killed_in SIDE: note the phase in which the cell has killed it, before any process continues from
# there.
killed_in() {
    local phases
    read -r -a phases < <("$build/tests/owner_probe" source target | tail -n 1)
    [[ $1 == sender ]] || phases=("${phases[1]}")
    note "kill.$1.${phases[0]}"
}

# What an operator does until the job is committed, as the exit codes advise.
finish() {
    local tries
    for ((tries = 0; tries < 6; tries++)); do
        kill -0 "$receiver_pid" 2>/dev/null || receive_again
        start_send
        ended "$sender"
        documented "$code" send.err
        never_two
        case $code in
        0) return 0 ;;
        3) ! grep -q 'handed over' send.err || { end_receiver && return 0; } ;; # it was committed already
        10)
            (become_sender resolve --db source) && return 0 ;;
        esac
    done
    cat send.err recv.log
    fail "never finished: $code"
}

# clear_left: a side that could not remove its socket has reported so, and the next command there
# removes it. The same holds for a side that could not remove its empty staging directory, and for a
# source that could not read its own jobs and so kept the second names of its log.
clear_left() {
    local side log
    [[ ! -e source/haul/log-links ]] || "$haul" cancel --db source >/dev/null 2>&1 || true
    ! grep -q 'the staging directory .* stays' recv.log || [[ ! -d target/haul/staging ]] || rmdir target/haul/staging
    for side in source target; do
        log=recv.log
        [[ $side == target ]] || log=send.err
        [[ -S $side/haul/control ]] && grep -q 'cannot remove the control socket' "$log" || continue
        start_receiver next.log --db "$side" --listen "$listen_host:0" "${trust_options[@]}"
        end_receiver
    done
}

# check_end: the target has everything and owns it; nothing else is left.
check_end() {
    timeout 5 tail -s 0.02 --pid="$receiver_pid" -f /dev/null || end_receiver # it may still listen
    reap "$receiver_pid" || true
    clear_left
    equal "$("$build/tests/owner_probe" source target | head -n 1)" 'target 0 0'
    same source target
    [[ ! -e ledger ]] || "$haul" verify --db target --ledger ledger >/dev/null 2>verify.err ||
        { cat verify.err; fail 'the ledger is not complete'; }
}

# --- the run --------------------------------------------------------------------------------------

run_cell() { # NAME COMMAND
    local status=0
    work=$world/cell
    mkdir "$work"
    (
        set -e
        trap end_leftovers EXIT
        cd "$work"
        cp -a "$template" source
        # shellcheck disable=SC2086 # words of the table
        $2
    ) >"$work/.log" 2>&1
    status=$?
    if ((status == 0)); then
        tests_passed=$((tests_passed + 1))
        echo "ok $1 $(cat "$work/.seen" 2>/dev/null)"
        cat "$work/.notes" >>"$world/notes" 2>/dev/null
    elif ((status == 77)) && [[ -e $work/.skipped ]]; then
        tests_skipped=$((tests_skipped + 1))
        echo "SKIPPED $1: $(cat "$work/.skipped")"
    else
        tests_failed=$((tests_failed + 1))
        echo "FAILED $1"
        tail -n 40 "$work/.log" | sed 's/^/  /'
        [[ -z ${HAUL_KEEP:-} ]] || cp -a "$work" "$HAUL_KEEP/${1//\//_}"
    fi
    rm -rf "$work"
}

# choose_share: print a line for each cell, "1 PLACE" if it belongs to the share, otherwise "0 PLACE"; the
# places mix the classes, so that an end before the last cell is not the end of whole classes. The choice depends on the
# cell's name alone, so the share is the same on every machine, whatever other cells there are;
# addresses change with the build and do not count. A class without any gets one cell.
choose_share() {
    local name
    for name in "${cell_names[@]}"; do
        echo "${share[${name%%/*}]:-1} $name"
    done | awk '
        BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i }
        {
            name = $2
            gsub(/-0x[0-9a-f]+/, "", name)
            sum = 5381
            for (i = 1; i <= length(name); i++) sum = (sum * 33 + code[substr(name, i, 1)]) % 2147483647
            class[NR] = substr($2, 1, index($2, "/") - 1)
            chosen[NR] = sum % $1 == 0
            place[NR] = sum * 7919 % 1000003
            count[class[NR]] += chosen[NR]
            if (!(class[NR] in least) || sum < least[class[NR]]) {
                least[class[NR]] = sum
                at[class[NR]] = NR
            }
        }
        END {
            for (i = 1; i <= NR; i++)
                print (chosen[i] || (count[class[i]] == 0 && at[class[i]] == i)), place[i]
        }'
}

is_chosen() { # NUMBER
    local name=${cell_names[$1]}
    if [[ -n ${HAUL_FAULT_ONLY:-} ]]; then
        [[ $name =~ $HAUL_FAULT_ONLY ]]
    else
        [[ ${HAUL_FAULT_CELLS:-} == all || ${in_share[$1]} == '1 '* || $name =~ $always ]]
    fi
}

run_cells() {
    set +e
    tests_passed=0 tests_failed=0 tests_skipped=0
    local i next=0 in_share order=("${!cell_names[@]}")
    mapfile -t in_share < <(choose_share)
    echo "$suite_name: ${#cell_names[@]} cells in the table"
    [[ ${HAUL_FAULT_CELLS:-} == all ]] ||
        mapfile -t order < <(printf '%s\n' "${in_share[@]}" | awk '{ print $2, NR - 1 }' | sort -n | cut -d ' ' -f 2)
    for i in "${order[@]}"; do
        ((i >= ${HAUL_FAULT_FROM:-0})) && is_chosen "$i" || continue
        if ((SECONDS >= ${HAUL_FAULT_SECONDS:-1000000})); then
            next=$i
            break
        fi
        run_cell "${cell_names[i]}" "${cell_commands[i]}"
    done
    [[ ! -e $world/notes ]] || sort "$world/notes" | uniq -c | awk '{ print "seen", $2, $1 }'
    [[ -z ${HAUL_FAULT_DONE:-} ]] || echo "$next" >"$HAUL_FAULT_DONE"
    echo "$suite_name: $tests_passed passed, $tests_failed failed, $tests_skipped skipped"
    ((tests_passed > 0 && tests_failed == 0))
    exit
}

open_world() {
    world=$(mktemp -d "${TMPDIR:-/tmp}/haul-cells.XXXXXX")
    trap 'kill -9 $(jobs -p) 2>/dev/null; rm -rf "$world"' EXIT
}
