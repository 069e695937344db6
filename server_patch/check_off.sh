#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_off.sh — checks that Kvrocks with the patch and MIGRATE_RDMA off is the same program as without the patch.
#   check_off.sh TREE BUILD [ARGUMENTS OF CMAKE...]
# TREE is an untouched source tree of the commit (apply.sh check), BUILD the build directory. The script builds the
# tree unchanged and then with the patch, with the same arguments and at the same place, and compares the two programs
# byte by byte. Afterwards it restores the tree. Exit code 0: equal.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
(($# >= 2)) || { sed -n '4s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
tree=$(cd "$1" && pwd) build=$2
shift 2
mkdir -p "$build"
build=$(cd "$build" && pwd)

# build_as NAME: BUILD/kvrocks.NAME
build_as() {
    cmake -S "$tree" -B "$build" "${arguments[@]}" -DMIGRATE_RDMA=OFF >"$build/configure.$1.log" 2>&1 ||
        { tail -n 20 "$build/configure.$1.log" >&2; exit 1; }
    cmake --build "$build" --target kvrocks -j "$(nproc)" >"$build/build.$1.log" 2>&1 ||
        { tail -n 20 "$build/build.$1.log" >&2; exit 1; }
    cp "$build/kvrocks" "$build/kvrocks.$1"
}

arguments=("$@")
"$here/apply.sh" check "$tree"
build_as without
trap '"$here/apply.sh" remove "$tree"' EXIT
"$here/apply.sh" apply "$tree"
build_as with
echo "$(stat -c %s "$build/kvrocks.with") bytes, $(sha256sum <"$build/kvrocks.with" | cut -c1-16)"
if cmp "$build/kvrocks.without" "$build/kvrocks.with"; then
    echo "equal: the program with the patch and MIGRATE_RDMA off is the one without it"
else
    exit 1
fi
