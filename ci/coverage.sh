#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# coverage.sh — builds with gcov's counters, runs the tests, and prints which share of the lines and branches of
# each directory they have passed.
#   ci/coverage.sh [--fast]
#     --fast   unit and conformance tests only
# The simulation is not measured: its fibers and its dying processes keep no counters. Of RDMA counts only
# what runs without a device, and assertions count as branches that nothing takes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

parse_fast 3,7 "$@"

directory=$build-coverage
"$root/ci/build.sh" "$directory" -DHAUL_DEVELOPER=ON -DHAUL_TESTS=ON -DHAUL_BENCH=OFF -DHAUL_LIBRARY=OFF \
    -DHAUL_COVERAGE=ON
find "$directory" -name '*.gcda' -delete
left_out='plain-only|kvrocks'
((!fast)) || left_out+='|integration|faults'
say 'running the tests ...'
ctest --test-dir "$directory" -j "$jobs" -LE "$left_out" >"$directory/tests.log" 2>&1 ||
    say "some tests failed: $directory/tests.log"

# Each source file has one object; the compiler ran in the directory of its layer.
for layer in base rdma engine cli; do
    cd "$directory/$layer"
    find . -name '*.c.gcda' -print0 | xargs -0 gcov --no-output --branch-probabilities 2>/dev/null |
        awk -v layer="$layer" '
            /^File / { mine = $0 ~ "/" layer "/[a-z0-9_]+[.]c\047$" || $0 ~ "^File .[a-z0-9_]+[.]c\047$" }
            /^(Calls executed|No calls)/ { mine = 0 } # behind the last file comes the sum of all
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
