#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# soak.sh — everything that takes too long for ci/test.sh: all cells of the fault matrix, kills at
# random moments, simulator seeds, fuzzers, sanitizers, valgrind, the rig; in turns, until the time is over.
#   ci/soak.sh --minutes N [--only JOB]... [--fresh]
#     --minutes N   duration; a job that has begun may take some minutes more
#     --only JOB    one of the jobs named below; may be repeated
#     --fresh       forget the results of earlier soaks
#   ci/soak.sh --figures   only print the results so far
# A soak continues where the last one stopped: figures, seeds and places in the tables are kept in
# <build>-soak/state (HAUL_SOAK_DIR). Prints the figures; exit code 1 if anything failed. The output of
# failed jobs is kept in <build>-soak/logs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

soak=${HAUL_SOAK_DIR:-$build-soak}
state=$soak/state logs=$soak/logs
all_jobs=(matrix stores kills cancels seeds fuzz sweep rig hosts valgrind)
chosen=() minutes='' fresh=0 figures_only=0

parse() {
    while (($#)); do
        case $1 in
        --minutes) minutes=${2:-}; shift ;;
        --only) chosen+=("${2:-}"); shift ;;
        --fresh) fresh=1 ;;
        --figures) figures_only=1 ;;
        -h | --help) sed -n '3,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) die "unknown argument '$1'" ;;
        esac
        shift
    done
    ((figures_only)) || [[ $minutes =~ ^[1-9][0-9]*$ ]] || die '--minutes needs a whole number'
    ((${#chosen[@]})) || chosen=("${all_jobs[@]}")
    local job
    for job in "${chosen[@]}"; do
        declare -F "job_$job" >/dev/null || die "no job '$job'; there are: ${all_jobs[*]}"
    done
}

# --- what is kept ---------------------------------------------------------------------------------

kept() { cat "$state/$1" 2>/dev/null || echo 0; }
keep() { echo "$2" >"$state/$1.tmp" && mv "$state/$1.tmp" "$state/$1"; }
add() { keep "$1" $(($(kept "$1") + $2)); }

left_seconds() { echo $((end - SECONDS)); }

# A share of the remaining time, from 60 to 600 seconds.
slice() {
    local seconds=$(($(left_seconds) / ${1:-4}))
    ((seconds >= 60)) || seconds=60
    ((seconds <= 600)) || seconds=600
    echo "$seconds"
}

# run_job NAME COMMAND...: runs a command and adds its closing lines to the figures of NAME.
run_job() {
    local name=$1 log=$logs/$1.log status=0 kind passed failed skipped what count
    shift
    "$@" >"$log" 2>&1 || status=$?
    sed -i 's/^\[client\] //' "$log" # of two hosts, the one with the tests
    printf 'COMMAND %s %d\n' "$name" "$status" >>"$log"
    while IFS=$'\t' read -r kind passed failed skipped; do
        case $kind in
        total)
            add "$name.passed" "$passed"
            add "$name.failed" "$failed"
            ((failed == 0)) || cp "$log" "$logs/$name-failed-$(kept "$name.rounds").log"
            ;;
        failure) say "failed: $name: $passed" ;;
        esac
    done < <(awk -f "$root/ci/count_tests.awk" "$log")
    while read -r kind what count; do
        add "seen.$what" "$count"
    done < <(grep -E '^seen [^ ]+ [0-9]+$' "$log" || true)
    add "$name.rounds" 1
}

# run_table NAME SUITE BUILD [IN-FRONT...]: runs the next cells of a table.
run_table() {
    local name=$1 suite=$2 where=$3 next
    shift 3
    HAUL_FAULT_CELLS=all HAUL_FAULT_FROM=$(kept "$name.next") HAUL_FAULT_SECONDS=$(slice) \
        HAUL_FAULT_DONE=$state/next HAUL_FAULT_TABLE=$state/table.$name \
        run_job "$name" "$@" "$root/tests/faults/$suite" "$where"
    next=$(kept next)
    if ((next == 0)); then
        add "$name.whole" 1
        rm -f "$state/table.$name"
    fi
    keep "$name.next" "$next"
}

# --- jobs -----------------------------------------------------------------------------------------

build_once() { # VARIANT CMAKE-ARGUMENT...
    [[ ! -e $state/built-$1 ]] || return 0
    say "building $1 ..."
    "$root/ci/build.sh" "$soak/$1" -DHAUL_DEVELOPER=ON -DHAUL_TESTS=ON -DHAUL_BENCH=OFF "${@:2}" \
        >"$logs/build-$1.log" 2>&1 || die "the build failed: $logs/build-$1.log"
    : >"$state/built-$1"
}
plain() { build_once plain; }
asan() { build_once asan -DHAUL_SANITIZER=address,undefined -DHAUL_LIBRARY=OFF; }

job_matrix() {
    plain
    run_table matrix tcp_faults.sh "$soak/plain"
}

job_stores() {
    plain
    HAUL_MATRIX=all HAUL_MATRIX_SHARE=$((1 + $(kept stores.rounds) % 12))/12 \
        run_job stores "$root/tests/matrix/store_matrix.sh" "$soak/plain"
}

