/* SPDX-License-Identifier: Apache-2.0 */
/* target_hand_over.c — from Prepare to Committed. */
#include "target_hand_over.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "family_digests.h"
#include "planted_bug.h"

/* --- hand-over -------------------------------------------------------------------------------- */

/* The content of Prepared. False: no memory; the job can still be given up. */
static bool make_answer(struct target_session *session)
{
    free(session->answer);
    session->answer = family_digests_encode(session->digests, session->digest_count);
    return session->answer != NULL;
}

void target_hand_over_check(struct target_session *session)
{
    bool may = session->state == TARGET_RECEIVING || session->state == TARGET_PREPARED;
    if (may && session->prepare_waits &&
        session->delta_batches == session->next_prepare.as.prepare.delta_batches) {
        message_release(&session->prepare);
        session->prepare = session->next_prepare;
        memset(&session->next_prepare, 0, sizeof(session->next_prepare));
        session->prepare_waits = false;
        session->recorded = false;
        (void)target_push(session, TARGET_ACTION_FLUSH);
        target_enter(session, TARGET_FLUSHING, CLOCK_NEVER);
    }
}

void target_hand_over_on_prepare(struct target_session *session, const struct message *message)
{
    const haul_control_Prepare *from = &message->as.prepare;
    if (from->epoch != session->hello.epoch) {
        target_fail_with(session, HAUL_FENCED, "Prepare names another epoch than Hello");
        return;
    }
    if (from->digests_count != session->digest_count ||
        from->new_version != session->plan_version) {
        target_fail_with(session, HAUL_PROTOCOL, "Prepare does not fit the plan");
        return;
    }
    message_release(&session->next_prepare);
    message_init(&session->next_prepare, MESSAGE_PREPARE);
    haul_control_Prepare *to = &session->next_prepare.as.prepare;
    *to = *from;
    to->digests = calloc(from->digests_count, sizeof(*to->digests));
    if (to->digests == NULL) {
        to->digests_count = 0;
        target_fail_with(session, HAUL_NO_MEMORY, "no memory for the digests");
        return;
    }
    memcpy(to->digests, from->digests, from->digests_count * sizeof(*to->digests));
    session->prepare_waits = true;
    target_hand_over_check(session);
}

/* Another Prepare, or deltas before it, arrived while the last one was processed: its freeze was
 * given up. */
static bool is_outdated(struct target_session *session)
{
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    if (session->prepare_waits || session->delta_batches != prepare->delta_batches) {
        target_enter(session, TARGET_RECEIVING, CLOCK_NEVER);
        target_hand_over_check(session);
        return true;
    }
    return false;
}

/* The target's content of family `number` differs from the source's. */
static void fail_different(struct target_session *session, size_t number)
{
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_CORRUPT, NULL, 0,
                   "column family '%s' differs: source has %" PRIu64 " records, target %" PRIu64
                   ", or their digests disagree",
                   session->family_names[number], session->prepare.as.prepare.digests[number].count,
                   session->digests[number].count);
    if (session->hello.resume) {
        haul_error_hint(&error, "since the job began, something else has changed the source's "
                                "records in a way that no log shows (an ingested file, "
                                "DeleteFilesInRange) or the target's records, or the hardware is "
                                "at fault: send it again, from its beginning");
    }
    target_fail(session, &error);
}

void target_hand_over_on_flushed(struct target_session *session, const struct target_event *event)
{
    if (event->digests == NULL) {
        target_enter(session, TARGET_RECEIVING, CLOCK_NEVER);
        target_hand_over_check(session);
        return;
    }
    if (is_outdated(session)) {
        return;
    }
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    memcpy(session->digests, event->digests, session->digest_count * sizeof(struct digest));
    size_t differs =
        family_digests_difference(prepare->digests, session->digests, session->digest_count);
    if (differs < session->digest_count && !HAUL_PLANTED_BUG(DIGEST_SKIPPED)) {
        fail_different(session, differs);
        return;
    }
    if (!make_answer(session)) {
        target_fail_with(session, HAUL_NO_MEMORY, "no memory for the digests");
        return;
    }
    (void)target_push(session, TARGET_ACTION_RECORD);
    target_enter(session, TARGET_RECORDING, CLOCK_NEVER);
}

void target_hand_over_on_recorded(struct target_session *session, const struct target_event *event)
{
    if (event->error.status != HAUL_OK) {
        target_fail(session, &event->error);
        return;
    }
    if (is_outdated(session)) {
        return;
    }
    session->recorded = true;
    if (HAUL_PLANTED_BUG(OWN_UNASKED)) {
        (void)target_push(session, TARGET_ACTION_OWN);
        target_enter(session, TARGET_OWNING, CLOCK_NEVER);
        return;
    }
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    haul_assert(session->delta_batches == prepare->delta_batches); /* T2 */
    haul_assert(HAUL_PLANTED_BUG(DIGEST_SKIPPED) ||
                family_digests_difference(prepare->digests, session->digests,
                                          session->digest_count) == session->digest_count);
    target_enter(session, TARGET_PREPARED, CLOCK_NEVER);
    haul_control_Prepared *prepared = &target_push_message(session, MESSAGE_PREPARED)->as.prepared;
    prepared->frozen_sequence = session->prepare.as.prepare.frozen_sequence;
    prepared->freeze = session->prepare.as.prepare.freeze;
    prepared->read_back = session->prepare.as.prepare.read_back;
    prepared->digests = session->answer;
    prepared->digests_count = (pb_size_t)session->digest_count;
    session->answer = NULL;
}

void target_hand_over_on_commit(struct target_session *session, const struct message *message)
{
    const haul_control_Commit *commit = &message->as.commit;
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    session->was_done =
        commit->epoch == MESSAGE_EPOCH_NONE && session->hello.epoch == MESSAGE_EPOCH_NONE;
    if (session->was_done) {
        target_push(session, TARGET_ACTION_OWN)->message = *message;
        target_enter(session, TARGET_OWNING, CLOCK_NEVER);
        return;
    }
    if (commit->new_version != prepare->new_version || commit->epoch != prepare->epoch) {
        target_fail_with(session, HAUL_FENCED,
                         "Commit names another version or epoch than Prepare");
        return;
    }
    session->commit = *commit;
    session->commit.given = NULL;
    session->commit.given_count = 0;
    target_push(session, TARGET_ACTION_OWN)->message = *message;
    target_enter(session, TARGET_OWNING, CLOCK_NEVER);
}

void target_hand_over_on_owned(struct target_session *session, const struct target_event *event)
{
    if (event->refused) {
        target_refuse(session, &event->error);
        return;
    }
    if (event->error.status != HAUL_OK) {
        haul_error_set(&session->outcome, HAUL_IN_DOUBT, event->error.call, event->error.code,
                       "the source has handed over, but this side could not record it: %s",
                       event->error.text);
        haul_error_hint(
            &session->outcome,
            "remove the cause, start `haul recv` again, then `haul resolve` on the source");
        target_end(session);
        return;
    }
    session->owned = true;
    if (session->channel_up) {
        haul_control_Committed *committed =
            &target_push_message(session, MESSAGE_COMMITTED)->as.committed;
        committed->new_version = session->prepare.as.prepare.new_version;
        (void)snprintf(committed->warning, sizeof(committed->warning), "%s",
                       event->warning == NULL ? "" : event->warning);
    }
    target_end(session);
}
