# SPDX-License-Identifier: Apache-2.0
# harness.sh — runs the test_* functions of a script as tests; sourced.
#
#   . harness.sh; suite NAME "$@"; test_...() { ... }; run_tests
#
# Arguments of a suite: the build directory, then parts of test names to run only those. A test is a
# subshell with `set -e` in a directory of its own, $work; any failing command fails it. Processes
# that it leaves behind are ended. `skip REASON` ends it as skipped.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../../ci/common.sh"

# Long enough for sanitizers; nothing may hang.
limit=120

# An address of this run's own: a sender of another run that looks for a killed receiver must not
# find ours.
# shellcheck disable=SC2034 # used by the suites
own_host=127.$(($$ / 62500 + 1)).$(($$ / 250 % 250)).$(($$ % 250 + 1))

suite() {
    suite_name=$1
    build=$(cd "$2" && pwd)
    haul=$build/cli/haul
    # shellcheck disable=SC2034 # used by the suites
    hostile=$build/tests/hostile_peer kv=$build/tests/kv maker=$build/tests/store_maker
    reader=$build/tests/store_reader
    shift 2
    filters=("$@")
}

skip() {
    echo "$*" >"$work/.skipped"
    exit 77
}

fail() {
    echo "failed: $*"
    exit 1
}

# run EXPECTED-CODE COMMAND...: stdout to $work/out, stderr to $work/err.
run() {
    local expected=$1 code=0
    shift
    timeout -k 5 "$limit" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    if ((code != expected)); then
        echo "exit code $code, expected $expected: $*"
        sed 's/^/  err: /' "$work/err"
        exit 1
    fi
}

# one_error PATTERN: exactly one error line on stderr, and it matches.
one_error() {
    local count
    count=$(grep -c '^haul: error: ' "$work/err") || true
    [[ $count == 1 ]] || { cat "$work/err"; fail "$count error lines"; }
    grep '^haul: error: ' "$work/err" | grep -qE -- "$1" ||
        { cat "$work/err"; fail "the error line does not match /$1/"; }
}

# json FILTER: of the document on stdout.
json() { tail -n 1 "$work/out" | jq -r "$1"; }

# json_of FILE FILTER
json_of() { tail -n 1 "$1" | jq -r "$2"; }

equal() { [[ $1 == "$2" ]] || fail "'$1', expected '$2'"; }

# make_database DIR RECORDS [FAMILIES]: records of 1 KB, spread over the families.
make_database() {
    db_bench --db="$1" --benchmarks=fillrandom --num="$2" --value_size=1000 --key_size=16 \
        --num_column_families="${3:-1}" --compression_type=none --seed=7 >"$work/db_bench.log" 2>&1
}

# opens DIR: RocksDB's own tool can still read the database. (`ldb scan` does not write; commands of
# ldb that do leave a merge operator in the options.)
opens() {
    ldb --db="$1" scan --max_keys=1 >/dev/null 2>"$work/ldb.err" ||
        { cat "$work/ldb.err"; fail "$1 cannot be opened"; }
}

# same A B: count and digest agree.
same() { timeout "$limit" "$haul" verify --db "$1" --with "$2" >/dev/null 2>"$work/verify.err" ||
    { cat "$work/verify.err"; fail "$1 and $2 differ"; }; }

# end_process PID: wait for it, and return its exit code; kill it if it hangs.
end_process() {
    local pid=$1 code=0
    timeout "$limit" tail -s 0.02 --pid="$pid" -f /dev/null || { kill -9 "$pid"; fail "$pid hangs"; }
    reap "$pid" || code=$?
    return "$code"
}

