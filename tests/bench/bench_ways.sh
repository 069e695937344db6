# SPDX-License-Identifier: Apache-2.0
# bench_ways.sh — the part `ways` of ci/bench.sh: five ways to move all slots of a Kvrocks node to
# another one, in turn, while a client writes (tests/kvrocks/bench_ways.py); then how many
# acknowledged writes are lost when the write-ahead log is purged meanwhile
# (tests/kvrocks/purged_log.py). KVROCKS_BIN names a server that was built with server_patch;
# KVROCKS_BASELINE_BIN, if set, runs the other ways, and KVROCKS_UNPATCHED_BIN upstream's side of
# the second part.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

bench_ways() {
    if [[ -z ${KVROCKS_BIN:-} ]]; then
        say 'part ways: left out, KVROCKS_BIN names no server'
        return
    fi
    local way mib=512
    ((!quick)) || mib=32
    python3 -B "$root/tests/kvrocks/bench_ways.py" --mib "$mib" --runs "$pairs" --json "$work/ways.json" >&2
    for way in raw-key-value redis-command rsync checkpoint; do
        ways_row "$way" seconds "$mib MiB, wall time" s
        ways_row "$way" cpu_s "$mib MiB, CPU time of all processes" s
        ways_row "$way" pause_ms "$mib MiB, longest gap between acknowledged writes" ms
    done
    for way in rdma raw-key-value redis-command rsync checkpoint; do
        ways_lost "acknowledged writes lost, $way" "$work/ways.json" "[.runs[\"$way\"][].lost] | max"
    done
    for way in raw-key-value redis-command; do
        python3 -B "$root/tests/kvrocks/purged_log.py" --only purged --upstream "$way" \
            --json "$work/purged.json" >&2 || die 'purged_log.py failed'
        ways_lost "of 2000 writes, lost when the log is purged, $way" "$work/purged.json" ".lost.purged[\"$way\"]"
    done
    ways_lost 'of 2000 writes, lost when the log is purged, rdma' "$work/purged.json" '.lost.purged.rdma'
}

# ways_row WAY FIGURE NAME UNIT: haul's figure next to that of WAY.
ways_row() {
    local ours theirs
    ours=$(jq -c "[.runs.rdma[].$2]" "$work/ways.json")
    theirs=$(jq -c "[.runs[\"$1\"][].$2]" "$work/ways.json")
    result --arg section ways --arg name "$3" --arg unit "$4" --argjson target null --arg better less \
        --argjson value "$(jq ".medians.rdma.$2" "$work/ways.json")" --argjson runs "$ours" \
        --argjson other "$(jq ".medians[\"$1\"].$2" "$work/ways.json")" --argjson other_runs "$theirs" \
        --arg other_name "$1"
}

# ways_lost NAME FILE JQ-FILTER
ways_lost() {
    result --arg section ways --arg name "$1" --arg unit writes --argjson target null --arg better less \
        --argjson value "$(jq "$3" "$2")"
}
