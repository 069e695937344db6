/* SPDX-License-Identifier: Apache-2.0 */
/* source_calls.c — the calls that the call worker makes for a source's job. */
#include "source_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database_secret.h"
#include "source_done.h"
#include "source_left_over.h"

/* --- on the call worker ----------------------------------------------------------------------- */

/* FROZEN comes first, so that writers do not wait for the disk. */
static void call_freeze(void *context, struct haul_error *error)
{
    struct source_calls *calls = context;
    const struct haul_hooks *hooks = &calls->intent->options.hooks;
    error->status = source_journal_frozen(&calls->intent->journal, error);
    calls->frozen_ns = clock_now_ns(calls->clock);
    calls->hook_called = error->status == HAUL_OK;
    if (calls->hook_called && hooks->freeze != NULL) {
        error->status = hooks->freeze(hooks->context, calls->intent->options.freeze_max_ms, error);
    }
}

static void call_unfreeze(void *context, struct haul_error *error)
{
    struct source_calls *calls = context;
    const struct haul_hooks *hooks = &calls->intent->options.hooks;
    if (calls->hook_called && hooks->unfreeze != NULL) {
        hooks->unfreeze(hooks->context);
    }
    calls->hook_called = false;
    error->status = source_journal_unfrozen(&calls->intent->journal, error);
}

static void call_decide(void *context, struct haul_error *error)
{
    struct source_calls *calls = context;
    int left_ms = clock_ms_until(calls->clock, calls->decide_until_ns, 1 << 30);
    calls->intent->journal.moved = source_copy_total(calls->copy);
    error->status = source_journal_decide(&calls->intent->journal, &calls->intent->plan,
                                          (uint32_t)left_ms, error);
}

static void call_released(void *context, struct haul_error *error)
{
    struct source_calls *calls = context;
    error->status = source_intent_released(calls->intent, error);
}

/* For resolve without a decided job: the target owns by the job that Hello named, or by another
 * one, or must learn which jobs are over. */
static enum haul_status settle_left(struct source_calls *calls, struct haul_error *error)
{
    const struct source_peer *peer = &calls->bound;
    struct source_journal *journal = &calls->intent->journal;
    enum haul_status status = source_journal_meet(journal, peer->identity, peer->returned, error);
    if (status == HAUL_OK && peer->owns && source_left_over_is_met(journal)) {
        return source_intent_yield(calls->intent, &peer->version, error);
    }
    if (status == HAUL_OK) {
        status = source_left_over_not_owned(journal, error);
    }
    calls->asks_again = status == HAUL_OK && source_left_over_ask_next(journal);
    if (status == HAUL_OK && !calls->asks_again) {
        status = source_left_over_tell(journal, error);
    }
    if (status != HAUL_NOT_FOUND) {
        return status;
    }
    const struct source_done_peer done = {.knowledge = peer->knowledge,
                                          .waiting = slice_of(peer->waiting, peer->waiting_bytes)};
    return source_done_answer(journal, &done, &calls->commit, &calls->asks_again, error);
}

/* Keep the target's report for `haul status`. If it cannot be kept, the answer stays the same. */
static void note_returned(struct source_journal *journal, const struct source_peer *peer,
                          enum haul_status status)
{
    struct haul_error ignored;
    if (status == HAUL_MISMATCH && journal->file != NULL) {
        (void)!source_earlier_mark_returned(journal->file, peer->returned != VERSION_RETURNED,
                                            &ignored);
    }
}

/* Either side may have been set back to before it got something from the other. */
static enum haul_status compare_given(struct source_calls *calls, struct haul_error *error)
{
    const struct source_peer *peer = &calls->bound;
    struct source_journal *journal = &calls->intent->journal;
    struct haul_store *store = journal->source->store;
    const struct haul_hooks *hooks = &journal->source->hooks;
    enum haul_status status = lost_jobs_list(store, hooks, peer->identity, &calls->between, error);
    if (status == HAUL_OK) {
        status = lost_jobs_look(store, hooks, &peer->between, &calls->lost, error);
    }
    if (status == HAUL_OK && hooks->version_get == NULL) {
        status = lost_jobs_confirm(store, &peer->between, error);
    }
    if (calls->lost.size_bytes > 0) {
        source_done_note_unknown(journal);
    }
    return status;
}

