#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# patch_rules.sh — server_patch only adds lines, and few of them; apply.sh adds and removes them.
#   patch_rules.sh ROOT
set -uo pipefail
patch=$1/server_patch/kvrocks.patch
apply=$1/server_patch/apply.sh
passed=0 failed=0

check() {
    if [[ $2 == "$3" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1: '$2', not '$3'"
    fi
}

body=$(grep -vE '^(diff --git |--- |\+\+\+ )' "$patch")
check test_patch__lines_that_are_neither_added_nor_headers__none \
    "$(grep -vcE '^\+|^@@ -[0-9]+,0 \+[0-9]+(,[0-9]+)? @@$' <<<"$body")" 0
added=$(grep -c '^+' <<<"$body")
check test_patch__added_lines__fewer_than_120 "$((added < 120 && added > 0))" 1
# Every addition to a source file stands between #ifdef and #endif of its own.
open=$(grep -c '^+#ifdef MIGRATE_RDMA$' <<<"$body")
check test_patch__guards__all_closed "$open" "$(grep -c '^+#endif$' <<<"$body")"
outside=$(awk '/^diff --git/ { source = $3 !~ /CMakeLists/ }
    source && /^\+#ifdef MIGRATE_RDMA$/ { guarded = 1; next }
    source && /^\+#endif$/ { guarded = 0; next }
    source && /^\+/ && !/^\+\+\+ / && !guarded && !/^\+#line [0-9]+$/ { print }' "$patch")
check test_patch__source_lines_outside_a_guard__none "$outside" ""
# After each addition the line numbers continue as without the patch: with MIGRATE_RDMA off nothing
# distinguishes the two, as log messages with line numbers would.
miscounted=$(awk 'function finish() { if (unit && wanted && last != "+#line " wanted) print file ": " wanted }
    /^diff --git/ { finish(); wanted = 0; file = $3; unit = $3 ~ /\.cc$/ }
    /^@@ / { finish(); split($2, old, /[-,]/); wanted = old[2] + 1 }
    { last = $0 }
    END { finish() }' "$patch")
check test_patch__line_numbers_of_units__as_without_it "$miscounted" ""

# A tree of the patch's files alone, with the necessary lengths, at another commit: refused, and
# left unchanged.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git -C "$tree" init -q
git -C "$tree" -c user.name=test -c user.email=test@localhost commit -q --allow-empty -m other
check test_apply__another_commit__refused "$("$apply" apply "$tree" 2>&1 | grep -c 'the patch is for')" 1
check test_apply__another_commit__nothing_copied "$(ls "$tree")" ""
check test_remove__another_commit__refused "$("$apply" remove "$tree" 2>&1 | grep -c 'the patch is for')" 1
check test_apply__no_argument__usage "$("$apply" 2>/dev/null | grep -c 'apply.sh check TREE')" 1

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
