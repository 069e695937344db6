#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_off.sh — checks that with MIGRATE_RDMA off the compiler gets the same program with the patch as without it.
#   check_off.sh TREE BUILD [ARGUMENTS OF CMAKE...]
# TREE is a source tree that can take the patch (apply.sh check), BUILD a build directory. The script configures the tree
# without and with the patch and compares: the list of compiled units with their flags, and the preprocessed text
# (cpp -P, so without line markers, and with __LINE__ 0) of each unit that the patch touches; they include the touched
# headers. If both are equal, only line numbers can differ: in log messages, and in names of static variables that
# REDIS_REGISTER_COMMANDS makes of them. Nothing is compiled. Afterwards the script restores the tree. Exit code 0: equal.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
(($# >= 2)) || { sed -n '4s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
tree=$(cd "$1" && pwd) build=$2
shift 2
arguments=("$@")
mkdir -p "$build"
build=$(cd "$build" && pwd)

# preprocess NAME: BUILD/NAME.units, BUILD/NAME/UNIT
preprocess() {
    local unit command
    cmake -S "$tree" -B "$build" "${arguments[@]}" -DMIGRATE_RDMA=OFF -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
        >"$build/configure.$1.log" 2>&1 || { tail -n 20 "$build/configure.$1.log" >&2; exit 1; }
    cp "$build/compile_commands.json" "$build/$1.units"
    while IFS= read -r unit; do
        mkdir -p "$build/$1/$(dirname "$unit")"
        # The last match: a unit is compiled once.
        command=$(sed -n "s|^ *\"command\": \"\(.*\) -o [^ ]* -c $tree/$unit\",\{0,1\}$|\1|p" "$build/$1.units" | tail -n 1)
        [[ -n $command ]] || { echo "check_off.sh: no command compiles $unit" >&2; exit 1; }
        # Unescape the JSON string; then the words are a shell's.
        (cd "$build" && eval "${command//\\\"/\"} -w -E -P -D__LINE__=0 -o '$build/$1/$unit' $tree/$unit")
    done <"$build/list"
}

"$here/apply.sh" check "$tree" >/dev/null
sed -n 's|^+++ b/\(.*\.cc\)$|\1|p' "$here/kvrocks.patch" >"$build/list"
preprocess without
trap '"$here/apply.sh" remove "$tree" >/dev/null' EXIT
"$here/apply.sh" apply "$tree" >/dev/null
preprocess with
cmp "$build/without.units" "$build/with.units"
diff -rq "$build/without" "$build/with"
echo "equal: $(wc -l <"$build/list") preprocessed units, $(cat $(sed "s|^|$build/with/|" "$build/list") | wc -c) bytes"