static void bind(struct source_calls *calls, struct haul_error *error)
{
    struct source_intent *intent = calls->intent;
    const struct source_peer *peer = &calls->bound;
    calls->asks_again = false;
    message_release(&calls->commit);
    calls->lost.size_bytes = 0;
    if (peer->owns && peer->names_given_back) {
        source_done_note_lost(&intent->journal, peer->given_back_by);
    }
    error->status = compare_given(calls, error);
    if (error->status != HAUL_OK) {
        return;
    }
    if (intent->journal.only_tells) {
        error->status = settle_left(calls, error);
        return;
    }
    bool yields = peer->owns && source_journal_is_undecided(&intent->journal);
    error->status =
        yields ? source_journal_meet(&intent->journal, peer->identity, peer->returned, error)
               : source_journal_bind(&intent->journal, peer->identity, &intent->plan, error);
    if (error->status == HAUL_OK && peer->owns && !yields) {
        error->status = source_done_check_returned(&intent->journal, &intent->plan, peer->returned,
                                                   peer->names_given_back, error);
        note_returned(&intent->journal, peer, error->status);
    }
    if (error->status == HAUL_OK) {
        error->status = yields ? source_intent_yield(intent, &peer->version, error)
                               : source_intent_check_again(intent, error);
    }
}

static enum haul_status make_proofs(struct source_calls *calls,
                                    const struct database_secret *secret, struct haul_error *error)
{
    const struct source_earlier *earlier = &calls->intent->journal.earlier;
    enum haul_status status =
        database_secret_proof(secret, calls->intent->journal.job, &calls->proof);
    calls->told_proofs = malloc(earlier->told_count * SOURCE_PROOF_BYTES + 1);
    for (size_t i = 0; calls->told_proofs != NULL && i < earlier->told_count; i++) {
        struct source_proof proof = {.given = false};
        const uint8_t *job = earlier->told + i * HAUL_JOB_BYTES;
        status = status == HAUL_OK ? database_secret_proof(secret, job, &proof) : status;
        memcpy(calls->told_proofs + i * SOURCE_PROOF_BYTES, proof.bytes, SOURCE_PROOF_BYTES);
    }
    return calls->told_proofs == NULL
               ? haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for earlier jobs")
           : status == HAUL_OK ? status
                               : haul_error_set(error, status, "HMAC", 0, "no proof for a job");
}

