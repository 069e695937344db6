#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# call_sweep.sh — every place in the program that requests memory, a file, a socket or a thread fails
# once, and from then on: of a source, of a target, and of the short commands. No crash, no hang, no
# leak (in a build with AddressSanitizer), a documented end with one error line, and the job can be
# done afterwards.
#   tests/faults/call_sweep.sh BUILD
# cells.sh describes the variables that choose a part of the cells.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/cells.sh"
. "$(dirname "${BASH_SOURCE[0]}")/call_cells.sh"
suite call_sweep "$1"
limit=60
open_world
make_template

# The error of such a call.
error_of() {
    case $1 in
    malloc | calloc | realloc | strdup | aligned_alloc | mmap | socket | epoll_create1 | eventfd) echo ENOMEM ;;
    sendmsg | send | recvmsg | recv | connect | accept4 | getsockopt) echo ECONNRESET ;;
    pthread_*) echo EAGAIN ;;
    open | openat | opendir | fopen) echo EMFILE ;;
    pwrite | write | mkdir | mkdirat | linkat | link) echo ENOSPC ;;
    *) echo EIO ;;
    esac
}

side_cells() { # SIDE
    local name at where
    while read -r name at where; do
        cell "$1/$name/$where-$at/once" call "$1" "$at" 1 "$(error_of "$name")"
        [[ $name == poll ]] || # no system is like that, and nothing could wait for anything in it
            cell "$1/$name/$where-$at/onwards" call "$1" "$at" 1+ "$(error_of "$name")"
    done < <(sites "$1" any)
}

# --- commands that end by themselves --------------------------------------------------------------

# What a command needs: a database with an interrupted job, and a finished one.
make_left_over() {
    (
        mkdir "$world/left" && cd "$world/left"
        work=$PWD
        cp -a "$template" source
        receive
        preload pwrite:5:kill mark # of the journal: the copy has begun
        (exec env "${preloaded[@]}" "$haul" send --db source --to "$address" "${trust_options[@]}" "${send_options[@]}" >/dev/null 2>&1) || true
        [[ -e mark ]]
        kill "$receiver_pid"
        reap "$receiver_pid" || true
        [[ -n $(find source -name '*.journal') ]]
    )
}

commands=(
    'verify --db source --with source --json'
    'status --db source --json'
    'cancel --db source --json'
    'resume --db source --to 127.0.0.1:1 --retry 1ms --json'
    'resolve --db source --to 127.0.0.1:1 --retry 1ms --json'
    'bench link --transport tcp --both 127.0.0.1:0 --seconds 1 --json'
    'send --db source --prefix p --range a:b --cf default --to 127.0.0.1:1 --retry 1ms --overwrite --json'
)

# command_fails NUMBER SITE N ERROR: the command ends as documented, and the database is unchanged.
command_fails() {
    rm -rf source
    cp -a "$world/left/source" source
    preload "$2:$3:$4" mark
    code=0
    # shellcheck disable=SC2086 # words of the table
    env "${preloaded[@]}" timeout -k 5 "$limit" "$haul" ${commands[$1]} >out 2>err </dev/null || code=$?
    [[ $code != 137 ]] || fail 'it hangs'
    documented "$code" err
    echo "exit code $code $(grep -m1 'haul: error' err)" >.seen
    call_was_met "$3" "$4"
    same source "$template"
}

command_cells() {
    local i name at where
    for i in "${!commands[@]}"; do
        rm -rf "$world/trace"
        mkdir "$world/trace"
        (
            cd "$world/trace"
            cp -a "$world/left/source" source
            preload any:0:trace mark
            # shellcheck disable=SC2086 # words of the table
            env "${preloaded[@]}" "$haul" ${commands[i]} >/dev/null 2>&1 </dev/null || true
        )
        while read -r name at where; do
            cell "${commands[i]%% *}/$name/$where-$at/once" command_fails "$i" "$at" 1 "$(error_of "$name")"
            [[ $name == poll ]] ||
                cell "${commands[i]%% *}/$name/$where-$at/onwards" command_fails "$i" "$at" 1+ "$(error_of "$name")"
        done < <(grep -v '^total' "$world/trace/mark" | sort -u | with_functions)
    done
}

make_left_over
make_table 'side_cells sender' 'side_cells receiver' command_cells
share=([sender]=20 [receiver]=20 [verify]=20 [status]=20 [cancel]=20 [resume]=20 [resolve]=20 [bench]=20 [send]=20)
# Each of these once crashed, leaked or reported something false.
always='^(receiver/malloc/copy_bytes|receiver/calloc/(on_flushed|make_answer)|receiver/rmdir/|sender/calloc/sender_links_init|cancel/fopen/|bench/connect|receiver/getsockname/|(sender|receiver)/unlinkat/control_server)'
run_cells
