#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rdma_faults.sh — the fault matrix over verbs on one host: completions that fail with every status, are
# lost or duplicated; queue pairs that break at each step; verbs calls that fail; memory that cannot
# be locked. The job goes over to TCP, or ends as documented and is done afterwards.
#   ci/rxe/run.sh -- tests/faults/rdma_faults.sh BUILD
# cells.sh describes the variables that choose a part of the cells.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/cells.sh"
. "$(dirname "${BASH_SOURCE[0]}")/call_cells.sh"
suite rdma_faults "$1"
export TMPDIR=${HAUL_RIG_TMP:-${TMPDIR:-/tmp}}
limit=150
if [[ -z ${HAUL_RIG_ADDRESS:-} ]] || ! compgen -G '/sys/class/infiniband/*' >/dev/null; then
    echo 'SKIPPED rdma_faults: no RDMA device here: run it in ci/rxe/run.sh'
    echo 'rdma_faults: 0 passed, 0 failed, 1 skipped'
    exit 0
fi
open_world
make_template 300
send_options=(--transport auto --links 1 --readers 1 --retry 20s --peer-timeout 5s --slots 4 --slot-size 64K --batch-min 16K --batch-max 32K)
receiver_options=(--peer-timeout 5s --slots 4 --slot-size 64K)
load_options=()

# --- completions and queue pairs ------------------------------------------------------------------

# enum ibv_wc_status except success, by number.
status_names=(success loc_len_err loc_qp_op_err loc_eec_op_err loc_prot_err wr_flush_err mw_bind_err
    bad_resp_err loc_access_err rem_inv_req_err rem_access_err rem_op_err retry_exc_err
    rnr_retry_exc_err loc_rdd_viol_err rem_inv_rd_req_err rem_abort_err inv_eecn_err inv_eec_state_err
    fatal_err resp_timeout_err general_err)

completion_cells() {
    local side status n
    for status in "${!status_names[@]}"; do
        ((status > 0)) || continue
        for side in sender receiver; do
            for n in 1 4; do
                cell "wc/$side/${status_names[status]}/$n" call "$side" ibv_poll_cq "$n" "wc=$status"
            done
        done
    done
    for side in sender receiver; do
        for n in 1 2 5; do
            cell "completion-lost/$side/$n" call "$side" ibv_poll_cq "$n" drop
            cell "completion-twice/$side/$n" call "$side" ibv_poll_cq "$n" twice
            cell "queue-error/$side/completion-$n" call "$side" ibv_poll_cq "$n" qp
        done
        n=0
        for step in init ready-to-receive ready-to-send; do
            cell "queue-error/$side/$step" call "$side" ibv_modify_qp $((++n)) qp
        done
    done
}

# --- calls ----------------------------------------------------------------------------------------

verbs_cells() {
    local side name at where
    for side in sender receiver; do
        while read -r name at where; do
            cell "verbs/$side/$name/$where-$at/once" call "$side" "$at" 1 ENOMEM
            cell "verbs/$side/$name/$where-$at/onwards" call "$side" "$at" 1+ ENOMEM
        done < <(sites "$side" verbs)
    done
}

# A peer that breaks the rules: its writes are refused or recognized as wrong, and none of them
# reaches the database.
hostile_cells() {
    local harm n
    for harm in rkey beyond sequence type rewrite flood; do
        for n in 1 3; do
            cell "hostile/sender/$harm/$n" call sender ibv_post_send "$n" "$harm"
        done
    done
    for harm in rkey beyond sequence type; do
        cell "hostile/receiver/$harm/1" call receiver ibv_post_send 1 "$harm"
    done
}

# --- the machine ----------------------------------------------------------------------------------

# memlock KB SIDE: limit the locked memory of that side.
memlock() {
    local drop=(setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock) own=$haul
    printf '#!/bin/sh\nulimit -l %s\nexec %s %s "$@"\n' "$1" "${drop[*]}" "$own" >limited
    chmod +x limited
    [[ $2 != receiver ]] || haul=$work/limited
    receive
    haul=$own
    [[ $2 != sender ]] || haul=$work/limited
    start_send
    haul=$own
    ended "$sender"
    documented "$code" send.err
    equal "$code" 0
    check_end
    # Four slots of 64 KiB and their overhead need more than a quarter of a megabyte.
    echo "$(json_of send.json .transport) $(json_of send.json .fallback_reason)" >.seen
    (($1 > 64)) || equal "$(json_of send.json .transport)" tcp
    [[ $(json_of send.json .transport) != tcp ]] || note harm.memlock
}

machine_cells() {
    local side size
    for side in sender receiver; do
        for size in 0 64 512 65536; do
            cell "memlock/$side/$size-KB" memlock "$size" "$side"
        done
    done
}

make_table completion_cells hostile_cells verbs_cells machine_cells
share=([wc]=12 [completion-lost]=3 [completion-twice]=3 [queue-error]=3 [hostile]=2 [verbs]=200 [memlock]=4)
run_cells
