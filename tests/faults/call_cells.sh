# SPDX-License-Identifier: Apache-2.0
# call_cells.sh — cells in which a call of one side fails, or the side is killed in its place;
# sourced after cells.sh. call_faults.h describes WHICH, N and HARM.
# shellcheck shell=bash

# preload RULE MARK: put the environment of the process to harm into the array preloaded.
preload() {
    preloaded=("LD_PRELOAD=$build/tests/libcall_faults.so" "HAUL_FAULT=$1" "HAUL_FAULT_MARK=$2"
        "HAUL_FAULT_SCOPE=${scope:-own}"
        # AddressSanitizer must be the first library.
        "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0:allocator_may_return_null=1")
}

# harmed_receive RULE [ARGUMENT...]
harmed_receive() {
    preload "$1" mark
    local setting
    for setting in "${preloaded[@]}"; do export "${setting?}"; done
    start_receiver recv.log --db target --listen "${address:-$listen_host:0}" --once "${trust_options[@]}" "${receiver_options[@]}" "${@:2}"
    unset LD_PRELOAD HAUL_FAULT HAUL_FAULT_MARK HAUL_FAULT_SCOPE
    echo "$receiver_pid" >receiver.pid
    address=$receiver_address
}

# harmed_send RULE
harmed_send() {
    preload "$1" mark
    (exec env "${preloaded[@]}" "$haul" send --db source --to "$address" --json "${trust_options[@]}" "${send_options[@]}" \
        "${load_options[@]}" >send.json 2>send.err </dev/null) &
    sender=$!
}

# call_was_met N HARM: the call suffered the harm; the mark has its name.
call_was_met() {
    local times=once name
    was_met "$2"
    [[ $1 != *+ ]] || times=onwards
    read -r name _ <mark
    note "call.$name.$times"
}

# For the receiver, which may go on listening or have ended. The sender's exit code stays in $code.
receiver_settled() {
    local code
    if ! kill -0 "$receiver_pid" 2>/dev/null; then
        ended "$receiver_pid"
        documented "$code" recv.log
    fi
    never_two
}

# call SIDE WHICH N HARM: the first migration meets the fault, whatever it leads to; then the job is
# finished.
call() {
    if [[ $1 == receiver ]]; then
        harmed_receive "$2:$3:$4"
        if [[ -z $address ]]; then # it did not start
            ended "$receiver_pid"
            documented "$code" recv.log
            ((code != 0)) || fail 'it listens nowhere and says that all is well'
            receive
        fi
        start_send
    else
        receive
        harmed_send "$2:$3:$4"
    fi
    if [[ $1-$4 == receiver-kill ]]; then
        ended "$receiver_pid"
        documented "$code" recv.log
        never_two
        killed_in receiver
        receive_again
    fi
    ended "$sender"
    documented "$code" send.err
    echo "exit code $code $(grep -m1 'haul: error' send.err)" >.seen
    [[ $code != 137 ]] || { [[ $4 == kill ]] && killed_in sender; } || fail 'killed'
    receiver_settled
    # Committed, but the end of the journal could not be written: `resolve` finishes it.
    if ((code == 0)) && grep -q 'journal could not be finished' send.err; then
        code=10
    fi
    if ((code != 0)); then
        # A receiver whose calls go on failing cannot recover: it is restarted.
        [[ $1 != receiver ]] || end_receiver
        finish
    fi
    call_was_met "$3" "$4"
    check_end
}

# count_calls SIDE WHICH: how many such calls an undisturbed migration makes.
count_calls() {
    (
        rm -rf "$world/count"
        mkdir "$world/count" && cd "$world/count"
        work=$PWD
        cp -a "$template" source
        if [[ $1 == receiver ]]; then
            harmed_receive "$2:0:trace"
            start_send
        else
            receive
            harmed_send "$2:0:trace"
        fi
        ended "$sender"
        ((code == 0)) || { cat send.err >&2; exit 1; }
        reap "$receiver_pid"
        sed -n 's/^total //p' mark
    )
}

# with_functions: reads "CALL 0xSITE" from stdin, and prints it with " FUNCTION" added. The site is
# a return address: a byte before it lies within the function. Coverage counters do not belong to
# the program.
with_functions() {
    local lines
    mapfile -t lines
    ((${#lines[@]} > 0)) || return 0
    # addr2line prints two lines for each address: the function, and where it is.
    paste -d ' ' <(printf '%s\n' "${lines[@]}") <(
        for at in "${lines[@]#* }"; do printf '0x%x\n' $((at - 1)); done |
            addr2line -fe "$haul" | sed -n '1~2 { s/[^A-Za-z0-9_]//g; p }'
    ) | grep -v ' [^ ]*gcov[^ ]*$' || true
}

# sites SIDE GROUP: "CALL 0xSITE FUNCTION" of every place in the program that makes such a call in
# each of two migrations: calls on rare paths cannot be reached at will.
sites() {
    count_calls "$1" "$2" >/dev/null
    grep -v '^total' "$world/count/mark" | sort -u >"$world/first"
    count_calls "$1" "$2" >/dev/null
    grep -v '^total' "$world/count/mark" | sort -u | comm -12 - "$world/first" | with_functions
}
