# SPDX-License-Identifier: Apache-2.0
# bench_source.sh — the part `source` of ci/bench.sh: one reader thread without a network.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

bench_source() {
    local size=1G passes=$pairs
    ((!quick)) || size=64M
    source_figure 1000 1.5 "$size" "$passes"
    source_figure 100 0.35 "$size" "$passes"
}

# source_figure VALUE-BYTES TARGET SIZE PASSES
source_figure() {
    local figures
    figures=$("$build/tests/bench_source" --value-size "$1" --size "$3" --passes "$4" --json) ||
        die "bench_source failed"
    local value wall digest scan
    read -r value wall digest scan < <(jq -r '"\(.gb_per_cpu_second) \(.gb_per_second) " +
        "\(.scan_and_digest_gb_per_cpu_second) \(.scan_gb_per_cpu_second)"' <<<"$figures")
    result --arg section source --arg name "values of $1 bytes" --arg unit "GB per CPU second" \
        --argjson value "$value" --argjson target "$2" --arg better more \
        --argjson figures "$figures" --arg note "$wall GB/s by the clock. Its first steps alone, \
GB per CPU second: scan and digest $digest; RocksDB's scan $scan"
}
