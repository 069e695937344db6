#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test.sh — installs missing packages, builds, and runs every test.
#   ci/test.sh           everything: the plain build, RDMA in the soft-RoCE rig (ci/rxe),
#                        AddressSanitizer with UBSan, ThreadSanitizer
#   ci/test.sh --fast    the plain build only, without the rig
# Skipped and failed tests are listed with their reason; the last line is `N passed, N failed`,
# with `, N skipped` if there are any. The output of every run is kept in <build>/test-logs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

parse_fast 4,8 "$@"

logs=$build/test-logs
passed=0 failed=0 skipped=0
failures=() skips=()

# --- steps: what they print goes to a log ----------------------------------------------------------

# run_ctest NAME DIR CTEST-ARGUMENT...: a little nicer than the rig beside it, which imitates a machine
# with one processor and clocks of its own.
run_ctest() {
    local name=$1 directory=$2
    shift 2
    say "$name: running the tests ..."
    nice -n 5 ctest --test-dir "$directory" -V -j "$jobs" "$@" >"$logs/$name.log" 2>&1 || true
    say "$name: its tests have ended"
}

# run_command NAME COMMAND...: runs a command that prints its own closing line.
run_command() {
    local log=$logs/$1.log name=$1 status=0
    say "$1 ..."
    shift
    "$@" >"$log" 2>&1 || status=$?
    sed -i 's/^\[client\] //' "$log" # of two hosts, the one with the tests
    ((status != 77)) || sed -i '$s/^/SKIPPED /' "$log" # its last line is the reason
    # It is counted like one ctest test.
    printf 'COMMAND %s %d\n' "${name#rig-}" "$status" >>"$log"
}

# run_in_rig NAME TIMEOUT RIG-FLAG... -- COMMAND...
run_in_rig() { run_command "rig-$1" "$root/ci/rxe/run.sh" --timeout "${@:2}"; }

build_variant() {
    local name=$1 directory=$2
    shift 2
    say "$name: building ..."
    "$root/ci/build.sh" "$directory" -DHAUL_DEVELOPER=ON -DHAUL_TESTS=ON "$@"
}

# The flags of the build type but for -g1: reports of sanitizers need functions and lines only, and this
# compiles and links faster.
build_sanitizer() {
    local flags='-O2 -g1 -DNDEBUG'
    local ipsec_mb=ON
    [[ $1 != asan ]] || ipsec_mb=OFF # one build seals with OpenSSL alone
    build_variant "$1" "$build-$1" "-DHAUL_SANITIZER=$2" -DHAUL_IPSEC_MB=$ipsec_mb -DHAUL_BENCH=OFF \
        -DHAUL_LIBRARY=OFF "-DCMAKE_C_FLAGS_RELWITHDEBINFO=$flags" "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=$flags"
}

run_rig() {
    local log=$logs/rig-kernel.log suite
    say "rig: building its kernel, on first use only ..."
    if ! nice -n 19 "$root/ci/rxe/build.sh" >"$log" 2>&1; then
        printf 'FAILED it cannot be built: %s\nrig-kernel: 0 passed, 1 failed\n' "$(tail -n 1 "$log")" >>"$log"
        return
    fi
    run_command rig-selftest "$root/ci/rxe/selftest.sh"
    for suite in "$build"/tests/conformance_verbs "$build"/tests/test_verbs_*; do
        [[ -x $suite && $suite != *_planted ]] || continue
        run_in_rig "${suite##*/}" 300 -- "$suite"
    done
    run_in_rig rdma_migration 400 --assert-no-rnr -- "$root/tests/integration/rdma_migration.sh" "$build"
    run_in_rig two_hosts 400 --hosts 2 -- "$root/tests/integration/two_hosts.sh" "$build"
    run_in_rig rdma_faults 600 -- "$root/tests/faults/rdma_faults.sh" "$build"
    run_in_rig network_faults 600 --hosts 2 -- "$root/tests/faults/network_faults.sh" "$build"
    [[ -n ${KVROCKS_BIN:-} ]] || return 0
    for suite in slot_migration slot_rdma_faults; do
        run_in_rig "kvrocks_$suite" 900 --memory 4096 --env "KVROCKS_BIN=$KVROCKS_BIN" -- \
            python3 -B "$root/tests/kvrocks/$suite.py" "$build/cli/haul"
    done
}

# --- steps at the same time ------------------------------------------------------------------------

background=()

# in_background COMMAND...: its process id is in $step.
in_background() {
    set -m # a process group of its own, which end_background ends
    (
        set +m
        trap - EXIT
        "$@"
    ) &
    step=$!
    set +m
    background+=("$step")
}

# shellcheck disable=SC2317 # called by a trap
end_background() {
    local status=$? each
    for each in "${background[@]}"; do kill -- "-$each" 2>/dev/null || true; done
    exit "$status"
}

build_nicely() {
    renice -n 19 "$BASHPID" >/dev/null
    build_sanitizer "$@"
}

# The tests wait for a large part of their time, and the rig has one processor: the rig, and builds that are
# nicer than all tests, use what lies idle.
run_everything() {
    local rig asan_build tsan_build
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
    export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:history_size=7:suppressions=$root/ci/tsan.suppressions}
    trap end_background EXIT
    in_background run_rig
    rig=$step
    in_background build_nicely asan address,undefined
    asan_build=$step
    run_ctest plain "$build"
    wait "$asan_build"
    in_background build_nicely tsan thread
    tsan_build=$step
    run_ctest asan "$build-asan" -LE plain-only
    wait "$tsan_build"
    run_ctest tsan "$build-tsan" -LE 'plain-only|not-tsan'
    wait "$rig"
}

# --- the report ------------------------------------------------------------------------------------

# count_log NAME LOG: adds the closing lines of the suites in LOG. A ctest test that failed without a
# closing line, or although its line counts no failure, counts as one failure; one that passed
# without a closing line (a check that is one command) counts as one passed.
count_log() {
    local line
    while IFS=$'\t' read -r -a line; do
        case ${line[0]} in
        total)
            passed=$((passed + line[1])) failed=$((failed + line[2])) skipped=$((skipped + line[3]))
            ;;
        failure) failures+=("$1: ${line[1]}") ;;
        skip) skips+=("$1: ${line[1]}") ;;
        esac
    done < <(awk -f "$root/ci/count_tests.awk" "$2")
}

count_logs() {
    local log
    for log in "$logs"/plain.log "$logs"/rig-*.log "$logs"/asan.log "$logs"/tsan.log; do
        [[ ! -e $log ]] || count_log "$(basename "$log" .log)" "$log"
    done
}

print_report() {
    local line
    if ((${#skips[@]})); then
        echo "skipped:"
        printf '  %s\n' "${skips[@]}"
    fi
    if ((${#failures[@]})); then
        echo "failed (output in $logs):"
        printf '  %s\n' "${failures[@]}"
    fi
    line="$passed passed, $failed failed"
    ((!skipped)) || line+=", $skipped skipped"
    echo "$line"
}

"$root/ci/install.sh"
build_variant plain "$build" -DHAUL_SANITIZER=none
rm -rf "$logs"
mkdir -p "$logs"
if ((fast)); then
    run_ctest plain "$build"
else
    run_everything
fi
count_logs
print_report
((passed > 0 && failed == 0))