job_kills() {
    plain
    run_job kills "$root/tests/integration/random_kills.sh" "$soak/plain" 40 $((1 + $(kept kills.rounds)))
}

job_cancels() {
    plain
    run_job cancels "$root/tests/integration/random_kills.sh" "$soak/plain" 20 \
        $((1 + $(kept cancels.rounds))) cancel-sender cancel-receiver
}

# Seeds continue from soak to soak.
job_seeds() {
    plain
    local simulate=$soak/plain/tests/simulate first last ran count=20000
    [[ -x $simulate ]] || return 0
    first=$((1 + $(kept seeds.run)))
    run_job seeds timeout 1200 "$simulate" --seed "$first" --seeds "$count"
    # A failing seed is the last one of its round.
    last=$(sed -n 's/^replay with: simulate --seed \([0-9]*\).*/\1/p' "$logs/seeds.log" | tail -n 1)
    ran=$(sed -n 's/^\([0-9]*\) seeds, .*/\1/p' "$logs/seeds.log")
    [[ -z $last ]] || ran=$((last - first + 1))
    add seeds.run "${ran:-0}"
}

# fuzz_targets SECONDS [TARGET]: runs the fuzzers in turns, and sums up the executions of each target.
fuzz_targets() {
    local target executions _ engines=(libfuzzer afl)
    HAUL_FUZZ_BUILD_DIR=$soak/fuzz run_job fuzz "$root/tests/fuzz/fuzz.sh" --seconds "$1" \
        --engine "${engines[$(($(kept fuzz.rounds) / 2 % 2))]}" "${@:2}"
    while read -r target executions _; do
        add "executions.$target" "$executions"
    done < <(grep -E '^[a-z_]+ +[0-9]+ ' "$logs/fuzz.log" | grep -v '^sum ' || true)
}

# All targets, and then once more the one with the fewest executions so far.
job_fuzz() {
    "$root/ci/install.sh" --fuzz
    fuzz_targets 12
    local least
    least=$(cd "$state" && grep -H . executions.* | sort -t : -k 2,2n | sed -n '1s/^executions\.\([^:]*\):.*/\1/p')
    [[ -z $least ]] || fuzz_targets 30 "$least"
}

job_sweep() {
    asan
    run_table sweep call_sweep.sh "$soak/asan"
}

job_rig() {
    plain
    run_table rig rdma_faults.sh "$soak/plain" "$root/ci/rxe/run.sh" --timeout 1500 --
}

job_hosts() {
    plain
    HAUL_FAULT_CELLS=all run_job hosts "$root/ci/rxe/run.sh" --timeout 1500 --hosts 2 -- \
        "$root/tests/faults/network_faults.sh" "$soak/plain"
}

# Unit tests of parsers and of clean-up: valgrind finds errors that AddressSanitizer does not.
job_valgrind() {
    plain
    command -v valgrind >/dev/null || { say 'no valgrind: apt-get install valgrind'; return 0; }
    local test
    for test in "$soak"/plain/tests/test_{raw_batch,slot_header,message,journal,plan,apply_stream} \
        "$soak"/plain/tests/test_{digest_ledger,control_channel,tcp_receiver,target_session,verbs_link}; do
        [[ ! -x $test ]] || run_job valgrind timeout 600 valgrind -q --error-exitcode=9 \
            --leak-check=full --errors-for-leak-kinds=definite "$test"
    done
}

# --- figures --------------------------------------------------------------------------------------

print_counts() { # TITLE PREFIX: the counts kept under that name
    local file sum=0 line=''
    for file in "$state/$2".*; do
        [[ -e $file ]] || return 0
        line+=" ${file#"$state/$2."} $(<"$file"),"
        sum=$((sum + $(<"$file")))
    done
    echo "$1: $sum:${line%,}" | fold -s -w 100
}

print_figures() {
    local job failed=0
    printf '%-10s %8s %10s %8s\n' job rounds passed failed
    for job in "${all_jobs[@]}"; do
        printf '%-10s %8d %10d %8d\n' "$job" "$(kept "$job.rounds")" "$(kept "$job.passed")" \
            "$(kept "$job.failed")"
        failed=$((failed + $(kept "$job.failed")))
    done
    echo "simulator seeds: $(kept seeds.run)"
    print_counts 'fuzz executions' executions
    print_counts 'faults that were met' seen.harm
    print_counts 'sides that were killed, by the phase of their journal' seen.kill
    print_counts 'calls that failed, by name' seen.call
    echo "whole tables: matrix $(kept matrix.whole), sweep $(kept sweep.whole), rig $(kept rig.whole)"
    echo "minutes in all: $(($(kept seconds) / 60))"
    ((failed == 0))
}

parse "$@"
((!fresh)) || rm -rf "$state" "$logs"
mkdir -p "$state" "$logs"
if ((figures_only)); then
    print_figures
    exit
fi
end=$((SECONDS + minutes * 60))
while (($(left_seconds) > 0)); do
    for job in "${chosen[@]}"; do
        (($(left_seconds) > 0)) || break
        began=$SECONDS
        say "$job (${SECONDS} s of $((minutes * 60)) s) ..."
        "job_$job"
        add seconds $((SECONDS - began))
    done
done
print_figures
