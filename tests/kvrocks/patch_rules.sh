#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# patch_rules.sh — server_patch only adds lines, and few of them; apply.sh finds their places, adds and removes them.
#   patch_rules.sh ROOT
set -uo pipefail
root=$(cd "$1" && pwd)
patch=$root/server_patch/kvrocks.patch
apply=$root/server_patch/apply.sh
sources=$root/server_patch/migrate_rdma
passed=0 failed=0

check() {
    if [[ $2 == "$3" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1: '$2', not '$3'"
    fi
}

# --- the patch -----------------------------------------------------------------------------------
body=$(grep -vE '^(diff --git |--- |\+\+\+ )' "$patch")
check test_patch__removed_or_changed_lines__none "$(grep -c '^-' <<<"$body")" 0
added=$(grep -c '^+' <<<"$body")
check test_patch__added_lines__fewer_than_150 "$((added < 150 && added > 0))" 1
check test_patch__line_directives__none "$(grep -c '^+#line' <<<"$body")" 0
# Each addition to a source file stands between #ifdef and #endif of its own.
outside=$(awk '/^diff --git/ { source = $3 ~ /^a\/src\// }
    source && /^\+#ifdef MIGRATE_RDMA$/ { guarded = 1; next }
    source && /^\+#else$/ { guarded = 2; next }
    source && /^\+#endif$/ { guarded = 0; next }
    source && /^\+/ && !/^\+\+\+ / && guarded != 1 { print }
    /^ / && guarded == 1 { print "open: " $0; guarded = 0 }' "$patch")
check test_patch__source_lines_outside_a_guard__none "$outside" ""
check test_patch__settings_that_act_in_kvrocks_conf__none \
    "$(awk '/^diff --git/ { conf = $3 == "a/kvrocks.conf" } conf && /^\+[^#+]/' "$patch")" ""
# A file that calls one of ours includes its header itself.
without=$(awk 'function finish() { if (calls && !includes) print file }
    /^diff --git/ { finish(); file = $3; calls = includes = 0 }
    /^\+#include "cluster\/migrate_rdma\// { includes = 1 }
    /^\+/ && /[^a-z_]Rdma[A-Za-z]*\(|[^_]rdma_(transports|lanes)|RdmaOptions/ { calls = 1 }
    END { finish() }' "$patch")
check test_patch__files_that_call_without_an_include__none "$without" ""
check test_sources__lines_of_more_than_120_columns__none \
    "$(cd "$sources" && LC_ALL=C.UTF-8 grep -nE '^.{121}' ./* | cut -d: -f1,2)" ""
listed=$(sed -n '/^set(MIGRATE_RDMA_SOURCES$/,/^)$/s/^  \(.*\)$/\1/p' "$sources/migrate_rdma.cmake")
check test_sources__units_that_cmake_lists__there \
    "$(for unit in ${listed:-no_list}; do [[ -e $sources/$unit.cc ]] || echo "$unit"; done)" ""

# --- a tree with the places ----------------------------------------------------------------------
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

# Each file consists of the lines that the patch expects around its additions, with other lines in between.
make_tree() {
    rm -rf "$tree"
    mkdir -p "$tree"
    (cd "$tree" && awk '/^diff --git/ { file = substr($3, 3); folder = file
            if (sub(/\/[^\/]*$/, "", folder)) system("mkdir -p " folder); next }
        /^(---|\+\+\+) / { next }
        /^@@ / { for (i = 0; i < 7; i++) print "other line " ++count > file; next }
        /^ / { print substr($0, 2) > file }
        END { print "the end" > file }' "$patch")
    git -C "$tree" init -q -b main
    git -C "$tree" config user.name test
    git -C "$tree" config user.email test@localhost
    git -C "$tree" add -A
    git -C "$tree" commit -q -m upstream
}

# What a tree consists of, without git's own.
sum_tree() {
    (cd "$tree" && find . -path ./.git -prune -o -type f -print | sort | xargs sha256sum)
}

make_tree
before=$(sum_tree)
check test_check__another_commit__fits_with_a_warning \
    "$("$apply" check "$tree" 2>&1 | grep -cE '^fits$|made and tested for')" 2
"$apply" apply "$tree" >/dev/null 2>&1
check test_apply__another_commit__lines_added "$(cat "$tree"/CMakeLists.txt "$tree"/kvrocks.conf \
    $(find "$tree/src" -type f ! -path '*/migrate_rdma/*') | wc -l)" \
    "$(($(awk '/^ /' "$patch" | wc -l) + $(grep -c '^@@' "$patch") * 7 + added + 1))"
check test_apply__sources__copied "$(diff -r "$sources" "$tree/src/cluster/migrate_rdma" && echo same)" same
check test_apply__applied_already__refused "$("$apply" apply "$tree" 2>&1 | grep -c 'has src/cluster/migrate_rdma already')" 1
"$apply" remove "$tree" >/dev/null 2>&1
check test_remove__applied__as_before "$(sum_tree)" "$before"
check test_remove__not_applied__refused "$("$apply" remove "$tree" 2>&1 | grep -c 'the patch is not applied')" 1

rm -rf "$tree/.git"
"$apply" apply "$tree" >/dev/null 2>&1 && "$apply" remove "$tree" >/dev/null 2>&1
check test_apply__no_git_tree__applied_and_removed "$(sum_tree)" "$before"

# A place that differs: named, and nothing is changed anywhere.
make_tree
sed -i 's/imported_slots_.clear();/imported_slots_.clear( );/' "$tree/src/cluster/cluster.cc"
before=$(sum_tree)
check test_apply__other_surroundings__file_and_place_named "$("$apply" apply "$tree" 2>&1 |
    grep -cE '^apply.sh: src/cluster/cluster.cc: no place for "RdmaOnTopology\(.*: the lines around it differ$')" 1
check test_apply__other_surroundings__nothing_changed "$(sum_tree)" "$before"
check test_commit__uncommitted_changes__refused "$("$apply" commit "$tree" 2>&1 | grep -c 'not committed')" 1

make_tree
"$apply" commit "$tree" >/dev/null 2>&1
check test_commit__clean_tree__three_commits_on_a_branch \
    "$(git -C "$tree" rev-list --count main..migrate-rdma) $(git -C "$tree" status --porcelain)" "3 "
git -C "$tree" checkout -q main
check test_commit__branch_exists__refused "$("$apply" commit "$tree" 2>&1 | grep -c 'has a branch migrate-rdma')" 1
"$apply" apply "$tree" >/dev/null 2>&1
git -C "$tree" add -A
check test_commit__tree__as_apply_leaves_it "$(git -C "$tree" write-tree)" "$(git -C "$tree" rev-parse 'migrate-rdma^{tree}')"
check test_apply__no_argument__usage "$("$apply" 2>/dev/null | grep -c 'apply.sh check TREE')" 1

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
