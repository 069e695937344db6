#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# structure.sh — checks the tree against rules.sh, and each rule against a sample that breaks it.
#   structure.sh ROOT [GENERATED [LIBRARY]]
#     GENERATED  directory of generated headers
#     LIBRARY    the built libhaul.so: its exports are compared with the list
set -uo pipefail
root=$(cd "$1" && pwd)
export HAUL_STRUCTURE_GENERATED=${2:-$root}
library=${3:-}
. "$(dirname "${BASH_SOURCE[0]}")/rules.sh"

passed=0 failed=0

# report TEST VIOLATIONS: no violations means passed.
report() {
    if [[ -z $2 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1: $(wc -l <<<"$2") violation(s)"
        head -n 20 <<<"$2" | sed 's/^/  /'
    fi
}

# A small valid tree in $1.
make_sample() {
    local head='/* SPDX-License-Identifier: Apache-2.0 */'
    mkdir -p "$1"/{base/include/haul,rdma,engine,cli,tests,ci}
    {
        printf '%s\n/* %s — sound. */\n' "$head" sample.h
        printf '#ifdef __cplusplus\nextern "C" {\n#endif\nint haul_sample(int value);\n'
        printf '#ifdef __cplusplus\n}\n#endif\n'
    } >"$1/base/include/haul/sample.h"
    printf '%s\n/* %s — sound. */\n#include "haul/sample.h"\n\nint haul_sample(int value)\n{\n    return value;\n}\n' \
        "$head" sample.c >"$1/base/sample.c"
    echo haul_sample >"$1/ci/exported-symbols.txt"
}

# breaks RULE FILE TEXT...: with TEXT as FILE in the valid tree, and only then, the rule reports a
# violation.
breaks() {
    local rule=$1 file=$2 tree=$scratch/$1
    shift 2
    rm -rf "$tree"
    make_sample "$tree"
    local before after
    before=$("rule_$rule" "$tree")
    mkdir -p "$(dirname "$tree/$file")"
    printf '%s\n' "$@" >"$tree/$file"
    after=$("rule_$rule" "$tree")
    [[ -z $before ]] || { report "${rule}__sound_sample__silent" "$before"; return; }
    [[ -n $after ]] && report "${rule}__bad_sample__found" '' ||
        report "${rule}__bad_sample__found" "$file was not complained about"
}

head='/* SPDX-License-Identifier: Apache-2.0 */'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for rule in layering doors headers_compile_alone_c headers_compile_alone_cxx headers_declare_c function_length \
    file_length line_length documents banned_calls wall_clock file_head unique_names words arrows invariants \
    comment_ends comments_stay probes scripts_parse exported_list; do
    report "$rule" "$("rule_$rule" "$root")"
done

breaks layering base/up.c '#include "down.h"'
breaks layering cli/private.c '#include "sample.h"'
breaks doors engine/verbs.c '#include <infiniband/verbs.h>'
breaks doors cli/rocks.c '#include <rocksdb/c.h>'
breaks doors engine/rocks_other.c '#include <rocksdb/db.h>'
breaks doors engine/rocks_other.cc '#include <rocksdb/c.h>'
breaks doors engine/socket.c '#include <sys/socket.h>'
breaks doors cli/redis.c '#include <hiredis/hiredis.h>'
breaks doors tests/unit.c '#include <CUnit/CUnit.h>'
breaks headers_compile_alone_c base/alone.h 'size_t size(void);'
breaks headers_compile_alone_cxx base/alone.h 'int new(int class);'
breaks headers_declare_c base/include/haul/plain.h 'int haul_plain(void);'
breaks function_length base/long.c 'int f(void)' '{' "$(yes '    ;' | head -n 71)" '}'
breaks file_length base/long.c "$(printf '/**/\n%.0s' {1..801})"
breaks documents README.md "$(printf '%101s' x)"
breaks documents docs/lost.md '[a page](nowhere.md)'
breaks line_length base/wide.c "/* $(printf '%100s' '') */"
breaks banned_calls base/call.c 'int n = atoi("1");'
breaks wall_clock base/now.c 'long now(void) { return time(0); }'
breaks file_head base/bare.c '/* bare.c — no licence. */'
breaks file_head base/named.c "$head" '/* other.c — another name. */'
breaks unique_names rdma/sample.c ''
breaks words base/note.c "/* TO""DO: finish */"
breaks words ci/machine.sh "cd /""home/somebody"
breaks arrows engine/session/one_session.h ' *   COPYING --missing: all sent--> ENDED'
breaks arrows engine/session/two_session.h ' *   COPYING --all sent--> ENDED'
breaks invariants base/sample.h "$head" '/* sample.h — one.' ' * Invariants:' ' *   S1 it is one' ' */' \
    'int haul_sample(int value);'
breaks comment_ends base/end.c "$head" '/* end.c — its end stands alone.' ' */'
breaks comments_stay .clang-format 'ReflowComments: true'
breaks probes base/probed.c 'PROBE2(undocumented, 1, 2);'
breaks scripts_parse ci/broken.sh 'if true; then'
breaks exported_list ci/exported-symbols.txt 'haul_other'
breaks exported_list base/include/haul/more.h 'int haul_more(void);'

if [[ -n $library ]]; then
    report library_exports "$(diff <(nm -D --defined-only "$library" |
        awk '$2 ~ /[TDBRVW]/ { sub(/@.*/, "", $3); print $3 }' | sort) \
        <(grep '^[a-z]' "$root/ci/exported-symbols.txt" | sort))"
fi
# A build on a machine that has the header has the probes.
if [[ -n $library ]] && "${CC:-gcc}" -E -include sys/sdt.h -x c /dev/null >/dev/null 2>&1; then
    report library_probes "$(diff <(readelf -n "$library" | awk '/Provider: haul/ { getline; print $2 }' | sort -u) \
        <(sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' "$root/docs/PROBES.md" | sort))"
fi
echo "structure: $passed passed, $failed failed, 0 skipped"
((failed == 0))
