#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh — builds the fuzz targets with clang and lets each of them look for something new.
#   tests/fuzz/fuzz.sh [--seconds N] [TARGET...]
#     --seconds N   for each target; default 60
#     TARGET        message, journal, ...; default all
# Prints executions and covered edges of each target and their sum. What it finds on the way is kept
# in <build>/found/TARGET and is where the next run begins; a crash is kept as
# <build>/crash-TARGET-*, and makes the script end with 1. `fuzz_TARGET FILE` runs one input again.
# HAUL_FUZZ_BUILD_DIR: where to build; default build-fuzz beside the sources.
# Needs the Debian packages clang and libclang-rt-14-dev (of clang's own version).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${HAUL_FUZZ_BUILD_DIR:-$root/build-fuzz}
jobs=$(nproc 2>/dev/null || echo 2)
seconds=60

die() { printf 'fuzz.sh: %s\n' "$*" >&2; exit 2; }

check_compiler() {
    command -v clang >/dev/null && command -v clang++ >/dev/null ||
        die "clang is missing: apt-get install clang libclang-rt-14-dev"
    local runtime
    runtime=$(clang -print-file-name=libclang_rt.fuzzer-"$(uname -m)".a)
    [[ -e $runtime ]] || runtime=$(clang -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a
    [[ -e $runtime ]] ||
        die "clang has no libFuzzer: apt-get install libclang-rt-$(clang -dumpversion |
            cut -d. -f1)-dev"
}

build_targets() {
    local log=$build/build.log
    mkdir -p "$build"
    if ! { CC=clang CXX=clang++ cmake -S "$root" -B "$build" -G Ninja -DHAUL_FUZZ=ON \
        -DHAUL_LIBRARY=OFF -DHAUL_BENCH=OFF && ninja -C "$build" -j "$jobs" fuzz_targets; } \
        >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "the build failed; all of it in $log"
    fi
}

# run_target NOUN: its line of the table; false: it crashed.
run_target() {
    local noun=$1 found=$build/found/$1 log=$build/$1.log status=0 edges executions
    mkdir -p "$found"
    "$build/tests/explore_$noun" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -dict="$here/haul.dict" -artifact_prefix="$build/crash-$noun-" \
        "$found" "$here/corpus/$noun" >"$log" 2>&1 || status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    total_executions=$((total_executions + ${executions:-0}))
    total_edges=$((total_edges + ${edges:-0}))
    printf '%-16s %14s %8s  %s\n' "$noun" "${executions:-?}" "${edges:-?}" \
        "$( ((status == 0)) && echo ok || echo "FAILED, see $log")"
    return "$status"
}

targets=()
while (($# > 0)); do
    case $1 in
    --seconds) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--seconds needs a number"; seconds=$2; shift ;;
    -h | --help) sed -n '3,11s/^# \{0,3\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) die "unknown option '$1'" ;;
    *) [[ -e $here/fuzz_$1.c ]] || die "there is no target '$1'"; targets+=("$1") ;;
    esac
    shift
done
check_compiler
if ((${#targets[@]} == 0)); then
    for file in "$here"/fuzz_*.c; do
        noun=${file##*/fuzz_}
        targets+=("${noun%.c}")
    done
fi
build_targets

total_executions=0 total_edges=0 failed=0
printf '%-16s %14s %8s\n' target executions edges
for noun in "${targets[@]}"; do
    run_target "$noun" || failed=$((failed + 1))
done
printf '%-16s %14s %8s\n' sum "$total_executions" "$total_edges"
((failed == 0)) || { printf "fuzz.sh: %d of %d targets failed\n" "$failed" "${#targets[@]}" >&2; exit 1; }
