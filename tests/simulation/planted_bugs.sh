#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# planted_bugs.sh — do the tests find every bug that was planted in the product?
#   tests/simulation/planted_bugs.sh BUILD-DIRECTORY [--quick]
# For each bug of base/planted_bug.h: how many seeds of the simulation, or which suite, it took to
# find it. Ends with 1 if one was not found.
#   --quick   without those that need thousands of seeds, and no more than 20000 seeds a bug
set -euo pipefail

build=${1:?usage: planted_bugs.sh BUILD-DIRECTORY [--quick]}
quick=${2:-}
seeds=100000
[[ $quick != --quick ]] || seeds=20000
# For each of these, rare events must coincide: mostly more than a thousand seeds.
rare=' STAGING_LEFT LOG_UNSYNCED UNFREEZE_UNDECIDED END_OF_LOG LAST_KEY_UNCOUNTED
 FORGET_UNASKED '
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
log=$build/planted-bugs.log
found=0 missed=0 skipped=0
: >"$log"

# by_simulation BUG: the number of the seed that finds it, or nothing.
by_simulation() {
    local output status=0
    output=$(HAUL_PLANTED_BUG=$1 timeout 900 "$build/tests/simulate_planted" --seeds "$seeds" 2>&1) ||
        status=$?
    printf '%s: %d\n%s\n' "$1" "$status" "$output" >>"$log"
    ((status == 1)) || return 0
    sed -n 's/^replay with: simulate --seed \([0-9]*\).*/\1/p' <<<"$output"
}

# count NUMBER NOUN: "1 seed", "2 seeds".
count() {
    if (($1 == 1)); then echo "1 $2"; else echo "$1 $2s"; fi
}

# by_suite BUG SUITE: which cases fail, or which check ended it; nothing if it passes, or ends in
# any other way.
by_suite() {
    local output cases check status=0
    [[ -x $build/tests/$2 ]] || return 0
    output=$(HAUL_PLANTED_BUG=$1 timeout 300 "$build/tests/$2" 2>&1) || status=$?
    printf '%s: %d\n%s\n' "$1" "$status" "$output" >>"$log"
    ((status != 0)) || return 0
    cases=$(sed -n 's/^[a-z_]*: [0-9]* passed, \([0-9]*\) failed,.*/\1/p' <<<"$output" | tail -n 1)
    check=$(sed -n 's/^haul: internal check failed: .*(.*\/\(.*\))$/\1/p' <<<"$output" | tail -n 1)
    if ((${cases:-0} > 0)); then
        echo "$(count "$cases" case) of ${2%_planted}"
    elif [[ -n $check ]]; then
        echo "a check ($check) in ${2%_planted}"
    fi
}

report() {
    if [[ -n $2 ]]; then
        found=$((found + 1))
        printf '%-24s %s\n' "$1" "$2"
    else
        missed=$((missed + 1))
        printf '%-24s NOT FOUND\n' "$1"
    fi
}

# The suites of some bugs; the simulation finds all others.
suite_of() {
    case $1 in
    SKIP_CRC | SLOT_CRC) echo test_bit_flips_planted ;;
    STALE_WORK) echo test_verbs_queue_planted ;;
    STALE_FREEZE) echo test_freeze_calls_planted ;;
    EPOCH_UNCHECKED | PEER_UNCHECKED) echo test_target_journal_planted ;;
    EARLY_DECISION) echo test_target_power_loss_planted ;; # the simulation, too
    UNSETTLED_SWAP) echo test_config_version_planted ;; # a seed of 100,000 finds it, too
    OWNED_AT_FIRST) echo test_source_intent_planted ;; # seed 11,500 finds it, too
    RUNNING_IGNORED) echo test_source_intent_planted ;;
    RETURN_UNCHECKED) echo test_target_session_planted ;; # the simulation, too
    STOP_CANCELS) echo test_source_session_planted ;;
    MESSAGE_CLOCK_KEPT) echo test_control_channel_planted ;; # a seed of 20,000 finds it, too
    EMPTY_UNSYNCED) echo test_applier_planted ;;
    DROP_RETURNING) echo test_owner_released_planted ;; # the simulation, too
    LONG_KEY_DROPPED) echo test_apply_stream_planted ;;
    ONE_FAMILY_LOOKED_UP | PART_IS_ALL) echo test_config_version_planted ;;
    DOUBT_IS_NO | DECISION_UNSYNCED | NAME_KEPT) echo test_source_journal_planted ;;
    EMPTY_JOURNAL_KEPT) echo test_job_journal_planted ;;
    WRITERS_ASLEEP) echo test_mailbox_planted ;;
    LEAD_UNREPORTED) echo test_credit_planted ;;
    TIMED_COMMIT) echo test_delta_filter_planted ;;
    FREEZES_UNCOUNTED) echo test_freeze_limit_planted ;;
    RENAME_BELIEVED) echo test_ownership_file_planted ;;
    PREFIX_ORDER) echo test_rocks_prefix_planted ;;
    SEQUENCE_LATE | FILTER_FORGOTTEN) echo test_rocks_view_planted ;;
    PREPARED_GIVEN_UP) echo test_target_journal_planted ;;
    EMPTY_KEY_IS_NONE | ARRIVED_BELIEVED) echo test_target_arrived_planted ;;
    ANY_STEP) echo test_version_claim_planted ;;
    OVERLAPS_ADMITTED) echo test_target_places_planted ;;
    COLUMNS_DROPPED) echo test_wide_column_planted ;;
    DEVICE_STAYS) echo test_verbs_states_planted ;;
    esac
}

# Without a bug all of them pass, so what is found below is the bug.
"$build/tests/simulate_planted" --seeds 200 >>"$log" || { echo "the build fails without a bug" >&2; exit 1; }
for suite in "$build"/tests/test_*_planted; do
    "$suite" >>"$log" || { echo "$suite fails without a bug" >&2; exit 1; }
done

for bug in $(sed -n 's/^ *X(\([A-Z_]*\), .*/\1/p' "$root/base/planted_bug.h"); do
    [[ $bug != NONE ]] || continue
    if [[ $quick == --quick && $rare == *[[:space:]]"$bug"[[:space:]]* ]]; then
        skipped=$((skipped + 1))
        continue
    fi
    suite=$(suite_of "$bug")
    if [[ -n $suite ]]; then
        report "$bug" "$(by_suite "$bug" "$suite")"
    else
        seed=$(by_simulation "$bug")
        report "$bug" "${seed:+$(count "$seed" seed)}"
    fi
done
((!skipped)) || printf '%d more without --quick\n' "$skipped"
printf 'planted_bugs: %d passed, %d failed, 0 skipped\n' "$found" "$missed"
((missed == 0))
