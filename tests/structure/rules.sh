# SPDX-License-Identifier: Apache-2.0
# rules.sh — how our tree must look: one function a rule, sourced by structure.sh. Every rule takes
# the root of a tree and prints one line for each violation, and nothing if there is none.
# shellcheck shell=bash

# The C files of the layers, and the C++ files beside them; with "tests" after the root, those
# of the tests as well.
c_files() {
    local where=("$1/base" "$1/rdma" "$1/engine" "$1/cluster" "$1/cli")
    [[ ${2:-} != tests ]] || where+=("$1/tests")
    find "${where[@]}" \( -name '*.[ch]' -o -name '*.cc' \) -type f 2>/dev/null | sort
}

# Everything that people wrote here, except the licence text.
text_files() {
    find "$1" \( -name .git -o -name 'build*' -path "$1/build*" \) -prune -o -type f \
        ! -name LICENSE -print | sort
}

# --- layers ---------------------------------------------------------------------------------------

# An include names a header of its own layer or of one below; cluster sees base only, and only the tool sees
# cluster. Of the others the tool sees public headers only.
rule_layering() {
    local root=$1
    c_files "$root" | awk -v root="$root/" '
        BEGIN { level["base"] = 1; level["rdma"] = 2; level["engine"] = 3; level["cluster"] = 3; level["cli"] = 4 }
        {
            path = substr($0, length(root) + 1)
            layer = path
            sub(/\/.*/, "", layer)
            name = path
            if (!sub(/^.*\/include\//, "", name)) {
                sub(/^.*\//, "", name)
            }
            layer_of[name] = layer
            paths[++count] = path
            layers[count] = layer
        }
        END {
            for (i = 1; i <= count; i++) {
                while ((getline line < (root paths[i])) > 0) {
                    if (line !~ /^ *# *include *"/) {
                        continue
                    }
                    header = line
                    gsub(/^[^"]*"|".*$/, "", header)
                    if (header == "control.pb.h" || header == "built_transports.h") {
                        continue # generated
                    }
                    from = layers[i]
                    to = layer_of[header]
                    if (to == "") {
                        print paths[i] ": includes unknown " header
                    } else if (level[to] > level[from]) {
                        print paths[i] ": " from " includes " header " of " to
                    } else if (from != to && to == "cluster" && from != "cli" ||
                        from == "cluster" && to != "cluster" && to != "base") {
                        print paths[i] ": " from " includes " header " of " to
                    } else if (from == "cli" && to != "cli" && to != "cluster" && header !~ /^haul\//) {
                        print paths[i] ": the tool includes the private " header
                    } else if (from != "rdma" && header ~ /^(verbs|tcp|loopback)_/) {
                        print paths[i] ": includes " header ", a backend behind the link"
                    } else if (paths[i] ~ /\/include\/haul\// && header !~ /^haul\//) {
                        print paths[i] ": a public header includes the private " header
                    }
                }
                close(root paths[i])
            }
        }'
}

# door ROOT HEADER-PATTERN FILE-PATTERN: only these files may include these headers.
door() {
    local root=$1 file
    # Tests may stand in for the other side of a wire; CUnit is the only foreign header that they
    # share.
    while IFS= read -r file; do
        file=${file#"$root"/}
        [[ $file =~ $3 ]] || echo "$file: includes $2, which has its door elsewhere ($3)"
    done < <(c_files "$root" "${4:-}" | xargs -r grep -lE "^ *# *include *[<\"]$2" --)
}

rule_doors() {
    local root=$1
    door "$root" '(infiniband|rdma)/' '^rdma/verbs/'
    door "$root" 'rocksdb/' '^engine/store/rocks_'
    door "$root" 'rocksdb/([^c]|c[^.])' '^engine/store/rocks_door\.cc$'
    c_files "$root" | sed -nE "s|^$root/||; /\.cc$/ { \#^(engine/store/rocks_door|cli/exception_end)\.cc\$#! s|$|: C++; the product has two files of it| p }"
    door "$root" '(sys/socket\.h|netinet/|netdb\.h|arpa/)' \
        '^(rdma/(tcp/|verbs/|control/|link/link|loopback/|bench/)|cli/control_socket\.|cluster/node_stream\.c$)'
    door "$root" 'zstd\.h' '^engine/(wire/payload_codec|look/log_unpack)\.c$'
    door "$root" 'numa\.h' '^base/thread_place\.c$'
    door "$root" 'intel-ipsec-mb\.h' '^engine/seal/gcm_ipsec_mb\.c$'
    door "$root" 'openssl/' '^(rdma/secure/|engine/(seal/|journal/database_secret\.c|target/link_admission\.c)|cluster/node_stream\.c$)'
    door "$root" 'isa-l' '^base/crc32c\.c$'
    door "$root" 'xxh(ash|_x86dispatch)\.h' '^engine/(digest/(digest_hash\.h|touched_keys\.c)|plan/digest_key\.c)$'
    door "$root" '(pb[a-z_]*\.h|control\.pb\.h)' '^engine/wire/message\.[ch]$'
    door "$root" 'jansson\.h' '^(cli/(json_document|json_output|json_plan|running_job|send_plan)|cluster/(controller|plan_file|run_control))\.c$'
    door "$root" 'hiredis/' '^cluster/node_connection\.c$'
    door "$root" 'curl/' '^cluster/curl_library\.h$'
    door "$root" 'jemalloc/' '^cli/allocator\.c$'
    door "$root" 'getopt\.h' '^cli/option_table\.c$'
    door "$root" 'sys/sdt\.h' '^base/probe\.h$'
    door "$root" 'CUnit/' '^tests/support/check\.[ch]$' tests
}

# --- headers --------------------------------------------------------------------------------------

# compile_header COMPILER STANDARD ROOT HEADER: print its first error. C++17 has no <stdatomic.h>:
# private headers that need it are for C alone.
compile_header() {
    local language=c includes=() folder output
    while IFS= read -r folder; do
        includes+=("-I$folder")
    done < <(find "$3"/{base,rdma,engine,cluster,cli} -type d ! -name haul 2>/dev/null)
    includes+=(-isystem "${HAUL_STRUCTURE_GENERATED:-$3}" "-I$3/tests/support")
    if [[ $2 == c++* ]]; then
        language=c++
        if [[ $4 != */include/haul/* ]] &&
            "${CC:-gcc}" -M -x c "${includes[@]}" "$4" 2>/dev/null | grep -q '/stdatomic\.h'; then
            return
        fi
    fi
    if ! output=$("$1" "-std=$2" -x "$language" -D_GNU_SOURCE -DPB_ENABLE_MALLOC=1 -Wall -Wextra \
        -Werror "${includes[@]}" -fsyntax-only -include "$4" /dev/null 2>&1); then
        echo "${4#"$3"/}: not alone in $2: $(grep -m 1 error <<<"$output")"
    fi
}

rule_headers_compile_alone_c() { each_header "$1" "${CC:-gcc}" c17; }
rule_headers_compile_alone_cxx() { each_header "$1" "${CXX:-g++}" c++17; }

# C++ programs link with what public headers declare.
rule_headers_declare_c() {
    local header
    find "$1" -path '*/include/haul/*.h' -not -path '*/build*' | while IFS= read -r header; do
        grep -qE '^[a-z].*[ *]haul_[a-z_]+\(' <(grep -v '^static' "$header") || continue
        grep -q '^extern "C" {' "$header" || echo "${header#"$1"/}: its functions are no extern \"C\""
    done
}

each_header() {
    export -f compile_header
    # shellcheck disable=SC2016 # expanded by the inner shell
    c_files "$1" | grep '\.h$' |
        xargs -r -P "$(nproc)" -I{} bash -c 'compile_header "$@"' _ "$2" "$3" "$1" {}
}

# --- sizes ----------------------------------------------------------------------------------------

rule_function_length() {
    c_files "$1" tests | xargs -r awk -v root="$1/" '
        FNR == 1 { open_line = 0 }
        /^\{/ { open_line = FNR }
        /^\}/ {
            if (open_line && FNR - open_line - 1 > 70) {
                printf "%s:%d: a function of %d lines (at most 70)\n",
                    substr(FILENAME, length(root) + 1), open_line, FNR - open_line - 1
            }
            open_line = 0
        }'
}

rule_file_length() {
    c_files "$1" tests | xargs -r awk -v root="$1/" '
        FNR == 801 { print substr(FILENAME, length(root) + 1) ": more than 800 lines" }'
}

rule_line_length() {
    # In UTF-8 a column is a byte that does not continue a character.
    c_files "$1" tests | LC_ALL=C xargs -r awk -v root="$1/" '
        {
            columns = length($0) - gsub(/[\200-\277]/, "&")
            if (columns > 100) {
                printf "%s:%d: %d columns (at most 100)\n",
                    substr(FILENAME, length(root) + 1), FNR, columns
            }
        }'
}

# Prose of documents wraps: README.md at 100 columns, tables and output too, the others at 110. A link to a
# file of the tree leads somewhere.
rule_documents() {
    local root=$1 document target
    while IFS= read -r document; do
        LC_ALL=C awk -v name="${document#"$root"/}" '
            {
                columns = length($0) - gsub(/[\200-\277]/, "&")
                if (name == "README.md" ? columns > 100 : columns > 110 && !/^(\||    )/) {
                    printf "%s:%d: %d columns\n", name, FNR, columns
                }
            }' "$document"
        while IFS= read -r target; do
            [[ -e $(dirname "$document")/$target ]] || echo "${document#"$root"/}: links to $target, which is not there"
        done < <(grep -oE '\]\([^)#]+' "$document" | sed 's/^](//' | grep -v '^https\?:')
    done < <(find "$root" \( -name .git -o -path "$root/build*" \) -prune -o -name '*.md' -type f -print | sort)
}

# --- words ----------------------------------------------------------------------------------------

# Calls that cannot be bounded, hide an error, or start a shell.
rule_banned_calls() {
    c_files "$1" tests | xargs -r grep -nHE \
        '(^|[^A-Za-z0-9_>.])(strcpy|strcat|sprintf|vsprintf|atoi|atol|strtok|gets|system)\(' -- |
        sed "s|^$1/||"
}

# A wall clock jumps, so the product reads only the monotonic one. Records for people have one door,
# and the tool, which sees public headers only, one for the time of a log line.
rule_wall_clock() {
    c_files "$1" | grep -vE '/(base/wall_clock|cli/log_time)\.c$' | xargs -r grep -nHE \
        'CLOCK_REALTIME|(^|[^A-Za-z0-9_>.])(time|gettimeofday|localtime|ctime|strftime|sem_timedwait)\(' -- |
        sed "s|^$1/||"
}

# Each file states its licence and its name.
rule_file_head() {
    local file name
    while IFS= read -r file; do
        name=${file##*/}
        [[ $(sed -n 1p "$file") == '/* SPDX-License-Identifier: Apache-2.0 */' ]] ||
            echo "${file#"$1"/}: no SPDX line at its head"
        [[ $(sed -n 2p "$file") == "/* $name — "* ]] ||
            echo "${file#"$1"/}: its second line is not '/* $name — purpose'"
    done < <(c_files "$1" tests)
}

rule_unique_names() {
    c_files "$1" tests | sed 's|.*/||' | sort | uniq -d | sed 's/$/: the name of more than one file/'
}

# Notes to oneself, and paths of one machine. Split, so that this file follows the rule.
rule_words() {
    local words=("TO""DO" "FIX""ME" "/""home/" "/""root/" "/""work/")
    local pattern
    pattern=$(printf '|%s' "${words[@]}")
    text_files "$1" | xargs -r grep -nHIE "(^|[^A-Za-z0-9_])(${pattern:1})" -- | sed "s|^$1/||"
}

# --- sessions -------------------------------------------------------------------------------------

# Each arrow of a session's diagram (" *   STATE --function: what--> STATE") names a function of the sessions.
rule_arrows() {
    local root=$1 defined header arrow
    defined=$(find "$root/engine/session" -name '*.c' -exec sed -nE \
        's/^[a-z][a-z_0-9 *]*[ *]([a-z_0-9]+)\(.*/\1/p' {} + 2>/dev/null)
    while IFS= read -r header; do
        while IFS= read -r arrow; do
            local name
            name=$(sed -nE 's/^ \*   [^-]* --([a-z_0-9]+)[:-].*/\1/p' <<<"$arrow")
            if [[ $(grep -o -- '-->' <<<"$arrow" | wc -l) != 1 || -z $name ]]; then
                echo "${header#"$root"/}: not one arrow with its function: $arrow"
            elif ! grep -qx "$name" <<<"$defined"; then
                echo "${header#"$root"/}: $name of an arrow is no function of a session"
            fi
        done < <(grep -E '^ \*.*-->' "$header")
    done < <(find "$root/engine/session" -name '*_session.h' 2>/dev/null)
}

# Each invariant of a header (" *   S1 ...", behind "Invariants") is checked in its .c, under its number.
rule_invariants() {
    local root=$1 header number
    while IFS= read -r header; do
        while IFS= read -r number; do
            grep -qE "haul_(debug_)?assert.*/\\* ([A-Z][0-9]+, )*$number|/\\* $number \\*/" "${header%.h}.c" ||
                echo "${header#"$root"/}: $number is not checked in the .c"
        done < <(sed -n '/^ \* Invariants/,/\*\//s/^ \*   \([A-Z][0-9]*\) .*/\1/p' "$header")
    done < <(c_files "$root" | grep '\.h$' | xargs -r grep -l '^ \* Invariants' --)
}

# A comment ends behind its last word: formatters leave the end on a line of its own.
rule_comment_ends() {
    c_files "$1" tests | xargs -r grep -nHE '^ *\*/$' -- | sed "s|^$1/||"
}

# The formatter leaves comments alone: diagrams and lists of invariants have their own layout.
rule_comments_stay() {
    [[ ! -f $1/.clang-format ]] || grep -qx 'ReflowComments: false' "$1/.clang-format" ||
        echo '.clang-format: ReflowComments is not false'
}

# The probes of the code are those of docs/PROBES.md.
rule_probes() {
    diff <(c_files "$1" | xargs -r grep -hoE '\bPROBE[0-9]\([a-z_]+' -- | sed 's/.*(//' |
        grep -vx name | sort -u) \
        <(sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' "$1/docs/PROBES.md" 2>/dev/null | sort) |
        sed -n 's|^< \(.*\)|\1: a probe that docs/PROBES.md does not list|p
                s|^> \(.*\)|\1: in docs/PROBES.md, but not in the code|p'
}

# --- scripts and exports ----------------------------------------------------------------------------

rule_scripts_parse() {
    local file
    while IFS= read -r file; do
        bash -n "$file" 2>&1 | sed "s|^$1/||"
    done < <(text_files "$1" | grep '\.sh$')
}

# The functions that public headers declare are those of the list, no more and no fewer.
rule_exported_list() {
    diff <(public_functions "$1") <(grep '^[a-z]' "$1/ci/exported-symbols.txt" | sort) |
        sed -n 's|^< \(.*\)|\1: declared, but not in ci/exported-symbols.txt|p
                s|^> \(.*\)|\1: in ci/exported-symbols.txt, but not declared|p'
}

# Declarations only: comments, macros and pointers to functions do not count.
public_functions() {
    find "$1" -path '*/include/haul/*.h' -type f ! -path "$1/build*" -exec cat {} + |
        awk '
            /^ *#/ { while (/\\$/ && (getline > 0)) {} next }
            { text = text " " $0 }
            END {
                while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//)) {
                    text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
                }
                count = split(text, part, /[;{}]/)
                for (i = 1; i <= count; i++) {
                    if (match(part[i], /[^A-Za-z0-9_]haul_[a-z0-9_]+ *\([^*]/)) {
                        name = substr(part[i], RSTART + 1, RLENGTH - 2)
                        sub(/ *\($/, "", name)
                        print name
                    }
                }
            }' | sort -u
}
