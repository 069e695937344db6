#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rdma_migration.sh — whole migrations over verbs, and what happens without verbs. Needs an RDMA
# device: ci/rxe/run.sh -- tests/integration/rdma_migration.sh build
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite rdma_migration "$@"

address=${HAUL_RIG_ADDRESS:-}
# Databases in the guest's memory; a guest is slow.
export TMPDIR=${HAUL_RIG_TMP:-${TMPDIR:-/tmp}}
limit=200

needs_device() {
    [[ -n $address ]] && compgen -G '/sys/class/infiniband/*' >/dev/null ||
        skip 'no RDMA device here: run it in ci/rxe/run.sh'
}

# receive ARGUMENT...
receive() {
    [[ -e key ]] || run 0 "$haul" keygen key
    receive_into target "$address:0" --once --peer-timeout 20s --key key "$@"
}

# send CODE ARGUMENT...
send() {
    local code=$1
    shift
    run "$code" "$haul" send --db source --to "$receiver_address" --peer-timeout 20s --key key --json "$@"
}

test_send__rdma__equal() {
    needs_device
    make_database source 8000 2
    receive --transport rdma
    send 0 --transport rdma
    received
    same source target
    equal "$(json .transport)" rdma
    equal "$(json .fallback_reason)" null
    equal "$(json .verified)" true
}

test_send__auto_with_device__takes_rdma() {
    needs_device
    make_database source 1000
    receive
    send 0
    received
    same source target
    equal "$(json .transport)" rdma
}

test_send__rdma_two_links_write_batches__equal() {
    needs_device
    make_database source 4000
    receive --slot-size 256K
    send 0 --transport rdma --links 2 --slot-size 256K --batch-min 64K --batch-max 255K \
        --lane writebatch
    received
    same source target
    equal "$(json .transport)" rdma
}

test_send__receiver_offers_tcp_only__falls_back_and_says_why() {
    needs_device
    make_database source 1000
    receive --transport tcp
    send 0
    received
    same source target
    equal "$(json .transport)" tcp
    [[ $(json .fallback_reason) != null ]]
}

test_send__rdma_wanted_receiver_has_none__refused() {
    needs_device
    make_database source 1000
    receive --transport tcp
    send 3 --transport rdma
    one_error '[Rr](DMA|dma)'
    opens source
}

test_send__locked_memory_too_small__falls_back_and_says_why() {
    needs_device
    make_database source 1000
    receive
    # Root's privilege would lift the limit.
    ulimit -l 64
    run 0 setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "$haul" send --db source \
        --to "$receiver_address" --key key --peer-timeout 20s --json
    received
    same source target
    equal "$(json .transport)" tcp
    [[ $(json .fallback_reason) != null ]]
}

test_bench__rdma_both_ends__reports_speed() {
    needs_device
    run 0 "$haul" bench link --transport rdma --both "$address:0" --seconds 1 --size 256K --json
    equal "$(json .transport)" rdma
    equal "$(json '.bytes > 0')" true
}

run_tests
