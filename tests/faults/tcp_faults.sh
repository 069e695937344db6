#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tcp_faults.sh — the fault matrix of real processes over TCP: connections are cut, stalled and
# altered, and processes killed and stopped, at named bytes (fault_proxy.c); calls fail and processes
# are killed at the n-th call (call_faults.h); disks are full.
#   tests/faults/tcp_faults.sh BUILD [SEED]
# cells.sh describes the variables that choose a part of the cells; all of them take an hour.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/cells.sh"
. "$(dirname "${BASH_SOURCE[0]}")/call_cells.sh"
suite tcp_faults "$1"
seed=${2:-1}
open_world
make_template
load=("${load_options[@]}")

# --- places in the streams ------------------------------------------------------------------------

start_proxy() { # PLACE HARM [VICTIM]
    exec {proxy_fd}< <(exec "$build/tests/fault_proxy" "$address" "$1" "$2" mark ${3:+"$3.pid"} 2>&1)
    receivers+=("$!") # for the clean-up
    read -r -u "$proxy_fd" front
    front=${front#listening on }
}

# place PLACE HARM [sender|receiver]
place() {
    receive
    start_proxy "$@"
    start_send
    case $2-${3:-} in
    kill-receiver)
        ended "$receiver_pid"
        documented "$code" recv.log
        never_two
        [[ $code != 137 ]] || { killed_in receiver; receive_again; }
        ;;
    stop-*)
        until [[ -e mark ]]; do kill -0 "$sender" || break; done
        sleep 0.05 # it is stopped: the fault itself
        never_two
        kill -CONT "$(<"$3.pid")"
        ;;
    esac
    ended "$sender"
    documented "$code" send.err
    never_two
    [[ $code != 137 ]] || killed_in sender
    echo "exit code $code $(grep -m1 "haul: error" send.err)" >.seen
    ((code == 0)) || finish
    was_met "$2"
    check_end
}

cancel_copying() {
    until "$haul" status --db source --json 2>/dev/null | jq -e '.running.records > 0' >/dev/null; do
        kill -0 "$sender" || fail 'it has ended'
    done
    "$haul" cancel --db source >/dev/null 2>&1 & # it waits for the end, which a kill may cause
}

# cancelled_call N: kill it at its N-th write to its journal.
cancelled_call() {
    receive
    load_options=() send_options+=(--rate 50K)
    harmed_send "pwrite:$1:kill"
    cancel_copying
    ended "$sender"
    equal "$code" 137
    never_two
    killed_in sender
    finish
    call_was_met "$1" kill
    check_end
}

# cancelled_place PLACE VICTIM: the operator cancels a job in mid-copy, and one side is killed while
# both clear.
cancelled_place() {
    receive
    start_proxy "$1" kill "$2"
    load_options=() # only the cancel ends the job
    start_send --rate 50K
    cancel_copying
    if [[ $2 == receiver ]]; then
        ended "$receiver_pid"
        documented "$code" recv.log
        never_two
        [[ $code != 137 ]] || { killed_in receiver; receive_again; }
    fi
    ended "$sender"
    [[ $code == 9 ]] || documented "$code" send.err
    never_two
    [[ $code != 137 ]] || killed_in sender
    echo "exit code $code" >.seen
    finish
    was_met kill
    check_end
}

abort_cells() {
    local frame at side
    for frame in control.up.11 control.down.12; do
        for at in 0 8 16 999; do
            for side in sender receiver; do
                cell "abort/$frame.$at/kill-$side" cancelled_place "$frame.$at" "$side"
            done
        done
    done
    for at in 6 7; do
        cell "abort/sender/pwrite-$at" cancelled_call "$at"
    done
}

# Sizes of all frames, from one undisturbed migration.
trace_frames() {
    (
        mkdir "$world/trace" && cd "$world/trace"
        work=$PWD
        cp -a "$template" source
        receive
        : >frames
        "$build/tests/fault_proxy" "$address" >>frames &
        receivers+=("$!")
        until grep -q listening frames; do :; done
        front=$(sed -n 's/listening on //p' frames)
        start_send
        ended "$sender"
        ((code == 0)) || { cat send.err; exit 1; }
        reap "$receiver_pid"
        kill "${receivers[@]}" 2>/dev/null
        # The first frame of each kind; keep-alives are not always there.
        grep -v listening frames | sort -u -k1,1 | grep -v '\.0 ' >../frames || true
        grep '^data.*\.0 ' frames | sort -u >>../frames
    )
}

# Harms alternate from byte to byte; the whole table has each of them at each byte.
harms=(cut 'kill sender' 'kill receiver')
declare -A frames_of=([handshake]='\.preamble$|^control\.(up\.[135]|down\.[245])$'
    [commit]='^control\.(up\.[79]|down\.[68]|down\.10)$')

# cells_of CLASS: each harm at every byte of its frames.
cells_of() {
    local frame size at i
    while read -r frame size; do
        [[ $frame =~ ${frames_of[$1]} ]] || continue
        for ((at = 0; at < size; at++)); do
            for i in 0 1 2; do
                # Rotated, so that a share of the cells has all harms.
                cell "$1/$frame.$at/${harms[(at + i) % 3]/ /-}" place "$frame.$at" "${harms[(at + i) % 3]}"
            done
        done
    done <"$world/frames"
}

# The number of records and blocks varies; the first ones always come.
comes_always() { [[ ! $1 =~ ^data\.(down\.[1-9]|up\.([6-9]|[0-9][0-9])) ]]; }