/* A database without a folder of haul's has begun no job. */
static enum haul_status prove(struct source_calls *calls, struct haul_error *error)
{
    struct database_secret secret;
    enum haul_status status = database_secret_begin(calls->intent->options.store, &secret, error);
    if (status == HAUL_OK) {
        status = make_proofs(calls, &secret, error);
    }
    explicit_bzero(&secret, sizeof(secret));
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static void call_bind(void *context, struct haul_error *error)
{
    struct source_calls *calls = context;
    memset(&calls->proof, 0, sizeof(calls->proof));
    free(calls->told_proofs);
    calls->told_proofs = NULL;
    bind(calls, error);
    if (error->status == HAUL_OK) {
        error->status = prove(calls, error);
    }
}

static void call_accepted(void *context, struct haul_error *error)
{
    struct source_calls *calls = context;
    error->status = source_journal_accepted(&calls->intent->journal, error);
}

/* --- for the loop ----------------------------------------------------------------------------- */

static void submit_bind(struct source_calls *calls)
{
    calls->bind_again = calls->bind.under_way;
    if (!calls->bind_again) {
        calls->bound = calls->welcomed;
        call_worker_submit(calls->worker, &calls->bind);
    }
}

void source_calls_bind(struct source_calls *calls, const haul_control_Welcome *welcome)
{
    bool named = message_is_identity(welcome->target_identity.bytes, welcome->target_identity.size);
    struct source_peer *peer = &calls->welcomed;
    (void)snprintf(peer->identity, sizeof(peer->identity), "%.*s",
                   named ? (int)welcome->target_identity.size : 0,
                   (const char *)welcome->target_identity.bytes);
    peer->version = (struct version_claim){.version = welcome->config_version,
                                           .authoritative = welcome->config_version_known};
    peer->owns = welcome->job_phase == JOB_COMMITTED;
    peer->knowledge = (enum job_knowledge)welcome->job_phase;
    peer->names_given_back = welcome->given_back_by.size == HAUL_JOB_BYTES;
    memcpy(peer->given_back_by, welcome->given_back_by.bytes, HAUL_JOB_BYTES);
    peer->waiting_bytes = welcome->waiting.size;
    memcpy(peer->waiting, welcome->waiting.bytes, welcome->waiting.size);
    job_list_take(&peer->between, slice_of(welcome->between.bytes, welcome->between.size));
    bool tells = welcome->given_back <= VERSION_PERHAPS_RETURNED; /* later releases may have more */
    peer->returned = tells ? (enum version_return)welcome->given_back : VERSION_PERHAPS_RETURNED;
    submit_bind(calls);
}

void source_calls_accepted(struct source_calls *calls)
{
    if (!calls->accepted.under_way) {
        call_worker_submit(calls->worker, &calls->accepted);
    }
}

void source_calls_freeze(struct source_calls *calls)
{
    freeze_calls_freeze(&calls->freezes);
}

void source_calls_unfreeze(struct source_calls *calls)
{
    freeze_calls_unfreeze(&calls->freezes);
}

void source_calls_decide(struct source_calls *calls, uint64_t until_ns)
{
    calls->decide_until_ns = until_ns;
    call_worker_submit(calls->worker, &calls->decide);
}

void source_calls_released(struct source_calls *calls)
{
    call_worker_submit(calls->worker, &calls->released);
}

const char *source_calls_waited_for(const struct source_calls *calls)
{
    bool records = calls->bind.under_way || calls->accepted.under_way || calls->decide.under_way ||
                   calls->released.under_way;
    return freeze_calls_are_busy(&calls->freezes) ? "the freeze hook, which has not returned"
           : records                              ? "its records: the disk does not answer"
                                                  : NULL;
}

/* --- results ---------------------------------------------------------------------------------- */

static enum source_calls_news on_bound(struct source_calls *calls, struct source_event *event)
{
    if (calls->bind_again) {
        submit_bind(calls);
        return SOURCE_CALLS_TIDIED;
    }
    const struct source_journal *journal = &calls->intent->journal;
    const struct source_earlier *earlier = &journal->earlier;
    event->next_job = calls->asks_again ? journal->job : NULL;
    event->next_epoch = journal->epoch;
    event->commit = calls->commit.type == MESSAGE_COMMIT ? &calls->commit : NULL;
    event->type = SOURCE_EVENT_BOUND;
    event->between = job_list_slice(&calls->between);
    event->lost = job_list_slice(&calls->lost);
    event->proof = source_proof_slice(&calls->proof);
    event->job_proofs =
        slice_of(calls->told_proofs,
                 calls->told_proofs == NULL ? 0 : earlier->told_count * SOURCE_PROOF_BYTES);
    event->jobs = slice_of(earlier->told, earlier->told_count * HAUL_JOB_BYTES);
    return SOURCE_CALLS_EVENT;
}

/* These calls only tidy up: a later run finds out again what they would have recorded. */
static void note_failure(const struct source_calls *calls, const struct call *call)
{
    if (call->error.status != HAUL_OK) {
        haul_log(calls->intent->options.log, HAUL_LOG_WARNING, "journal: %s", call->error.text);
    }
}

static enum source_calls_news on_freeze_or_thaw(struct source_calls *calls, const struct call *call,
                                                struct source_event *event)
{
    uint64_t frozen_ns = calls->frozen_ns; /* before the next of the two calls begins */
    if (call == &calls->freezes.unfreeze) {
        note_failure(calls, call);
    }
    if (!freeze_calls_returned(&calls->freezes, call)) {
        return SOURCE_CALLS_TIDIED;
    }
    event->type = SOURCE_EVENT_FROZEN;
    event->error = calls->freezes.freeze.error;
    event->frozen_ns = frozen_ns;
    return SOURCE_CALLS_EVENT;
}

enum source_calls_news source_calls_next(struct source_calls *calls, struct source_event *event)
{
    const struct call *call = call_worker_result(calls->worker);
    if (call == NULL) {
        return SOURCE_CALLS_NOTHING;
    }
    *event = (struct source_event){.error = call->error};
    if (call == &calls->freezes.freeze || call == &calls->freezes.unfreeze) {
        return on_freeze_or_thaw(calls, call, event);
    }
    if (call == &calls->bind) {
        return on_bound(calls, event);
    }
    if (call == &calls->decide) {
        event->type = SOURCE_EVENT_DECIDED;
        return SOURCE_CALLS_EVENT;
    }
    note_failure(calls, call);
    return SOURCE_CALLS_TIDIED;
}

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status source_calls_create(struct source_calls *calls, struct source_intent *intent,
                                     const struct source_copy *copy, const struct haul_clock *clock,
                                     struct haul_error *error)
{
    memset(calls, 0, sizeof(*calls));
    calls->intent = intent;
    calls->copy = copy;
    calls->clock = clock;
    calls->bind = (struct call){.run = call_bind, .context = calls};
    calls->accepted = (struct call){.run = call_accepted, .context = calls};
    calls->decide = (struct call){.run = call_decide, .context = calls};
    calls->released = (struct call){.run = call_released, .context = calls};
    enum haul_status status = call_worker_create(&calls->worker, error);
    if (status == HAUL_OK) {
        freeze_calls_init(&calls->freezes, calls->worker, call_freeze, call_unfreeze, calls);
    }
    return status;
}

void source_calls_destroy(struct source_calls *calls)
{
    if (calls->worker != NULL) {
        call_worker_destroy(calls->worker);
        calls->worker = NULL;
        message_release(&calls->commit);
        free(calls->told_proofs);
        calls->told_proofs = NULL;
    }
}
