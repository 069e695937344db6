#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# includes.sh — proves that the folders see what they may, and nothing else: tries to compile includes.
#   tests/structure/includes.sh ROOT PARTS
# PARTS has a file for each folder, with the include path of its target, one directory a line
# (ci/cmake/part.cmake).
set -euo pipefail
root=$1 parts=$2
passed=0 failed=0

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    echo "FAILED $*"
}

# include_path PART: the compiler's options for a file of that folder.
include_path() { sed 's/^/-I/' "$parts/$1"; }

# compiles PART HEADER: a file of PART that includes HEADER.
compiles() {
    local options
    mapfile -t options < <(include_path "$1")
    printf '#include "%s"\n' "$2" |
        "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -DPB_ENABLE_MALLOC=1 -x c -fsyntax-only "${options[@]}" - 2>/dev/null
}

# home PART: the folder with its files.
home() { echo "$root/${1/_//}"; }

sees() { grep -qxF "$(home "$2")" "$parts/$1"; }

# Every pair of folders: either all headers of the one compile in the other, or none does.
check_pair() {
    local part=$1 other=$2 header
    for header in "$(home "$other")"/*.h; do
        [[ -e $header ]] || return 0
        if sees "$part" "$other"; then
            compiles "$part" "${header##*/}" && pass || fail "$part: cannot include ${header##*/}, which its target lists"
        else
            compiles "$part" "${header##*/}" && fail "$part: includes ${header##*/} of $other" || pass
        fi
        return 0 # all of a folder are found in the same way: one of them is enough
    done
}

# may_not PART HEADER: what the design forbids by name.
may_not() {
    [[ -n $(find "$root" -name "$2" -path '*.h' -print -quit) ]] || fail "there is no $2"
    compiles "$1" "$2" && fail "$1: includes $2" || pass
}

names=()
for file in "$parts"/*; do
    names+=("${file##*/}")
done
((${#names[@]} > 10)) || fail "no folders in $parts"
for part in "${names[@]}"; do
    for other in "${names[@]}"; do
        [[ $part == "$other" ]] || check_pair "$part" "$other"
    done
done

# The session machines decide, and see neither links nor files nor stores.
for header in link_ops.h block_pool.h control_channel.h poll_group.h tcp_link.h journal.h file_calls.h rocks_store.h; do
    may_not engine_session "$header"
done
# Source and target do not see each other, and no transport sees another one.
may_not engine_source target_driver.h
may_not engine_target source_copy.h
may_not rdma_tcp loopback_link.h
[[ ! -e $parts/rdma_verbs ]] || { may_not rdma_verbs tcp_link.h && may_not rdma_tcp verbs_link.h; }
# The tool sees the public headers.
for header in source_session.h link_ops.h rocks_store.h plan.h clock.h; do
    may_not cli "$header"
done
echo "includes: $passed passed, $failed failed, 0 skipped"
((failed == 0))