# The first and last byte of each frame, and the harms for which the byte does not matter.
edge_cells() {
    local frame size harm at
    local -A byte
    while read -r frame size; do
        comes_always "$frame" || continue
        byte=([first]=0 [last]=$((size - 1)))
        for at in first last; do
            for harm in "${harms[@]}" cut-one flip 'stop sender' 'stop receiver'; do
                # A keep-alive instead of the stopped frame does no harm; a flip before the frame
                # does.
                cell "edge/$frame.$at/${harm/ /-}" place "$frame.${byte[$at]}" "$harm"
            done
        done
    done <"$world/frames"
}

random_cells() {
    local i at harm total
    RANDOM=$seed
    total=190000 # of the stream of blocks
    for ((i = 0; i < 1000; i++)); do
        at=$(((RANDOM * 32768 + RANDOM) % total))
        harm=${harms[i % 3]}
        cell "random/$i/data.up.stream.$at/${harm/ /-}" place "data.up.stream.$at" "$harm"
    done
}

# The path dies silently, and both sides must notice.
stalled_place() {
    send_options+=(--peer-timeout 1s)
    receiver_options+=(--peer-timeout 1s)
    place "$@"
}

stall_cells() {
    local frame size
    while read -r frame size; do
        comes_always "$frame" || continue
        cell "stall/$frame" stalled_place "$frame.$((size / 2))" stall
    done <"$world/frames"
}

# --- calls, of RocksDB's too ----------------------------------------------------------------------

quiet_call() {
    scope=all load_options=()
    call "$@"
}

# The last calls of a count may not come if a migration takes another path.
call_cells() {
    local side which count n harm
    scope=all
    # Without a load, whose calls come at random.
    load_options=()
    for side in sender receiver; do
        for which in fdatasync fsync pwrite write rename sendmsg unlink; do
            count=$(($(count_calls "$side" "$which")))
            for ((n = 1; n <= (count * 3 + 3) / 4; n++)); do
                cell "kill-at/$side/$which-$n" quiet_call "$side" "$which" "$n" kill
                for harm in EIO ENOSPC; do
                    [[ $which != sendmsg ]] || harm=ECONNRESET
                    cell "fail-at/$side/$which-$n/$harm-once" quiet_call "$side" "$which" "$n" "$harm"
                    cell "fail-at/$side/$which-$n/$harm-onwards" quiet_call "$side" "$which" "$n+" "$harm"
                    [[ $which != sendmsg ]] || break
                done
            done
            [[ $which == pwrite || $which == write ]] || continue
            cell "short/$side/$which" quiet_call "$side" "$which" 1+ short
        done
    done
    load_options=("${load[@]}")
}

# hides_first: a command that ends removes its socket while it still has the database; a moment
# later another command may have made its own.
hides_first() {
    harmed_receive unlinkat:2:stop # the first call removes an old socket
    kill "$receiver_pid"
    until [[ -e mark ]]; do kill -0 "$receiver_pid" || fail 'it has ended'; done
    code=0
    "$haul" resume --db target --to 127.0.0.1:1 >out 2>err || code=$?
    kill -CONT "$receiver_pid"
    equal "$code" 5
    was_met stop
    grep -q 'in use' err || { cat err; fail 'the database was not locked'; }
    end_receiver
    [[ ! -e target/haul/control ]] || fail 'the socket is left'
}

# ends_well: a signal after the end of the job changes nothing.
ends_well() {
    harmed_receive unlinkat:2:stop
    start_send
    until [[ -e mark ]]; do kill -0 "$receiver_pid" || fail 'it has ended'; done
    kill "$receiver_pid"
    kill -CONT "$receiver_pid"
    ended "$receiver_pid"
    equal "$code" 0
    ended "$sender"
    equal "$code" 0
    was_met stop
    check_end
}

# --- small disks ----------------------------------------------------------------------------------

# small_disk SIDE SIZE ENOUGH: its database lies on a file system of that many KB (the source's:
# with that many left), which an operator enlarges. Up to ENOUGH it must be full at some time.
small_disk() {
    local side=$1 size=$2 directory=target
    if [[ $side == source ]]; then
        directory=source
        mv source kept
        size=$(($(du -sk kept | cut -f1) + size))
    fi
    mkdir "$directory"
    mount -t tmpfs -o "size=${size}k" haul-faults "$directory" 2>mount.err || { cat mount.err; skip 'no right to mount'; }
    trap 'status=$?; end_processes; umount -l "$work/'$directory'"; exit $status' EXIT
    [[ $side == target ]] || cp -a kept/. source/ || fail 'the source does not fit'
    receiver_options+=(--keep-free 0) # otherwise the job ends earlier
    receive
    start_send
    ended "$sender"
    documented "$code" send.err
    echo "exit code $code $(grep -m1 'haul: error' send.err)" >.seen
    never_two
    if ((code != 0)); then
        note harm.small-disk
        grep -qiE 'space|rocksdb::.*Assertion' send.err recv.log ||
            fail "nobody said that the disk is full: $(tail -n 3 send.err recv.log)"
        end_receiver
        mount -o remount,size=200m "$directory"
        finish
    else
        (($2 > $3)) || fail 'the fault was not met'
    fi
    check_end
}

small_disk_cells() {
    local size
    for size in {32..296..8} 400; do
        cell "small-disk/target/$size-KB" small_disk target "$size" 200
    done
    for size in 0 64 128 {160..256..4} 400; do
        cell "small-disk/source/$size-KB" small_disk source "$size" 100
    done
}

make_table trace_frames edge_cells stall_cells 'cells_of handshake' 'cells_of commit' abort_cells random_cells call_cells \
    'cell order/control-socket hides_first' 'cell order/signal-behind-the-end ends_well' small_disk_cells
share=([edge]=5 [stall]=5 [handshake]=47 [commit]=17 [abort]=4 [random]=23 [kill-at]=5 [fail-at]=17 [short]=2 [small-disk]=7 [order]=1)
run_cells
