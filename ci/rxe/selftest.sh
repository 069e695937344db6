#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that the soft-RoCE rig itself works; the last line says how many checks passed.
# shellcheck disable=SC2016 # most quoted text here is for the shell inside the rig
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
passed=0 failed=0 skipped=0 status=0

# Runs the rig and keeps its status, standard output and standard error.
rig() {
    status=0
    "$here/run.sh" "$@" >"$work/out" 2>"$work/err" || status=$?
}

expect() { # name, then a command that must succeed
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok: $name"
    else
        failed=$((failed + 1))
        echo "FAILED $name (status $status)"
        sed 's/^/    out: /' "$work/out" | tail -n 20
        sed 's/^/    err: /' "$work/err" | tail -n 60
    fi
}

is_status() { ((status == $1)); }
out_is() { [[ $(<"$work/out") == "$1" ]]; }
out_has() { grep -q -- "$1" "$work/out"; }
err_has() { grep -q -- "$1" "$work/err"; }

test_command() {
    HAUL_SELFTEST='a  b' rig --env 'EXTRA=c d' -- \
        bash -c 'echo "$HAUL_SELFTEST|$EXTRA|$HAUL_RIG_ROLE|$HAUL_RIG_ADDRESS|$(ulimit -l)"; echo oops >&2; exit 7'
    expect "exit code passed on" is_status 7
    expect "output and environment passed on" out_is 'a  b|c d|single|10.99.0.1|unlimited'
    expect "standard error passed on" err_has '^oops$'
    expect "a failure is reported" err_has '^send_rnr_err 0$'
}

test_single() {
    # perftest finds no clock rate in this kernel: -F makes it continue, its figures are void.
    rig --assert-no-rnr -- bash -ec '
        ibv_devinfo
        ib_write_bw -F -d rxe0 -s 65536 -n 500 >/dev/null &
        sleep 1
        ib_write_bw -F -d rxe0 -s 65536 -n 500 "$HAUL_RIG_ADDRESS"
        wait $!
        echo looped'
    expect "single host ends well" is_status 0
    expect "port active" out_has PORT_ACTIVE
    expect "ib_write_bw loop" out_has '^looped$'
}

test_timeout() {
    rig --timeout 2 -- sleep 100
    expect "timeout exits 124" is_status 124
    expect "timeout says so" err_has 'timeout after 2 s'
}

test_pair() {
    rig --hosts 2 --netem 'loss 0.1%' --timeout 40 -- bash -ec '
        if [[ $HAUL_RIG_ROLE == server ]]; then
            rping -s -a "$HAUL_RIG_ADDRESS" -C 3 >/dev/null
            ib_write_bw -F -d rxe0 -s 65536 -n 500 >/dev/null
        else
            sleep 1
            rping -c -a "$HAUL_RIG_PEER" -C 3 -v
            sleep 1
            ib_write_bw -F -d rxe0 -s 65536 -n 500 "$HAUL_RIG_PEER"
            tc qdisc show dev vec0
        fi'
    if is_status 77; then
        skipped=$((skipped + 1))
        cat "$work/err"
        return
    fi
    expect "two hosts: both end well" is_status 0
    expect "two hosts: ping" out_has '^\[client\] ping data: rdma-ping-2'
    expect "two hosts: netem" out_has '^\[client\] qdisc netem .*loss 0.1%'
    rig --hosts 2 --timeout 30 -- bash -c '[[ $HAUL_RIG_ROLE == server ]] || exit 5'
    expect "two hosts: exit code of the client" is_status 5
}

"$here/build.sh" >/dev/null
test_command
test_single
test_timeout
test_pair
((skipped == 0)) || echo "SKIPPED two hosts: $(tail -n 1 "$work/err")"
echo "selftest: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
