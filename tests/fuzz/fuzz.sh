#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh — builds the fuzz targets with clang and lets each of them search for new inputs.
#   tests/fuzz/fuzz.sh [--engine libfuzzer|afl] [--seconds N] [TARGET...]
#     --engine NAME   libFuzzer (the default), or AFL++
#     --seconds N     for each target; default 60
#     TARGET          message, journal, ...; default all
# Prints executions, covered edges and crashes of each target and their sums. New inputs are kept in
# <build>/found/TARGET, where the next run begins; a crash is kept as <build>/crash-TARGET-*, and
# makes the script end with 1. `fuzz_TARGET FILE` runs one input again.
# HAUL_FUZZ_BUILD_DIR: where to build; default build-fuzz (build-fuzz-afl) beside the sources.
# Needs clang with its runtime, ninja, and for the other engine AFL++: ci/install.sh --fuzz.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)
seconds=60 engine=libfuzzer

die() { printf 'fuzz.sh: %s\n' "$*" >&2; exit 2; }

# --- engines --------------------------------------------------------------------------------------
# Of each: check_ENGINE; the compilers; explore_ENGINE NOUN, which sets executions and edges.

check_libfuzzer() {
    command -v clang >/dev/null && command -v clang++ >/dev/null || die "clang is missing: ci/install.sh --fuzz"
    local runtime
    runtime=$(clang -print-file-name=libclang_rt.fuzzer-"$(uname -m)".a)
    [[ -e $runtime ]] || runtime=$(clang -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a
    [[ -e $runtime ]] || die "clang has no libFuzzer: ci/install.sh --fuzz"
}

explore_libfuzzer() {
    local log=$build/$1.log status=0
    "$build/tests/explore_$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -dict="$here/haul.dict" -artifact_prefix="$build/crash-$1-" \
        "$build/found/$1" "$here/corpus/$1" >"$log" 2>&1 || status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    return "$status"
}

check_afl() {
    command -v afl-clang-fast >/dev/null && command -v afl-fuzz >/dev/null ||
        die "AFL++ is missing: ci/install.sh --fuzz"
}

afl_figure() { sed -n "s/^$2 *: *//p" "$build/found/$1/default/fuzzer_stats" 2>/dev/null || true; }

# Persistent mode: a process runs many inputs. AFL++ must not insist on machine settings, and
# continues where an earlier run stopped.
explore_afl() {
    local log=$build/$1.log found=$build/found/$1 input=- before status=0 file
    before=$(afl_figure "$1" execs_done)
    [[ -n $before ]] || input=$here/corpus/$1
    AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
        afl-fuzz -V "$seconds" -t 20000 -m none -x "$here/haul.dict" -i "$input" -o "$found" -- \
        "$build/tests/explore_$1" 10000 >"$log" 2>&1 || status=$?
    for file in "$found"/default/{crashes,hangs}/id*; do
        [[ ! -e $file ]] || mv "$file" "$build/crash-$1-$(sha1sum "$file" | cut -c1-40)"
    done
    executions=$(($(afl_figure "$1" execs_done) - ${before:-0}))
    edges=$(afl_figure "$1" edges_found)
    return "$status"
}

build_targets() {
    local log=$build/build.log compiler=clang
    [[ $engine == libfuzzer ]] || compiler=afl-clang-fast
    mkdir -p "$build"
    if ! { CC=$compiler CXX=$compiler++ cmake -S "$root" -B "$build" -G Ninja -DHAUL_FUZZ=ON \
        -DHAUL_LIBRARY=OFF -DHAUL_BENCH=OFF && ninja -C "$build" -j "$jobs" fuzz_targets; } \
        >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "the build failed; all of it in $log"
    fi
}

# --- the run --------------------------------------------------------------------------------------

crashes_of() { find "$build" -maxdepth 1 -name "crash-$1-*" | wc -l; }

# run_target NOUN: print its line of the table; false: it crashed.
run_target() {
    local before status=0 crashes executions='' edges=''
    mkdir -p "$build/found/$1"
    before=$(crashes_of "$1")
    "explore_$engine" "$1" || status=$?
    crashes=$(($(crashes_of "$1") - before))
    total_executions=$((total_executions + ${executions:-0}))
    total_edges=$((total_edges + ${edges:-0}))
    total_crashes=$((total_crashes + crashes))
    ((status == 0 && crashes == 0)) || status=1
    printf '%-16s %14s %8s %8s  %s\n' "$1" "${executions:-?}" "${edges:-?}" "$crashes" \
        "$( ((status == 0)) && echo ok || echo "FAILED, see $build/$1.log")"
    return "$status"
}

targets=()
while (($# > 0)); do
    case $1 in
    --engine) engine=${2:-}; declare -F "explore_$engine" >/dev/null || die "no engine '$engine'"; shift ;;
    --seconds) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--seconds needs a number"; seconds=$2; shift ;;
    -h | --help) sed -n '3,13s/^# \{0,3\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) die "unknown option '$1'" ;;
    *) [[ -e $here/fuzz_$1.c ]] || die "there is no target '$1'"; targets+=("$1") ;;
    esac
    shift
done
build=${HAUL_FUZZ_BUILD_DIR:-$root/build-fuzz}
[[ $engine == libfuzzer ]] || build=${HAUL_FUZZ_BUILD_DIR:-$build}-$engine
"check_$engine"
if ((${#targets[@]} == 0)); then
    for file in "$here"/fuzz_*.c; do
        noun=${file##*/fuzz_}
        targets+=("${noun%.c}")
    done
fi
build_targets

total_executions=0 total_edges=0 total_crashes=0 failed=0
printf '%-16s %14s %8s %8s\n' target executions edges crashes
for noun in "${targets[@]}"; do
    run_target "$noun" || failed=$((failed + 1))
done
printf '%-16s %14s %8s %8s\n' sum "$total_executions" "$total_edges" "$total_crashes"
((failed == 0)) || { printf "fuzz.sh: %d of %d targets failed\n" "$failed" "${#targets[@]}" >&2; exit 1; }
