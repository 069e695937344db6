#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh — measures haul and the tools that it is compared with, in one run, and prints the ratios.
#   ci/bench.sh [PART...] [--pairs N] [--quick] [--json FILE] [--report DIR] [--sizes LIST]
#                [--values LIST]
#     source  reader threads: snapshot scan to checked blocks, GB per CPU second
#     tcp     `haul bench link` against iperf3 on loopback
#     rdma    `haul bench link` against ib_write_bw in the soft-RoCE rig (ci/rxe); no hardware speed
#     memory  peak resident memory of a whole migration against its bound
#     live    write pause and latencies of a load during whole migrations
#     migration  whole migrations over TCP, beside rsync and a local copy
#     shapes  large values, many families, a large database, bytes written on the target
#     trust   what a key costs: whole migrations with each mode of --wire, a handshake, a block
#     far     whole migrations over a path of 1 Gb/s and 50 ms (as root)
#     kvrocks compared with the migrations of the Kvrocks server that KVROCKS_BIN names
#     ways    all slots of that server under writes: haul, its own two ways, rsync, a checkpoint
#     all     all parts (default)
#     --pairs N    runs of each side, alternating (default 5)
#     --quick      one pair, small sizes, short runs: shows that haul works, not how fast it is
#     --json FILE  the same as one JSON document
#     --report DIR one page with plots: DIR/report.html
#     --sizes LIST databases of `memory`, e.g. 1G,4G (the default)
#     --values LIST  bytes of the values of `migration` (default 100,1000,16000,1000000)
# Installs missing packages, makes a release build in build-release/ ($HAUL_BENCH_BUILD_DIR). Exit
# code 0: everything was measured, whether the targets are met or not.
# shellcheck disable=SC1090,SC2034 # the parts are sourced by name and use these variables
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=${HAUL_BENCH_BUILD_DIR:-$root/build-release}
haul=$build/cli/haul
parts=(source tcp rdma memory live migration shapes trust far kvrocks ways)
for part in source tcp rdma memory live migration trust far kvrocks ways; do
    . "$root/tests/bench/bench_$part.sh"
done

usage() { sed -n '4,25s/^# \{0,3\}//p' "${BASH_SOURCE[0]}"; }

sections=() pairs=5 quick=0 json='' report='' sizes='' migration_values=100,1000,16000,1000000
work='' servers=()

