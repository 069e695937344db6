/* SPDX-License-Identifier: Apache-2.0 */
/* source_hand_over.c — from the first round over the log to Commit. */
#include "source_hand_over.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "end_reason.h"
#include "family_digests.h"
#include "planted_bug.h"

static void put_proof(const struct source_session *session, haul_control_Commit *to)
{
    message_put_bytes(source_proof_slice(&session->proof), &to->proof.size, to->proof.bytes,
                      sizeof(to->proof.bytes));
}

static void send_commit(struct source_session *session, uint64_t now_ns)
{
    haul_control_Commit *commit = &source_push_message(session, MESSAGE_COMMIT)->as.commit;
    commit->records = session->options.moved_records;
    commit->bytes = session->options.moved_bytes;
    commit->frozen_sequence =
        session->options.decided ? session->options.frozen_sequence : session->prepared_sequence;
    for (size_t i = 0; !session->options.decided && i < session->options.plan->family_count; i++) {
        commit->records += session->digests[i].count;
        commit->bytes += session->digests[i].bytes;
    }
    commit->new_version = session->options.plan->new_version;
    commit->epoch = session->options.epoch;
    put_proof(session, commit);
    source_enter(session, SOURCE_COMMITTING, source_answer_deadline(session, now_ns));
}

void source_hand_over_answer(struct source_session *session, struct message *commit,
                             uint64_t now_ns)
{
    put_proof(session, &commit->as.commit);
    source_push(session, SOURCE_ACTION_SEND)->message = *commit;
    memset(commit, 0, sizeof(*commit));
    session->decided = true; /* nothing can be given up any more */
    source_enter(session, SOURCE_COMMITTING, source_answer_deadline(session, now_ns));
}

/* The decision was made before the path was lost: does the target know it? */
void source_hand_over_on_welcome(struct source_session *session, uint64_t now_ns)
{
    if (session->welcome.job_phase == JOB_COMMITTED) {
        session->committed = true;
        source_end(session);
    } else if (session->welcome.job_phase == JOB_PREPARED) {
        send_commit(session, now_ns);
    } else if (session->welcome.job_phase == JOB_COPYING) {
        source_leave_in_doubt(session, "it holds only a part of the job and was set back "
                                       "to before the decision");
        haul_error_hint(&session->outcome, "the copy here is complete: `haul owner --db DIR "
                                           "--reclaim --accept-two-owners` takes the ranges back");
    } else {
        source_leave_in_doubt(session, "the target has no record of the job; is it the right one?");
        haul_error_hint(&session->outcome,
                        "if it is, and `haul owner` there or its data shows that it owns the "
                        "ranges: `haul cancel --db DIR --job ID --accept-two-owners` here");
    }
}

void source_hand_over_on_committed(struct source_session *session,
                                   const haul_control_Committed *committed)
{
    bool answered = session->options.only_tells; /* in any version */
    if (!answered && committed->new_version != session->options.plan->new_version) {
        char text[128];
        (void)snprintf(text, sizeof(text),
                       "it reports that it owns since config version %" PRIu64 ", not %" PRIu64,
                       committed->new_version, session->options.plan->new_version);
        source_leave_in_doubt(session, text);
        return;
    }
    (void)snprintf(session->figures.warning, sizeof(session->figures.warning), "%s",
                   committed->warning);
    session->committed = true;
    memset(&session->outcome, 0, sizeof(session->outcome));
    source_end(session);
}

void source_hand_over_check_caught_up(struct source_session *session)
{
    if (session->waits_for_target && session->state == SOURCE_CATCHING_UP &&
        catch_up_is_level(&session->catch_up, session->progress.delta_applied_batches)) {
        session->waits_for_target = false;
        source_start_round(session);
    }
}

static void start_freeze(struct source_session *session, uint64_t now_ns)
{
    session->figures.lag_bytes_at_freeze = session->figures.lag_bytes;
    freeze_limit_begin(&session->freeze, now_ns);
    memset(&session->freeze_failure, 0, sizeof(session->freeze_failure));
    (void)source_push(session, SOURCE_ACTION_FREEZE);
    source_enter(session, SOURCE_FREEZING, session->freeze.deadline_ns);
}

void source_hand_over_on_round_done(struct source_session *session,
                                    const struct source_event *event, uint64_t now_ns)
{
    session->figures.lag_bytes = event->bytes;
    session->round_sequence = event->sequence;
    catch_up_note_round(&session->catch_up, event->bytes, event->batches);
    if (session->state == SOURCE_DRAINING) {
        (void)source_push(session, SOURCE_ACTION_DIGEST);
        return;
    }
    switch (catch_up_next(&session->catch_up, session->progress.delta_applied_batches)) {
    case CATCH_UP_ROUND:
        source_start_round(session);
        break;
    case CATCH_UP_WAIT:
        session->waits_for_target = true; /* a Progress continues, if one is still to come */
        source_hand_over_check_caught_up(session);
        break;
    case CATCH_UP_FREEZE:
        start_freeze(session, now_ns);
        break;
    case CATCH_UP_GIVE_UP:
        source_abort_with(session, HAUL_TIMEOUT, "the log grows as fast as it can be sent",
                          "slow the writers down or raise the lag limit", now_ns);
        break;
    }
}

