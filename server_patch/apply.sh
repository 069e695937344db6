#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# apply.sh — adds migrate-transport haul to a Kvrocks source tree, and removes it again.
#   apply.sh check TREE            check that each place of the patch is found in TREE
#   apply.sh apply TREE            copy migrate_rdma/ into TREE and add the patch's lines
#   apply.sh remove TREE           restore TREE
#   apply.sh commit TREE [BRANCH]  apply as three commits on a new branch (default: migrate-rdma) of the git tree
# A place is found by its lines, wherever they are in the file. Where they differ, nothing is changed.
set -euo pipefail
commit=589b018991de45f52c28b2107f8ff72fffed2766
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
patch=$here/kvrocks.patch
sources=src/cluster/migrate_rdma

die() {
    echo "apply.sh: $*" >&2
    exit 1
}

usage() {
    sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit "$1"
}

# git apply, also in a tree that is no git tree and lies within another one.
git_apply() {
    GIT_CEILING_DIRECTORIES=$(dirname "$tree") git -C "$tree" apply "$@"
}

# The patch, one file for each hunk: WORK/NNN.
split_hunks() {
    awk -v work="$1" '/^diff --git/ { head = ""; in_head = 1 }
        /^@@ / { in_head = 0; name = sprintf("%s/%03d", work, ++count); printf "%s", head > name }
        in_head { head = head $0 "\n"; next }
        { print > name }' "$patch"
}

# What HUNK adds first, without the guard, and the line before it.
describe() {
    awk '/^\+/ && !/^\+\+\+ / && !/^\+#(ifdef|endif|else)/ { sub(/^ +/, "", last); line = substr($0, 2); sub(/^ +/, "", line); print "no place for \"" line "\" after \"" last "\""; exit }
        /^ ./ { last = substr($0, 2) }' "$1"
}

check_places() {
    local work hunk file bad=0
    work=$(mktemp -d)
    split_hunks "$work"
    for hunk in "$work"/*; do
        file=$(sed -n 's|^+++ b/||p' "$hunk")
        git_apply --check "$hunk" 2>/dev/null && continue
        echo "apply.sh: $file: $(describe "$hunk"): the lines around it differ" >&2
        bad=$((bad + 1))
    done
    rm -rf "$work"
    [[ $bad -eq 0 ]] || die "$tree lacks the places of $bad additions; the patch was made for $commit"
    git_apply --check "$patch"
}

check() {
    [[ ! -e $tree/$sources ]] || die "$tree has $sources already"
    check_places
    local head
    head=$(git -C "$tree" rev-parse HEAD 2>/dev/null) || head="no git tree"
    [[ $head == "$commit" ]] || echo "apply.sh: all places are found, but the patch was made and tested for $commit; this is $head" >&2
}

apply() {
    check
    git_apply "$patch"
    cp -r "$here/migrate_rdma" "$tree/$sources"
    echo "applied: build with -DMIGRATE_RDMA=ON -DHAUL_SOURCE_DIR=$(cd "$here/.." && pwd)"
}

remove() {
    git_apply --reverse --check "$patch" || die "the patch is not applied, or was changed"
    git_apply --reverse "$patch"
    rm -rf "${tree:?}/$sources"
    echo "removed"
}

# commit_part SUBJECT: what is staged, with the message's body from stdin.
commit_part() {
    { echo "$1"; echo; cat; } | git -C "$tree" commit -q --no-verify -F -
}

commit() {
    local branch=$1
    [[ $(git -C "$tree" rev-parse --show-toplevel 2>/dev/null) == "$tree" ]] || die "$tree is not the top of a git tree"
    [[ -z $(git -C "$tree" status --porcelain --untracked-files=no) ]] || die "$tree has changes that are not committed"
    ! git -C "$tree" show-ref -q --verify "refs/heads/$branch" || die "$tree has a branch $branch already"
    check
    git -C "$tree" checkout -q -b "$branch"
    git -C "$tree" apply --index --include='src/*' "$patch"
    commit_part "feat(cluster): hooks for a slot migration by libhaul" <<'MESSAGE'
Each hook is one call under `#ifdef MIGRATE_RDMA`, which nothing defines yet: the
stages of SlotMigrator, CLUSTER IMPORT, SETNODES, PSYNC, FLUSHDB and FLUSHALL,
INFO, the settings, and the compaction filters, which keep every record while
slots move.
MESSAGE
    git -C "$tree" apply --index --include=CMakeLists.txt "$patch"
    cp -r "$here/migrate_rdma" "$tree/$sources"
    git -C "$tree" add "$sources"
    commit_part "feat(cluster): move slots by libhaul (migrate-transport haul)" <<'MESSAGE'
The source scans the slots' range of each column family from one snapshot, follows
the write-ahead log and proves that nothing of it is missing. Both sides compare a
count and a digest of every record before the destination serves. Data travels over
RDMA, or TCP where there is none; commands and topology stay as they are.

Built with -DMIGRATE_RDMA=ON and libhaul; off by default. A destination that does
not know it gets the slots as before.
MESSAGE
    git -C "$tree" apply --index --exclude='src/*' --exclude=CMakeLists.txt "$patch"
    commit_part "docs(conf): settings of migrate-transport haul" <<'MESSAGE'
Comments only: the defaults, and the values that each setting takes.
MESSAGE
    echo "committed: $(git -C "$tree" rev-list --count HEAD~3..HEAD) commits on $branch"
}

[[ $# -eq 2 || ( $# -eq 3 && $1 == commit ) ]] || usage 2
[[ -d $2 ]] || die "no directory $2"
tree=$(cd "$2" && pwd)
case $1 in
check) check && echo "fits" ;;
apply) apply ;;
remove) remove ;;
commit) commit "${3:-migrate-rdma}" ;;
*) usage 2 ;;
esac
