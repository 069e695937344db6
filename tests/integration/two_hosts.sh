#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# two_hosts.sh — migrations between two machines over verbs, and what a network does to them. Runs
# on both hosts of the rig: ci/rxe/run.sh --hosts 2 -- tests/integration/two_hosts.sh build. The
# client's side has the tests; the server's side receives, one job for each of them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite two_hosts "$@"
limit=200
export TMPDIR=${HAUL_RIG_TMP:-${TMPDIR:-/tmp}}
shared=${HAUL_RIG_SHARED:-}
# In the order of the tests, which have the same names.
jobs_of_the_server=(other_host lossy_network rdma_path_lost)

# wait_for FILE: wait until the other host has made it.
wait_for() {
    local end=$((SECONDS + limit))
    until [[ -e $1 ]]; do
        ((SECONDS < end)) || fail "${1##*/} never came"
        ls "$shared" >/dev/null # refreshes the host's file system
    done
}

is_wanted() {
    local filter
    ((${#filters[@]})) || return 0
    for filter in "${filters[@]}"; do
        [[ $1 != *"$filter"* ]] || return 0
    done
    return 1
}

serve() {
    local name
    work=$(mktemp -d "$TMPDIR/server.XXXXXX")
    "$haul" keygen "$work/key" >/dev/null
    cp "$work/key" "$shared/key.tmp"
    mv "$shared/key.tmp" "$shared/key"
    for name in "${jobs_of_the_server[@]}"; do
        is_wanted "$name" || continue # a filter names tests by their jobs
        start_receiver "$work/$name.log" --db "$work/$name" --listen "$HAUL_RIG_ADDRESS:0" --once \
            --key "$work/key" --peer-timeout 4s
        echo "$receiver_address" >"$shared/$name.tmp"
        mv "$shared/$name.tmp" "$shared/$name.address"
        reap "$receiver_pid" || cat "$work/$name.log" >&2
        cp "$work/$name.log.json" "$shared/$name.tmp"
        mv "$shared/$name.tmp" "$shared/$name.result"
        rm -rf "${work:?}/$name"
    done
}

on_two_hosts() { [[ ${HAUL_RIG_ROLE:-} == client ]] || skip 'needs two hosts: run it in ci/rxe/run.sh --hosts 2'; }

# send NAME ARGUMENT...: to the server's job of that name; both results must agree.
send() {
    local name=$1
    shift
    wait_for "$shared/$name.address"
    (umask 077 && cat "$shared/key" >key)
    run 0 "$haul" send --db source --to "$(<"$shared/$name.address")" --key key --peer-timeout 4s --json "$@"
    wait_for "$shared/$name.result"
    equal "$(json .verified)" true
    equal "$(json_of "$shared/$name.result" .verified)" true
    equal "$(json_of "$shared/$name.result" '.families | map(.digest) | join(" ")')" \
        "$(json '.families | map(.digest) | join(" ")')"
}

test_send__1_other_host__equal() {
    on_two_hosts
    make_database source 8000
    send other_host
    equal "$(json .transport)" rdma
}

test_send__2_lossy_network__equal() {
    on_two_hosts
    make_database source 3000
    tc qdisc add dev vec0 root netem delay 1ms loss 0.1%
    send lossy_network --transport rdma
    tc qdisc del dev vec0 root
    equal "$(json .transport)" rdma
}

# From the middle of the copy on, RoCE's packets are lost, TCP's are not.
test_send__3_rdma_path_lost__goes_on_over_tcp() {
    on_two_hosts
    make_database source 20000
    wait_for "$shared/rdma_path_lost.address"
    cut_when_copying &
    send rdma_path_lost --rate 2M --batch-min 64K --batch-max 256K
    wait
    tc qdisc del dev vec0 root
    equal "$(json .transport)" tcp
    equal "$(json .resumed)" true
    [[ $(json .fallback_reason) != null ]] || fail 'no reason'
}

cut_when_copying() {
    local copied=''
    until [[ $copied == true ]]; do
        copied=$("$haul" status --db source --json 2>/dev/null |
            jq '.running != null and .running.records > 2000') || true
    done
    tc qdisc add dev vec0 root handle 1: prio
    tc qdisc add dev vec0 parent 1:3 handle 30: netem loss 100%
    tc filter add dev vec0 parent 1: protocol ip u32 match ip protocol 17 0xff \
        match ip dport 4791 0xffff flowid 1:3
}

if [[ ${HAUL_RIG_ROLE:-} == server ]]; then
    serve
else
    run_tests
fi
