# SPDX-License-Identifier: Apache-2.0
# bench_rdma.sh — the part `rdma` of ci/bench.sh: `haul bench link` against ib_write_bw on one
# soft-RoCE device, blocks of 1 MiB, two processes each; and whole migrations over RDMA next to
# migrations over TCP in the same rig.
#
# Everything runs on the one processor of a user-mode kernel whose clock cannot be trusted, and
# starting up takes long there. So each contender runs for two lengths, the host's clock times its
# start and end, and its speed is the difference of the bytes over the difference of the times.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

bench_rdma() {
    local seconds='1 6' iterations='500 3000' status=0 guest=$build/bench-guest
    ((!quick)) || seconds='0.5 2' iterations='200 800'
    say "preparing the soft-RoCE rig (its kernel is built on first use) ..."
    "$root/ci/rxe/build.sh" >/dev/null || die "no kernel for the rig"
    rm -rf "$guest" # not in $work: the rig has a /dev/shm of its own
    mkdir "$guest"
    rdma_databases
    "$root/ci/rxe/run.sh" --assert-no-rnr --timeout $((90 + 120 * pairs)) -- \
        "$root/tests/bench/bench_rdma_guest.sh" "$haul" "$guest" "$pairs" "$seconds" \
        "$iterations" 2>"$work/rig.log" | rdma_stamp >"$work/stamps" || status=${PIPESTATUS[0]}
    if ((status == 90)); then die "RNR: $(grep -m 1 send_rnr_err "$work/rig.log")"; fi
    ((status == 0)) || die "the run in the rig ended with $status: $(grep -m 1 '^bench: ' "$work/rig.log")"
    rm -rf "$guest"
    local contender
    for contender in 1 2 4; do
        rdma_result haul "with checksums" 1.0 "$contender"
    done
    for contender in 1 2 4; do
        rdma_result haul-no-crc "without checksums" null "$contender"
    done
    rdma_migrations
}

rdma_migrations() {
    local ours theirs
    mapfile -t ours < <(rdma_speeds migration-rdma 1)
    mapfile -t theirs < <(rdma_speeds migration-tcp 1)
    ((${#ours[@]} == pairs && ${#theirs[@]} == pairs)) || die 'figures of migrations are missing'
    result --arg section rdma --arg name 'whole migrations in the rig, 1000 B values' --arg unit GB/s \
        --argjson value "$(median "${ours[@]}")" --argjson runs "$(numbers "${ours[@]}")" \
        --argjson other "$(median "${theirs[@]}")" --argjson other_runs "$(numbers "${theirs[@]}")" \
        --arg other_name 'over TCP' --argjson target null --arg better more \
        --arg note 'source, target and rdma_rxe share one emulated processor'
}

# Two sizes, as for the other contenders. Filled outside the rig, where db_bench would take long.
rdma_databases() {
    local index sizes=(40 160)
    ((!quick)) || sizes=(10 40)
    for index in 0 1; do
        db_bench --db="$guest/source$index" --benchmarks=fillseq,flush,waitforcompaction \
            --num=$((sizes[index] * 1000000 / 1016)) --value_size=1000 --key_size=16 \
            --compression_type=none --seed=1 >"$guest/db_bench.log" 2>&1 ||
            die "db_bench failed: $(tail -n 3 "$guest/db_bench.log")"
    done
}

# CPU seconds so far of all processes below our shell, above all of the rig's kernel.
rdma_cpu_seconds() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v top=$$ -v ticks="$(getconf CLK_TCK)" '
        {
            pid = $1
            sub(/^.*\) /, "") # the name may hold anything
            parent[pid] = $2
            spent[pid] = $12 + $13 + $14 + $15
        }
        END {
            for (pid in parent) {
                for (at = pid; at in parent && at != top; at = parent[at]) {
                }
                sum += at == top && pid != top ? spent[pid] : 0
            }
            printf "%.2f", sum / ticks
        }'
}

# Prefix each line with the time and CPU time of its arrival.
rdma_stamp() {
    local line
    while IFS= read -r line; do
        if [[ $line == end* ]]; then # the clock first
            echo "$EPOCHREALTIME $(rdma_cpu_seconds) $line"
        else
            local spent
            spent=$(rdma_cpu_seconds)
            echo "$EPOCHREALTIME $spent $line"
        fi
    done
}

# rdma_speeds NAME COLUMN: one figure a pair, GB per second by the clock (COLUMN 1) or of CPU time (2).
rdma_speeds() {
    awk -v name="$1" -v column="$2" '
        $4 != name { next }
        $3 == "begin" { began = $column }
        $3 == "end" { took[$5] = $column - began }
        $3 == "bytes" {
            bytes[$5] = $6
            if ($5 == 1) {
                printf "%.6f\n", (bytes[1] - bytes[0]) / (took[1] - took[0]) / 1e9
            }
        }' "$work/stamps"
}

# rdma_result CONTENDER NAME TARGET QUEUE-PAIRS
rdma_result() {
    local ours theirs ours_cpu theirs_cpu by_cpu
    mapfile -t ours < <(rdma_speeds "$1" 1)
    mapfile -t theirs < <(rdma_speeds "ib_write_bw-$4" 1)
    mapfile -t ours_cpu < <(rdma_speeds "$1" 2)
    mapfile -t theirs_cpu < <(rdma_speeds "ib_write_bw-$4" 2)
    ((${#ours[@]} == pairs && ${#theirs[@]} == pairs)) || die "figures of $1 are missing"
    by_cpu=$(awk -v a="$(median "${ours_cpu[@]}")" -v b="$(median "${theirs_cpu[@]}")" \
        'BEGIN { printf "%.3f", a / b }')
    result --arg section rdma --arg name "soft-RoCE, 1 MiB, $2" --arg unit "GB/s" \
        --argjson value "$(median "${ours[@]}")" --argjson runs "$(numbers "${ours[@]}")" \
        --argjson other "$(median "${theirs[@]}")" --argjson other_runs "$(numbers "${theirs[@]}")" \
        --argjson cpu_runs "$(numbers "${ours_cpu[@]}")" --argjson ratio_by_cpu_time "$by_cpu" \
        --argjson other_cpu_runs "$(numbers "${theirs_cpu[@]}")" \
        --arg other_name "ib_write_bw, $4 QP" --argjson target "$3" --arg better more \
        --arg note "rdma_rxe in a user-mode kernel with one emulated processor: what both sides \
cost in software, no speed of RDMA hardware; (CPU ...): the ratio by the CPU time of the rig. \
send_rnr_err did not move."
}
