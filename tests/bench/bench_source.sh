# SPDX-License-Identifier: Apache-2.0
# bench_source.sh — the part `source` of ci/bench.sh: reader threads without a network.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

bench_source() {
    local size=1G
    ((!quick)) || size=64M
    source_figure 1000 "$size" 0 1.5
    source_figure 1000 "$size" 8 null
    source_figure 100 "$size" 0 0.35
    source_readers "$size"
}

# source_readers SIZE: two readers beside one, in turn, by the clock.
source_readers() {
    local pair one=() two=()
    for ((pair = 0; pair < pairs; pair++)); do
        one+=("$("$build/tests/bench_source" --size "$1" --passes 1 --json | jq .gb_per_second)")
        two+=("$("$build/tests/bench_source" --size "$1" --passes 1 --readers 2 --json |
            jq .gb_per_second)")
    done
    result --arg section source --arg name 'values of 1000 bytes, two readers' --arg unit GB/s \
        --argjson value "$(median "${two[@]}")" --argjson runs "$(numbers "${two[@]}")" \
        --argjson other "$(median "${one[@]}")" --argjson other_runs "$(numbers "${one[@]}")" \
        --arg other_name 'one reader' --argjson target 1.7 --arg better more
}

# source_figure VALUE-BYTES SIZE HELD TARGET: HELD blocks are on the way at any time.
source_figure() {
    local figures name="values of $1 bytes"
    figures=$("$build/tests/bench_source" --value-size "$1" --size "$2" --held "$3" \
        --passes "$pairs" --json) || die "bench_source failed"
    (($3 == 0)) || name+=", $3 blocks on the way"
    local value wall digest scan
    read -r value wall digest scan < <(jq -r '"\(.gb_per_cpu_second) \(.gb_per_second) " +
        "\(.scan_and_digest_gb_per_cpu_second) \(.scan_gb_per_cpu_second)"' <<<"$figures")
    result --arg section source --arg name "$name" --arg unit "GB per CPU second" \
        --argjson value "$value" --argjson target "$4" --arg better more \
        --argjson figures "$figures" --arg note "$wall GB/s by the clock. Its first steps alone, \
GB per CPU second: scan and digest $digest; RocksDB's scan $scan"
}
