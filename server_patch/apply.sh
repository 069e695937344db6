#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# apply.sh — adds migrate-type rdma to a Kvrocks source tree, and removes it again.
#   apply.sh check TREE    check that TREE is at the patch's commit and can take it
#   apply.sh apply TREE    copy migrate_rdma/ into TREE and add the patch's lines
#   apply.sh remove TREE   restore TREE
set -euo pipefail
commit=5fccd57c66bc8f0e4138924fe6a0148931e5650f
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
    echo "apply.sh: $*" >&2
    exit 1
}

usage() {
    sed -n '3,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit "$1"
}

# The patch has no context: it fits this commit, line by line, and no other.
check_commit() {
    local head
    head=$(git -C "$tree" rev-parse HEAD 2>/dev/null) || die "$tree is not a git tree"
    [[ $head == "$commit" ]] || die "$tree is at $head; the patch is for $commit"
}

touched() {
    sed -n 's|^+++ b/||p' "$here/kvrocks.patch"
}

check() {
    check_commit
    [[ ! -e $tree/migrate_rdma ]] || die "$tree has migrate_rdma/ already"
    local file
    while IFS= read -r file; do
        git -C "$tree" diff --quiet HEAD -- "$file" || die "$file differs from the commit"
    done < <(touched)
    git -C "$tree" apply --unidiff-zero --check "$here/kvrocks.patch"
}

apply() {
    check
    cp -r "$here/migrate_rdma" "$tree/migrate_rdma"
    git -C "$tree" apply --unidiff-zero "$here/kvrocks.patch"
    echo "applied: build with -DMIGRATE_RDMA=ON -DHAUL_SOURCE_DIR=$(cd "$here/.." && pwd)"
}

remove() {
    check_commit
    git -C "$tree" apply --unidiff-zero --reverse --check "$here/kvrocks.patch" || die "the patch is not applied, or was changed"
    git -C "$tree" apply --unidiff-zero --reverse "$here/kvrocks.patch"
    rm -rf "$tree/migrate_rdma"
    echo "removed"
}

[[ $# -eq 2 ]] || usage 2
tree=$2
[[ -d $tree ]] || die "no directory $tree"
tree=$(cd "$tree" && pwd)
case $1 in
check) check && echo "fits" ;;
apply) apply ;;
remove) remove ;;
*) usage 2 ;;
esac
