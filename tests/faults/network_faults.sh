#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# network_faults.sh — the fault matrix between two hosts over verbs: packets that are lost, late, out of
# order, duplicated or damaged, a link that is down for a while, a device that is gone. The job ends
# well over whatever transport is left, and both sides report the same digests.
#   ci/rxe/run.sh --hosts 2 -- tests/faults/network_faults.sh BUILD
# The client's side has the cells; the server's side receives, one job for each of them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../integration/harness.sh"
suite network_faults "$1"
export TMPDIR=${HAUL_RIG_TMP:-${TMPDIR:-/tmp}}
limit=400
shared=${HAUL_RIG_SHARED:-}

# NAME | what is done to the link | how that shows. Starred ones make up the share of ci/test.sh.
table=(
    'loss-0.1* | netem loss 0.1% | packets'
    'loss-1* | netem loss 1% | dropped'
    'loss-5 | netem loss 5% | dropped'
    'delay-20ms | netem delay 20ms 5ms | packets'
    'reorder* | netem delay 2ms reorder 25% 50% | sequence'
    'duplicate* | netem duplicate 5% | peer'
    'corrupt* | netem corrupt 3% | repaired'
    'all | netem delay 2ms 1ms loss 0.5% duplicate 1% corrupt 0.2% reorder 5% | dropped'
    'link-down* | down | retried'
    'device-gone | remove | retried'
)
chosen=()
for row in "${table[@]}"; do
    [[ ${row%% |*} == *'*' || ${HAUL_FAULT_CELLS:-} == all ]] || continue
    chosen+=("${row/\* |/ |}")
done

# wait_for FILE: wait until the other host has made it.
wait_for() {
    local until=$((SECONDS + limit))
    until [[ -e $1 ]]; do
        ((SECONDS < until)) || fail "${1##*/} never came"
        ls "$shared" >/dev/null # refreshes the host's file system
    done
}

tell() { # FILE: what is on stdin appears there whole
    cat >"$shared/$1.tmp"
    mv "$shared/$1.tmp" "$shared/$1"
}

serve() {
    local row name before
    work=$(mktemp -d "$TMPDIR/server.XXXXXX")
    for row in "${chosen[@]}"; do
        name=${row%% |*}
        before=$(sequence_errors)
        start_receiver "$work/$name.log" --db "$work/$name" --listen "$HAUL_RIG_ADDRESS:0" --once --insecure \
            --peer-timeout 4s
        tell "$name.address" <<<"$receiver_address"
        reap "$receiver_pid" || cat "$work/$name.log" >&2
        tell "$name.seen" <<<"$(($(sequence_errors) - before))"
        tell "$name.result" <"$work/$name.log.json"
        rm -rf "${work:?}/$name"
    done
}

# --- what happened to the packets -----------------------------------------------------------------

counters() { # NAME...: their sum
    local name sum=0
    for name in "$@"; do
        sum=$((sum + $(cat "/sys/class/infiniband/rxe0/ports/1/hw_counters/$name" 2>/dev/null || echo 0)))
    done
    echo "$sum"
}

of_queue() { tc -s qdisc show dev vec0 | sed -nE "s/.*$1.*/\\1/p" | head -n 1; }

# seen HOW BEFORE NAME: the harm really happened.
seen() {
    local count=0
    case $1 in
    packets) count=$(of_queue 'Sent [0-9]+ bytes ([0-9]+) pkt') ;;
    dropped) count=$(of_queue 'dropped ([0-9]+)') ;;
    sequence) count=$(($(sequence_errors) - $2)) ;;
    peer) count=$(<"$shared/$3.seen") ;;
    repaired) count=$(($(sequence_errors) + $(tcp_retransmissions) - $2 + $(<"$shared/$3.seen"))) ;;
    retried) count=$(json .retries); [[ $count != 0 || $(json .transport) != tcp ]] || count=1 ;;
    esac
    ((${count:-0} > 0)) || fail "the fault was not seen: $1"
    echo "$1 $count" >.seen
}

sequence_errors() { counters out_of_seq_request duplicate_request rcvd_seq_err completer_retry_err; }

tcp_retransmissions() { awk '/^Tcp: [0-9]/ { print $13 }' /proc/net/snmp; }

when_copying() {
    local copied=''
    until [[ $copied == true ]]; do
        copied=$("$haul" status --db source --json 2>/dev/null | jq '.running.records > 300') || true
    done
    "$@"
}

link_down() {
    ip link set vec0 down
    sleep 6 # longer than the timeout: the fault itself
    ip link set vec0 up
}

device_gone() { rdma link delete rxe0; }

cell() { # NAME HARM HOW
    local before options=() helper='' records=1500
    [[ $3 != dropped ]] || records=6000 # enough packets that some of them are
    wait_for "$shared/$1.address"
    make_database source "$records" 2
    before=$(sequence_errors)
    [[ $3 != repaired ]] || before=$((before + $(tcp_retransmissions)))
    case $2 in
    netem*)
        # shellcheck disable=SC2086 # options of netem are several words
        tc qdisc add dev vec0 root netem limit 10000 ${2#netem }
        ;;
    down) options=(--rate 300K) && { when_copying link_down & helper=$!; } ;;
    remove) options=(--rate 300K) && { when_copying device_gone & helper=$!; } ;;
    esac
    run 0 "$haul" send --db source --to "$(<"$shared/$1.address")" --insecure --peer-timeout 4s --retry 60s \
        --batch-min 64K --batch-max 256K --json "${options[@]}"
    [[ -z $helper ]] || wait "$helper"
    [[ $2 != remove ]] || rdma link add rxe0 type rxe netdev vec0
    wait_for "$shared/$1.result"
    seen "$3" "$before" "$1"
    [[ $2 != netem* ]] || tc qdisc del dev vec0 root
    equal "$(json .verified)" true
    equal "$(json_of "$shared/$1.result" '.families | map(.digest) | join(" ")')" \
        "$(json '.families | map(.digest) | join(" ")')"
    echo "$(json .transport), $(json .retries) retries" >>.seen
}

run_cells() {
    local row name harm how status
    set +e
    tests_passed=0 tests_failed=0
    for row in "${chosen[@]}"; do
        IFS='|' read -r name harm how <<<"$row"
        name=${name% } harm=${harm# } harm=${harm% } how=${how# }
        work=$(mktemp -d "$TMPDIR/haul-cell.XXXXXX")
        (
            set -e
            trap end_leftovers EXIT
            cd "$work"
            cell "$name" "$harm" "$how"
        ) >"$work/.log" 2>&1
        status=$?
        if ((status == 0)); then
            tests_passed=$((tests_passed + 1))
            echo "ok network/$name $(tr '\n' ' ' <"$work/.seen")"
            echo "seen harm.$name 1"
        else
            tests_failed=$((tests_failed + 1))
            echo "FAILED network/$name"
            sed 's/^/  /' "$work/.log"
            tc qdisc del dev vec0 root 2>/dev/null
        fi
        rm -rf "$work"
    done
    echo "network_faults: $tests_passed passed, $tests_failed failed"
    ((tests_failed == 0 && tests_passed > 0))
    exit
}

case ${HAUL_RIG_ROLE:-} in
server) serve ;;
client) run_cells ;;
*) echo 'SKIPPED network_faults: needs two hosts: run it in ci/rxe/run.sh --hosts 2'
   echo 'network_faults: 0 passed, 0 failed, 1 skipped' ;;
esac