/* A failing disk, and a hook that cannot freeze, fail every time. */
static bool is_worth_another_freeze(const struct source_session *session)
{
    enum haul_status status = session->freeze_failure.status;
    return status != HAUL_IO && status != HAUL_UNSUPPORTED &&
           !freeze_limit_is_used_up(&session->freeze);
}

/* No freeze has led to a decision. Keep what has arrived for another attempt of the job. */
static void end_unfrozen(struct source_session *session, uint64_t now_ns)
{
    struct haul_error error = session->freeze_failure;
    if (error.status == HAUL_OK) {
        haul_error_set(&error, HAUL_TIMEOUT, NULL, 0, "every freeze ran into its deadline");
        haul_error_hint(&error, "raise --freeze-max or lower the write load; `haul resume` "
                                "continues the job");
    } else {
        char cause[HAUL_ERROR_TEXT_BYTES_MAX];
        (void)snprintf(cause, sizeof(cause), "%s", session->freeze_failure.text);
        haul_error_set(&error, error.status, error.call, error.code,
                       "none of %u freezes has led to the hand-over; the last one failed: %s",
                       session->freeze.attempts, cause);
        haul_error_hint(&error, "%s", session->freeze_failure.hint);
    }
    source_end_kept(session, &error, now_ns);
}

/* The freeze failed or took too long: unfreeze first, then do another round. */
static void give_up_freeze(struct source_session *session, uint64_t now_ns)
{
    source_thaw(session, now_ns);
    if (!is_worth_another_freeze(session)) {
        end_unfrozen(session, now_ns);
        return;
    }
    bool under_way = session->state == SOURCE_DRAINING; /* a round or the digest still runs */
    source_enter(session, SOURCE_CATCHING_UP, CLOCK_NEVER);
    if (!under_way) {
        source_start_round(session);
    }
}

void source_hand_over_on_frozen(struct source_session *session, const struct source_event *event,
                                uint64_t now_ns)
{
    if (HAUL_PLANTED_BUG(LATE_FREEZE) && freeze_limit_is_over(&session->freeze, now_ns)) {
        session->freeze.deadline_ns = now_ns + (uint64_t)3600 * NS_PER_S;
    }
    if (event->error.status != HAUL_OK || freeze_limit_is_over(&session->freeze, now_ns)) {
        session->freeze_failure = event->error;
        give_up_freeze(session, now_ns);
        return;
    }
    session->freeze.started_ns = event->frozen_ns;
    source_enter(session, SOURCE_DRAINING,
                 HAUL_PLANTED_BUG(FROZEN_FOR_EVER) ? CLOCK_NEVER : session->freeze.deadline_ns);
    source_start_round(session);
}

void source_hand_over_on_digested(struct source_session *session, const struct source_event *event,
                                  uint64_t now_ns)
{
    const struct plan *plan = session->options.plan;
    memcpy(session->digests, event->digests, plan->family_count * sizeof(struct digest));
    haul_control_FamilyDigest *digests =
        family_digests_encode(session->digests, plan->family_count);
    if (digests == NULL) {
        source_abort_with(session, HAUL_NO_MEMORY, "no memory for the digests", "", now_ns);
        return;
    }
    haul_control_Prepare *prepare = &source_push_message(session, MESSAGE_PREPARE)->as.prepare;
    prepare->frozen_sequence = session->round_sequence;
    prepare->freeze = session->freeze.attempts;
    prepare->delta_batches = session->catch_up.batches;
    prepare->old_version = plan->old_version;
    prepare->new_version = plan->new_version;
    prepare->epoch = session->options.epoch;
    prepare->read_back = session->options.source.read_back;
    prepare->digests = digests;
    prepare->digests_count = (pb_size_t)plan->family_count;
    session->prepared_sequence = session->round_sequence;
    source_enter(session, SOURCE_PREPARING, session->freeze.deadline_ns);
}

/* --- hand-over -------------------------------------------------------------------------------- */

static bool digests_agree(const struct source_session *session,
                          const haul_control_Prepared *prepared)
{
    size_t count = session->options.plan->family_count;
    bool equal = prepared->digests_count == count &&
                 family_digests_difference(prepared->digests, session->digests, count) == count;
    return equal || HAUL_PLANTED_BUG(DIGEST_SKIPPED);
}