# ended PID EXPECTED-CODE
ended() {
    local code=0
    end_process "$1" || code=$?
    ((code == $2)) || { cat "$work"/*.err "$work"/*.log; fail "exit code $code, expected $2"; }
}

kill_and_reap() {
    kill -9 "$1" 2>/dev/null || true
    reap "$1" || true
}

# wait_for COMMAND...: repeat until it succeeds, within a limit.
wait_for() {
    local i
    for ((i = 0; i < 1200; i++)); do
        ! "$@" 2>/dev/null || return 0
        sleep 0.05
    done
    fail "in vain: $*"
}

# --- jobs: what a suite has otherwise it defines again ---------------------------------------------

# receive_into DIR ADDR:PORT ARGUMENT...: start a receiver and wait until it listens.
receive_into() {
    start_receiver "$work/recv.log" --db "$1" --listen "$2" "${@:3}"
    [[ -n $receiver_address ]] || { cat "$work/recv.log"; fail 'the receiver did not start'; }
}

receive() { receive_into target "$own_host:0" --once "$@"; } # ARGUMENT...

# received [EXPECTED-CODE]: the receiver has ended.
received() { ended "$receiver_pid" "${1:-0}"; }

# send EXPECTED-CODE ARGUMENT...
send() { run "$1" "$haul" send --db source --to "$receiver_address" --transport tcp --json "${@:2}"; }

# sender_reaches FILTER [DIR]: wait until `haul status --json` of DIR (source) matches it; $sender
# runs meanwhile.
sender_reaches() {
    local i
    for ((i = 0; i < 3000; i++)); do
        "$haul" status --db "${2:-source}" --json >"$work/status.json" 2>"$work/status.err" || true
        [[ $(jq "$1" "$work/status.json") != true ]] || return 0
        # shellcheck disable=SC2154 # set by the suite
        kill -0 "$sender" 2>/dev/null || { cat "$work"/*.err; fail 'the sender has ended'; }
        sleep 0.02
    done
    cat "$work/status.err"
    fail "never seen: $1"
}

records_of() { "$haul" verify --db "$1" --with "$1" --json | jq -r '.families | map(.records) | add'; }

# reads_alike [ARGUMENT...]: an application reads the same from source and target; arguments
# restrict the source.
reads_alike() {
    "$reader" --digest "$@" source >source.digest
    "$reader" --digest target >target.digest
    diff source.digest target.digest || fail 'the databases read differently'
}

# --- running --------------------------------------------------------------------------------------

end_processes() {
    local pid
    set +e
    for pid in $(jobs -p) "${receivers[@]}"; do
        kill -9 "$pid" 2>/dev/null
    done
}

# At the end of a test's subshell: keep its exit code.
end_leftovers() {
    local status=$?
    end_processes
    exit "$status"
}

run_one() {
    local name=$1 status=0
    work=$(mktemp -d "${TMPDIR:-/tmp}/haul-test.XXXXXX")
    (
        set -e
        trap end_leftovers EXIT
        cd "$work"
        "$name"
    ) >"$work/.log" 2>&1
    status=$?
    if ((status == 77)) && [[ -e $work/.skipped ]]; then
        tests_skipped=$((tests_skipped + 1))
        echo "SKIPPED $name: $(cat "$work/.skipped")"
    elif ((status == 0)); then
        tests_passed=$((tests_passed + 1))
    else
        tests_failed=$((tests_failed + 1))
        echo "FAILED $name"
        sed 's/^/  /' "$work/.log"
    fi
    chmod -R u+w "$work" 2>/dev/null
    rm -rf "$work"
}

run_tests() {
    set +e
    tests_passed=0 tests_failed=0 tests_skipped=0
    local name filter wanted
    for name in $(declare -F | awk '$3 ~ /^test_/ { print $3 }'); do
        wanted=$((${#filters[@]} == 0))
        for filter in "${filters[@]}"; do
            [[ $name != *"$filter"* ]] || wanted=1
        done
        ((!wanted)) || run_one "$name"
    done
    echo "$suite_name: $tests_passed passed, $tests_failed failed, $tests_skipped skipped"
    ((tests_passed > 0 && tests_failed == 0))
    exit
}
