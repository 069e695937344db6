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

# run_ctest NAME DIR CTEST-ARGUMENT...
run_ctest() {
    local name=$1 directory=$2 log=$logs/$1.log
    shift 2
    say "$name: running the tests ..."
    ctest --test-dir "$directory" -V -j "$jobs" "$@" >"$log" 2>&1 || true
    count_log "$name" "$log"
}

# run_command NAME COMMAND...: runs a command that prints its own closing line.
run_command() {
    local name=$1 log=$logs/${1//\//-}.log status=0
    shift
    say "$name ..."
    "$@" >"$log" 2>&1 || status=$?
    sed -i 's/^\[client\] //' "$log" # of two hosts, the one with the tests
    if ((status == 77)); then
        skipped=$((skipped + 1))
        skips+=("$name: $(tail -n 1 "$log")")
        return
    fi
    # It is counted like one ctest test.
    printf 'COMMAND %s %d\n' "${name##*/}" "$status" >>"$log"
    count_log "$name" "$log"
}

# run_in_rig NAME TIMEOUT RIG-FLAG... -- COMMAND...
run_in_rig() { run_command "rig/$1" "$root/ci/rxe/run.sh" --timeout "${@:2}"; }

build_variant() {
    local name=$1 directory=$2
    shift 2
    say "$name: building ..."
    "$root/ci/build.sh" "$directory" -DHAUL_DEVELOPER=ON -DHAUL_TESTS=ON "$@"
}

run_rig_tests() {
    say "rig: building its kernel, on first use only ..."
    if ! "$root/ci/rxe/build.sh" >"$logs/rig-build.log" 2>&1; then
        failed=$((failed + 1))
        failures+=("rig: its kernel cannot be built: $(tail -n 1 "$logs/rig-build.log")")
        return
    fi
    run_command rig/selftest "$root/ci/rxe/selftest.sh"
    local suite
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

build_sanitizer() {
    build_variant "$1" "$build-$1" "-DHAUL_SANITIZER=$2" -DHAUL_BENCH=OFF -DHAUL_LIBRARY=OFF
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
run_ctest plain "$build"
if ((!fast)); then
    # The rig keeps one processor busy: build on the other one meanwhile.
    (renice -n 19 "$BASHPID" >/dev/null && build_sanitizer asan address,undefined) &
    asan_build=$!
    run_rig_tests
    wait "$asan_build"
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
    export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:history_size=7:suppressions=$root/ci/tsan.suppressions}
    run_ctest asan "$build-asan" -LE plain-only
    build_sanitizer tsan thread
    run_ctest tsan "$build-tsan" -LE 'plain-only|not-tsan'
fi
print_report
((passed > 0 && failed == 0))