void source_hand_over_on_prepared(struct source_session *session,
                                  const haul_control_Prepared *prepared, uint64_t now_ns)
{
    /* Without a write in between, two freezes have the same sequence. */
    if ((prepared->freeze != session->freeze.attempts && !HAUL_PLANTED_BUG(LATE_PREPARED)) ||
        prepared->frozen_sequence != session->prepared_sequence) {
        return; /* the answer to a freeze that was given up */
    }
    if (!digests_agree(session, prepared)) {
        source_abort_with(session, HAUL_CORRUPT, "count or digest of the two sides differ",
                          "the source still owns the range; `haul verify` shows which family",
                          now_ns);
        return;
    }
    if (session->options.source.read_back && !prepared->read_back) {
        source_abort_with(
            session, HAUL_UNSUPPORTED, "the target cannot read back what it has written",
            "install the same release of haul there, or leave out `--verify read`", now_ns);
        return;
    }
    session->figures.verified = true;
    session->verified_freeze = prepared->freeze;
    session->decision_asked = true;
    source_push(session, SOURCE_ACTION_DECIDE)->until_ns = session->freeze.deadline_ns;
    source_enter(session, SOURCE_DECIDING, CLOCK_NEVER);
}

/* The decision is known not to have been made. Whatever happened meanwhile (a cancel, a local
 * failure, a loss of the path, a stop) takes precedence. A held lock and a full disk are no reason
 * to give up. */
static void on_undecided(struct source_session *session, const struct haul_error *error,
                         uint64_t now_ns)
{
    struct haul_error before = session->outcome;
    bool may_pass = error->status == HAUL_BUSY || error->status == HAUL_NO_SPACE ||
                    error->status == HAUL_NO_MEMORY;
    bool lost = !session->channel_up || end_reason_is_path(before.status);
    session->decision_asked = false;
    if (error->status == HAUL_NOT_FOUND && before.status == HAUL_OK) {
        source_end_kept(session, error, now_ns); /* the database has moved, with its job */
        return;
    }
    if (!may_pass || (before.status != HAUL_OK && !lost) || before.status == HAUL_CANCELLED) {
        source_abort_job(session, before.status == HAUL_OK ? error : &before, true, now_ns);
        return;
    }
    memset(&session->outcome, 0, sizeof(session->outcome));
    if (lost && source_may_retry(session, &before, now_ns)) {
        source_go_retry(session, &before, now_ns);
    } else if (lost || session->ending) {
        source_end_kept(session, lost ? &before : error, now_ns);
    } else {
        session->freeze_failure = *error;
        give_up_freeze(session, now_ns);
    }
}

void source_hand_over_on_decided(struct source_session *session, const struct source_event *event,
                                 uint64_t now_ns)
{
    if (event->error.status == HAUL_IN_DOUBT) {
        /* Unknown until the record is read again: stay frozen, change nothing. */
        session->outcome = event->error;
        session->decision_in_doubt = true;
        source_end(session);
        return;
    }
    if (event->error.status != HAUL_OK) {
        on_undecided(session, &event->error, now_ns);
        return;
    }
    freeze_limit_end(&session->freeze, now_ns);
    struct haul_error loss = session->outcome; /* the path may already be lost */
    memset(&session->outcome, 0, sizeof(session->outcome));
    session->decided = true;
    (void)source_push(session, SOURCE_ACTION_RELEASE);
    if (session->channel_up) {
        send_commit(session, now_ns);
    } else if (session->ending) {
        source_leave_in_doubt(session, "the path was lost");
    } else {
        source_go_retry(session, &loss, now_ns);
    }
}

/* The hook has its own deadline, so its answer will come; but bound the wait. */
void source_hand_over_on_hook_late(struct source_session *session, uint64_t now_ns)
{
    uint64_t last_ns = source_answer_deadline(session, session->freeze.deadline_ns);
    if (now_ns < last_ns) {
        source_enter(session, SOURCE_FREEZING, last_ns);
        return;
    }
    /* A hanging disk may recover, so keep what has arrived. */
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_TIMEOUT, NULL, 0,
                   "writes were not frozen, with a record of it, by the deadline");
    haul_error_hint(&error, "does the source's disk hang? a freeze hook has to fail with TIMEOUT "
                            "when it cannot freeze in time");
    source_end_kept(session, &error, now_ns);
}

/* Before any event, so that a late answer finds the freeze given up. */
void source_hand_over_check_deadline(struct source_session *session, uint64_t now_ns)
{
    bool waits = session->state == SOURCE_DRAINING || session->state == SOURCE_PREPARING;
    if (waits && freeze_limit_is_over(&session->freeze, now_ns)) {
        give_up_freeze(session, now_ns);
    }
}
