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

# source_readers SIZE: two readers and one, in turn, by the clock. With two processors, the thread
# that takes the blocks has one to itself next to one reader, but not next to two: so one reader is
# also measured with everything on one processor, as two have two.
source_readers() {
    local pair one=() alone=() two=()
    for ((pair = 0; pair < pairs; pair++)); do
        one+=("$(source_speed "$1" 1)")
        alone+=("$(source_speed "$1" 1 taskset -c 0)")
        two+=("$(source_speed "$1" 2)")
    done
    source_ratio 'values of 1000 bytes, two readers' 'one reader' null "${#one[@]}" "${two[@]}" "${one[@]}"
    source_ratio 'values of 1000 bytes, two readers, two processors' 'one reader, one processor' 1.7 \
        "${#alone[@]}" "${two[@]}" "${alone[@]}"
}

# source_speed SIZE READERS [IN-FRONT...]
source_speed() {
    local size=$1 readers=$2
    shift 2
    "$@" "$build/tests/bench_source" --size "$size" --passes 1 --readers "$readers" --json |
        jq .gb_per_second
}

# source_ratio NAME OTHER TARGET COUNT RUN... OTHER-RUN...: COUNT runs of each.
source_ratio() {
    local name=$1 other=$2 target=$3 count=$4
    shift 4
    local runs=("${@:1:count}") others=("${@:count+1}")
    result --arg section source --arg name "$name" --arg unit GB/s \
        --argjson value "$(median "${runs[@]}")" --argjson runs "$(numbers "${runs[@]}")" \
        --argjson other "$(median "${others[@]}")" --argjson other_runs "$(numbers "${others[@]}")" \
        --arg other_name "$other" --argjson target "$target" --arg better more
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
