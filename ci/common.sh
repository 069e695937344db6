# SPDX-License-Identifier: Apache-2.0
# common.sh — what the scripts beside it share; sourced, not run.
# shellcheck shell=bash

# The repository, wherever the caller stands.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${HAUL_BUILD_DIR:-$root/build}
# shellcheck disable=SC2034 # used by those that source this
haul=$build/cli/haul
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# parse_fast LINES [ARGUMENT...]: of a script whose one option is --fast: sets fast. LINES of it are its help.
parse_fast() {
    fast=0
    case ${2:-} in
    '') ;;
    --fast) fast=1 ;;
    -h | --help) sed -n "$1s/^# \{0,3\}//p" "$0"; exit 0 ;;
    *) die "unknown argument '$2'" ;;
    esac
}

# start_receiver LOG ARGUMENT...: starts `haul recv ARGUMENT...` and waits until it listens (or has
# ended). Sets receiver_pid and receiver_address ("" when it did not come up). LOG gets its stderr,
# LOG.json its result. All of them are in receivers, for whoever cleans up; reap waits for one.
receivers=() relays=()
start_receiver() {
    local log=$1 line
    shift
    : >"$log"
    # A FIFO would do as well, were it not that opening one fails when a child ends meanwhile.
    # A shell starts what runs beside it with SIGINT ignored, and haul leaves it so.
    exec {receiver_fd}< <(exec env --default-signal=INT "$haul" recv "$@" --json 2>&1 >"$log.json" \
        </dev/null)
    receiver_pid=$!
    receivers+=("$receiver_pid")
    receiver_address=''
    while IFS= read -r -u "$receiver_fd" line; do
        printf '%s\n' "$line" >>"$log"
        if [[ $line == 'haul: listening on '* ]]; then
            receiver_address=${line#haul: listening on }
            break
        fi
    done
    # The rest goes to the log without us; the relay ends with the receiver.
    cat <&"$receiver_fd" >>"$log" &
    relays[receiver_pid]=$!
    exec {receiver_fd}<&-
}

# reap PID: waits for a child, and until its last words have come into its log. Returns its exit code.
reap() {
    local code=0
    wait "$1" 2>/dev/null || code=$?
    [[ -z ${relays[$1]:-} ]] || wait "${relays[$1]}" || true
    return "$code"
}
