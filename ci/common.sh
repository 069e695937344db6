# SPDX-License-Identifier: Apache-2.0
# common.sh — shared by the scripts of this folder; sourced, not run.
# shellcheck shell=bash

# The repository, whatever the caller's directory.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${HAUL_BUILD_DIR:-$root/build}
# shellcheck disable=SC2034 # used by the scripts that source this one
haul=$build/cli/haul
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# parse_fast LINES [ARGUMENT...]: parses the arguments of a script whose only option is --fast, and sets fast.
# LINES of the script are its help.
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
# ended). Sets receiver_pid and receiver_address ("" if it did not start). LOG gets its stderr,
# LOG.json its result. The array receivers has all of them, for the clean-up; reap waits for one.
receivers=() relays=()
start_receiver() {
    local log=$1 line
    shift
    : >"$log"
    # Not a FIFO: opening one fails if a child ends meanwhile. A shell starts background commands
    # with SIGINT ignored, and haul would keep ignoring it.
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
    # A relay writes the rest to the log; it ends with the receiver.
    cat <&"$receiver_fd" >>"$log" &
    relays[receiver_pid]=$!
    exec {receiver_fd}<&-
}

# reap PID: waits for a child, and until its output is in its log. Returns the child's exit code.
reap() {
    local code=0
    wait "$1" 2>/dev/null || code=$?
    [[ -z ${relays[$1]:-} ]] || wait "${relays[$1]}" || true
    return "$code"
}
