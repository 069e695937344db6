# SPDX-License-Identifier: Apache-2.0
# count_tests.awk — sums up the closing lines of suites in the output of `ctest -V`, or of one command.
# Prints: total<TAB>passed<TAB>failed<TAB>skipped, failure<TAB>text, skip<TAB>text.
#
# For each test (by ctest's number, "" for a lone command) it keeps the closing lines, the name and the end.

function finish(id, what, sound) {
    ended[id] = 1
    if (sound && !closed[id]) {
        passed++ # a check without a closing line of its own
    } else if (!sound && !failures_of[id]) {
        failed++
        print "failure\t" what
    }
}

{
    line = $0
    id = ""
    if (match(line, /^[0-9]+: /)) {
        id = substr(line, 1, RLENGTH - 2)
        line = substr(line, RLENGTH + 1)
    }
}

line ~ /^[A-Za-z0-9_.\/ -]+: [0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
    text = line
    sub(/^[^:]*: /, "", text)
    split(text, part, /[ ,]+/)
    passed += part[1]
    failed += part[3]
    skipped += part[5]
    closed[id]++
    failures_of[id] += part[3]
    next
}

line ~ /^SKIPPED / { told[id] = 1; print "skip\t" substr(line, 9); next }
line ~ /^FAILED / { print "failure\t" substr(line, 8); next }

# ctest's own: " 3/12 Test  #3: name ....   Passed    0.01 sec"
line ~ /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    text = line
    sub(/^ *[0-9]+\/[0-9]+ Test +#/, "", text)
    number = text
    sub(/:.*/, "", number)
    sub(/^[0-9]+: /, "", text)
    name = text
    sub(/ .*/, "", name)
    if (text ~ /Skipped/) {
        skipped++
        if (!told[number]) {
            print "skip\t" name
        }
    } else {
        finish(number, name " (" (text ~ /Timeout/ ? "timeout" : "see its output") ")", \
               text ~ / Passed /)
    }
    next
}

# Appended by test.sh to the output of a command: COMMAND name status
line ~ /^COMMAND [^ ]+ [0-9]+$/ {
    split(line, part, " ")
    if (part[3] == 77) {
        skipped++ # a line SKIPPED before it tells the reason
        next
    }
    finish("", part[2] " (exit code " part[3] ")", part[3] == 0)
}

END { printf "total\t%d\t%d\t%d\n", passed, failed, skipped }