parse() {
    while (($#)); do
        case $1 in
        source | tcp | rdma | memory | live | migration | shapes | trust | far | kvrocks | ways) sections+=("$1") ;;
        all) sections=("${parts[@]}") ;;
        --quick) quick=1 ;;
        --pairs | --json | --report | --sizes | --values)
            (($# >= 2)) || die "$1 needs a value"
            case $1 in
            --pairs) pairs=$2 ;;
            --json) json=$2 ;;
            --report) report=$2 ;;
            --sizes) sizes=$2 ;;
            --values) migration_values=$2 ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
    ((${#sections[@]})) || sections=("${parts[@]}")
    [[ $pairs =~ ^[1-9][0-9]{0,2}$ ]] || die "--pairs needs a number from 1 to 999"
    ((!quick)) || pairs=1
    [[ -n $sizes ]] || { ((quick)) && sizes=100M || sizes=1G,4G; }
    [[ -z $json ]] || : >"$json" || die "cannot write $json"
}

clean_up() {
    local status=$? pid
    trap '' INT TERM
    for pid in "${servers[@]}"; do
        pkill -P "$pid" || true # what `time` measures
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    if [[ -n ${far_line:-} ]]; then far_close; fi
    [[ -z $work ]] || rm -rf -- "$work"
    exit "$status"
}

# start_server LOG WORDS COMMAND...: starts a command and waits until it prints a line with WORDS
# (or has ended). Sets server_pid, and server_line ("" if there was no such line).
start_server() {
    local log=$1 words=$2 line server_fd
    shift 2
    : >"$log"
    exec {server_fd}< <(exec "$@" 2>&1 </dev/null)
    server_pid=$!
    servers+=("$server_pid")
    server_line=''
    while IFS= read -r -u "$server_fd" line; do
        printf '%s\n' "$line" >>"$log"
        if [[ $line == *"$words"* ]]; then
            server_line=$line
            break
        fi
    done
    cat <&"$server_fd" >>"$log" &
    exec {server_fd}<&-
}

median() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
numbers() { printf '%s\n' "$@" | jq -s .; }

# result JQ-ARGUMENTS...: one line of the table. Needs the arguments section, name, unit, value,
# target, better ("more" or "less"); may have other, other_name, runs, other_runs, note.
result() {
    jq -nc "$@" '$ARGS.named
        | .ratio = (if .other then .value / .other else null end)
        | .met = ((if .ratio then .ratio else .value end) as $figure
            | if .target == null then null
              elif .better == "more" then $figure >= .target else $figure <= .target end)
        ' >>"$work/results"
}

machine_facts() {
    local commit
    commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
    [[ -z $(git -C "$root" status --porcelain 2>/dev/null) ]] || commit+=' with changes'
    jq -n --arg date "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg commit "$commit" \
        --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
        --argjson cores "$(nproc)" --arg kernel "$(uname -sr)" \
        --argjson memory_mib "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" \
        --arg file_system "$(stat -f -c %T "$work")" \
        --arg rocksdb "$(pkg-config --modversion rocksdb)" \
        --arg compiler "$("${CC:-cc}" --version | head -n 1)" \
        --arg load "$(cut -d ' ' -f 1-3 /proc/loadavg)" --argjson pairs "$pairs" \
        --argjson quick "$quick" '$ARGS.named | .quick = (.quick == 1)' >"$work/machine"
}

print_machine() {
    jq -r '"haul \(.commit), \(.date)",
        "\(.cores) x \(.cpu), \(.memory_mib) MiB, \(.kernel), data on \(.file_system), RocksDB \(.rocksdb), \(.compiler)",
        "load before: \(.load); \(.pairs) run(s) a side, medians"
        + (if .quick then " (--quick: shows that it works, not how fast it is)" else "" end)' \
        "$work/machine"
}

print_table() {
    {
        printf 'part\tmeasured\thaul\tagainst\tratio\ttarget\t\n'
        jq -r 'def short: if . == null then "-" else (. * 1000 | round) / 1000 | tostring end;
            [.section, .name + " [" + .unit + "]", (.value | short),
             (if .other then (.other | short) + " " + .other_name else "-" end), 
             (.ratio | short)
             + (if .ratio_by_cpu_time then " (CPU " + (.ratio_by_cpu_time | short) + ")" else "" end),
             (if .target then (if .better == "more" then ">= " else "<= " end)
                 + (.target | tostring) else "-" end),
             (if .met == null then "" elif .met then "met" else "MISSED" end)] | @tsv' \
            "$work/results"
    } | column -t -s $'\t'
    echo
    # Print a note once for all rows that share it.
    jq -rs 'group_by([.section, .note])[] | select(.[0].note)
        | "\(.[0].section)" + (if length == 1 then ", " + .[0].name else "" end) + ": " + .[0].note
        ' "$work/results" | fold -s -w 110
}

parse "$@"
"$root/ci/install.sh"
say "building a release build ..."
for target in haul bench_source bench_copy bench_seal delay_line; do
    "$root/ci/build.sh" "$build" --target "$target" -DCMAKE_BUILD_TYPE=Release
done
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d "${TMPDIR:-/tmp}/haul-bench.XXXXXX")
: >"$work/results"
machine_facts
for section in "${sections[@]}"; do
    say "measuring $section ..."
    "bench_$section"
done
print_machine
echo
print_table
jq -n --slurpfile machine "$work/machine" --slurpfile results "$work/results" \
    '{machine: $machine[0], results: $results}' >"$work/document.json"
[[ -z $json ]] || cp "$work/document.json" "$json"
[[ -z $report ]] || "$root/tests/bench/report.sh" "$work/document.json" "$report"
