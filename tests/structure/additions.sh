#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# additions.sh — proves that a new transport is one folder and one line, and a new apply lane one file and
# one line: adds both to a copy of the tree, builds it, and runs them.
#   tests/structure/additions.sh ROOT
set -euo pipefail
root=$(cd "$1" && pwd)
here=$root/tests/structure/additions
work=$(mktemp -d)
receiver=
trap 'status=$?; [[ -z $receiver ]] || kill "$receiver" 2>/dev/null || true; rm -rf "$work"; exit $status' EXIT
passed=0 failed=0

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        tail -n 30 "$work/log" | sed 's/^/  /'
    fi
}

# one_line FILE PATTERN LINE: insert LINE before the line that matches.
one_line() {
    local before after
    before=$(wc -l <"$1")
    sed -i "/$2/i\\
$3" "$1"
    after=$(wc -l <"$1")
    ((after == before + 1)) || { echo "no place for a line in $1"; exit 1; }
}

git -C "$root" ls-files -z | grep -zv '^tests/structure/additions/' | tar -C "$root" --null -T - -cf - 2>/dev/null |
    tar -C "$work" --one-top-level=tree -xf -
tree=$work/tree

# The transport: a folder and a line.
mkdir "$tree/rdma/dummy"
cp "$here/dummy_link.c" "$here/transport.cmake" "$tree/rdma/dummy/"
one_line "$tree/rdma/include/haul/transport.h" 'X(LOOPBACK, 3' '    X(DUMMY, 4, "dummy", dummy) \\'
# The lane: a file and a line.
cp "$here/lane_dummy.c" "$tree/engine/target/"
one_line "$tree/engine/include/haul/migration.h" 'X(WRITE_BATCH, 2' '    X(DUMMY, 3, "dummy", dummy) \\'
# Its program in the conformance suite.
sed 's/TRANSPORT_TCP/TRANSPORT_DUMMY/; s/conformance_tcp/conformance_dummy/g' "$tree/tests/conformance/conformance_tcp.c" \
    >"$tree/tests/conformance/conformance_dummy.c"

# Not optimized: whether it builds and runs is the same, in half of the time.
check configure cmake -S "$tree" -B "$work/build" -DHAUL_TESTS=ON -DHAUL_BENCH=OFF -DHAUL_RDMA=OFF \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 -DCMAKE_CXX_FLAGS_DEBUG=-O0
check build cmake --build "$work/build" -j "$(nproc)" --target haul conformance_dummy test_apply_lane
haul=$work/build/cli/haul
check conformance "$work/build/tests/conformance_dummy"
check lane_table "$work/build/tests/test_apply_lane"
check version bash -c "'$haul' version | grep -q dummy"

moves_by_lane() {
    local address i
    command -v ldb >/dev/null || return 1
    ldb --db="$work/a" --create_if_missing put key value >/dev/null
    "$haul" recv --db "$work/b" --listen 127.0.0.1:0 --lane dummy --once >"$work/recv" 2>&1 </dev/null &
    receiver=$!
    for ((i = 0; i < 500; i++)); do
        address=$(grep -om1 '127.0.0.1:[0-9]*' "$work/recv" || true)
        [[ -z $address ]] || break
        read -rt 0.02 <> <(:) || true
    done
    "$haul" send --db "$work/a" --to "$address" --transport tcp --json >"$work/sent" || return 1
    wait "$receiver" || return 1
    receiver=
    grep -q '"lane":"dummy"' "$work/sent" && ldb --db="$work/b" get key | grep -qx value
}
check moves_by_lane moves_by_lane

echo "additions: $passed passed, $failed failed, 0 skipped"
((failed == 0))
