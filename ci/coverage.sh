#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh — builds with gcov's counters, runs the tests, and prints the share of lines and branches that they
# have executed in each directory.
#   ci/coverage.sh [--fast]
#     --fast   unit and conformance tests only
# Without --fast also the integration tests, a share of the fault matrix, the whole sweep of failing calls, and, if
# the rig runs, verbs links on one host. The simulation is not measured: its fibers and its killed processes keep
# no counters. Assertions count as branches that are never taken.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

parse_fast 3,9 "$@"

directory=$build-coverage
"$root/ci/build.sh" "$directory" -DHAUL_DEVELOPER=ON -DHAUL_TESTS=ON -DHAUL_BENCH=OFF -DHAUL_LIBRARY=OFF \
    -DHAUL_COVERAGE=ON
find "$directory" -name '*.gcda' -delete
left_out='plain-only|kvrocks'
((!fast)) || left_out+='|integration|faults'
try() { # NAME COMMAND...
    "${@:2}" >"$directory/$1.log" 2>&1 || say "some tests failed: $directory/$1.log"
}
in_rig() { "$root/ci/rxe/run.sh" --timeout 900 -- "$@"; }
say 'running the tests ...'
try tests ctest --test-dir "$directory" -j "$jobs" -LE "$left_out"
if ((!fast)); then
    try sweep env HAUL_FAULT_CELLS=all "$root/tests/faults/call_sweep.sh" "$directory"
    if [[ -x $directory/tests/conformance_verbs ]] && "$root/ci/rxe/build.sh" >"$directory/rig.log" 2>&1; then
        try conformance_verbs in_rig "$directory/tests/conformance_verbs"
        try rdma_migration in_rig "$root/tests/integration/rdma_migration.sh" "$directory"
        try rdma_faults in_rig env HAUL_FAULT_ONLY='^(queue-error|hostile|verbs/.*/once)' \
            "$root/tests/faults/rdma_faults.sh" "$directory"
    fi
fi

# Each source file has one object; the compiler ran in the directory of its layer.
for layer in base rdma engine cluster cli; do
    cd "$directory/$layer"
    find . -name '*.c.gcda' -print0 | xargs -0 gcov --no-output --branch-probabilities 2>/dev/null |
        awk -v layer="$layer" '
            /^File / { mine = $0 ~ "/" layer "/[a-z0-9_]+[.]c\047$" || $0 ~ "^File .[a-z0-9_]+[.]c\047$" }
            /^(Calls executed|No calls)/ { mine = 0 } # the sum of all files follows the last one
            mine && /^(Lines executed|Taken at least once):/ {
                split($0, part, /[:%]/)
                kind = /^Lines/ ? "lines" : "branches"
                count[kind] += $NF
                hit[kind] += $NF * part[2] / 100
            }
            END {
                printf "%-8s lines %6d, %5.1f %% passed; branches %6d, %5.1f %% taken\n", layer, count["lines"],
                    100 * hit["lines"] / (count["lines"] ? count["lines"] : 1), count["branches"],
                    100 * hit["branches"] / (count["branches"] ? count["branches"] : 1)
            }'
done
