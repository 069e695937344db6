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

# compile PART ARGUMENT...: stdin, as a file of PART.
compile() {
    local options
    mapfile -t options < <(include_path "$1")
    "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -DPB_ENABLE_MALLOC=1 -x c "${@:2}" "${options[@]}" -
}

# compiles PART HEADER...: a file of PART that includes them.
compiles() { printf '#include "%s"\n' "${@:2}" | compile "$1" -fsyntax-only 2>/dev/null; }

# found PART HEADER...: those that an include in a file of PART finds.
found() {
    local header
    for header in "${@:2}"; do
        printf '#if __has_include("%s")\n%s\n#endif\n' "$header" "$header"
    done | compile "$1" -E -P
}

# home PART: the folder with its files.
home() { echo "$root/${1/_//}"; }

sees() { grep -qxF "$(home "$2")" "$parts/$1"; }

# first_header PART: all of a folder are found in the same way, so one of them is enough.
first_header() {
    local header
    for header in "$(home "$1")"/*.h; do
        [[ ! -e $header ]] || echo "${header##*/}"
        return 0
    done
}

# check_part PART: of every other folder, its headers compile in PART if the target lists the folder, and
# are not found otherwise.
check_part() {
    local part=$1 other header seen=() headers=() all
    for other in "${names[@]}"; do
        header=$(first_header "$other")
        [[ $other != "$part" && -n $header ]] || continue
        headers+=("$header")
        if sees "$part" "$other"; then seen+=("$header"); fi
    done
    all=$(found "$part" "${headers[@]}")
    for header in "${headers[@]}"; do
        if [[ " ${seen[*]} " == *" $header "* ]]; then
            grep -qxF "$header" <<<"$all" && pass || fail "$part: cannot include $header, which its target lists"
        else
            grep -qxF "$header" <<<"$all" && fail "$part: includes $header" || pass
        fi
    done
    ((${#seen[@]} == 0)) || { compiles "$part" "${seen[@]}" && pass || fail "$part: its headers do not compile"; }
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
    check_part "$part"
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
# The cluster's part stands beside the engine.
for header in source_session.h link_ops.h rocks_store.h plan.h; do
    may_not cluster "$header"
done
may_not engine_source topology.h
echo "includes: $passed passed, $failed failed, 0 skipped"
((failed == 0))
