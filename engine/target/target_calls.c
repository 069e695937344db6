/* SPDX-License-Identifier: Apache-2.0 */
/* target_calls.c — the work of the call worker for a target's job. */
#include "target_calls.h"

#include <string.h>

#include "instance.h"
#include "target_admission.h"
#include "target_done.h"
#include "target_fit.h"

/* --- on the call worker ----------------------------------------------------------------------- */

/* A receiver may run for long: the ownership record that it began with can be forgotten
 * meanwhile. */
static enum haul_status take_name(struct target_calls *calls, struct haul_error *error)
{
    struct haul_store *store = calls->target->store;
    char *name = calls->journal.name;
    return name[0] == '\0' || instance_is_current(store, name) ? HAUL_OK
                                                               : instance_begin(store, name, error);
}

static void call_look_up(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    const struct haul_target_options *target = calls->target;
    calls->journal.steps = &calls->steps[TARGET_CALL_LOOK_UP].steps;
    error->status = take_name(calls, error);
    if (error->status == HAUL_OK) {
        error->status = config_version_get(target->store, &target->hooks, &calls->version, error);
    }
    if (error->status == HAUL_OK) {
        error->status = target_journal_look_up(
            &calls->journal, target_session_hello(calls->session), &calls->prepared_version, error);
    }
    if (error->status == HAUL_OK) {
        error->status =
            target_done_look(&calls->journal, target_session_hello(calls->session), error);
    }
}

static void call_check(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    calls->journal.steps = &calls->steps[TARGET_CALL_CHECK].steps;
    error->status = target_admission_check(&calls->journal, &calls->incoming_plan, error);
    memset(&calls->incoming_plan, 0, sizeof(calls->incoming_plan));
    if (error->status == HAUL_OK) {
        option_report_fini(&calls->differences);
        target_fit_report(calls->target->store, &calls->journal.plan, &calls->differences);
        option_report_log(&calls->differences, calls->target->log);
    }
}

static void call_positions(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    const struct position_queue *positions = &calls->copy->positions;
    error->status =
        target_journal_positions(&calls->journal, positions->taken, positions->taken_count, error);
}

static void call_digest(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    calls->journal.steps = &calls->steps[TARGET_CALL_DIGEST].steps;
    error->status = target_copy_scan_digests(calls->copy, error);
}

static void call_record(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    error->status = target_journal_prepare(&calls->journal, target_session_prepare(calls->session),
                                           calls->copy->digests, error);
}

static void call_own(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    uint64_t new_version = target_session_prepare(calls->session)->new_version;
    error->status = target_journal_own(&calls->journal, new_version, error);
}

static void call_clear(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    calls->journal.steps = &calls->steps[TARGET_CALL_CLEAR].steps;
    error->status =
        target_journal_clear(&calls->journal, target_session_outcome(calls->session), error);
}

static void call_verify(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    error->status = target_verify_read(&calls->verify, calls->target,
                                       &calls->steps[TARGET_CALL_VERIFY].steps, error);
}

static void call_stop(void *context, struct haul_error *error)
{
    struct target_calls *calls = context;
    target_copy_join(calls->copy);
    error->status = HAUL_OK;
}

static void call_note_lost(void *context, struct haul_error *error)
{
    const struct target_calls *calls = context;
    error->status = target_done_note_lost(&calls->journal, &calls->lost, error);
    if (error->status != HAUL_OK) {
        haul_log(calls->target->log, HAUL_LOG_WARNING, "cannot record what the source has lost: %s",
                 error->text);
    }
}

/* --- the loop's side -------------------------------------------------------------------------- */

void target_calls_submit(struct target_calls *calls, enum target_call number)
{
    static void (*const runs[TARGET_CALL_COUNT])(void *context, struct haul_error *error) = {
        [TARGET_CALL_CHECK] = call_check,         [TARGET_CALL_OWN] = call_own,
        [TARGET_CALL_CLEAR] = call_clear,         [TARGET_CALL_RECORD] = call_record,
        [TARGET_CALL_DIGEST] = call_digest,       [TARGET_CALL_LOOK_UP] = call_look_up,
        [TARGET_CALL_POSITIONS] = call_positions, [TARGET_CALL_VERIFY] = call_verify,
        [TARGET_CALL_STOP] = call_stop,           [TARGET_CALL_NOTE_LOST] = call_note_lost,
    };
    call_steps_begin(&calls->steps[number]);
    calls->calls[number].run = runs[number];
    calls->calls[number].context = calls;
    call_worker_submit(calls->worker, &calls->calls[number]);
}

void target_calls_move(struct target_calls *calls, struct call_worker *worker)
{
    if (worker != NULL && !target_calls_any(calls)) {
        calls->worker = worker;
    }
}

enum haul_status target_calls_take_plan(struct target_calls *calls, const struct message *message,
                                        struct haul_error *error)
{
    enum haul_status status = plan_from_message(&calls->incoming_plan, message, error);
    if (status == HAUL_OK) {
        status = target_done_note_plan(&calls->journal, &message->as.plan, error);
    }
    if (status != HAUL_OK) {
        plan_fini(&calls->incoming_plan);
        error->status = status;
    }
    return status;
}

enum haul_status target_calls_note_abort(struct target_calls *calls, const struct message *message,
                                         struct haul_error *error)
{
    const haul_control_Abort *from = &message->as.abort;
    if (message->type != MESSAGE_ABORT) {
        return HAUL_OK;
    }
    source_proof_take(&calls->abort_proof, slice_of(from->proof.bytes, from->proof.size));
    calls->abort_noted = true;
    return target_calls_any(calls)
               ? HAUL_OK
               : target_journal_note_over(&calls->journal, message_slice(from->jobs),
                                          message_slice(from->job_proofs), error);
}

void target_calls_take_abort(struct target_calls *calls)
{
    calls->journal.told_to_end = calls->abort_noted;
    if (calls->abort_noted) {
        calls->journal.proof = calls->abort_proof;
    }
}

void target_calls_note_stop(struct target_calls *calls, const struct message *message)
{
    const haul_control_Stop *stop = &message->as.stop;
    if (message->type == MESSAGE_STOP && stop->lost.size > 0 && !target_calls_any(calls)) {
        job_list_take(&calls->lost, slice_of(stop->lost.bytes, stop->lost.size));
        target_calls_submit(calls, TARGET_CALL_NOTE_LOST);
    }
}

struct target_driver *target_calls_driver(const struct call *call)
{
    return ((const struct target_calls *)call->context)->driver;
}

enum target_call target_calls_number(const struct target_calls *calls, const struct call *call)
{
    return (enum target_call)(call - calls->calls);
}

bool target_calls_any(const struct target_calls *calls)
{
    bool any = false;
    for (size_t i = 0; i < TARGET_CALL_COUNT; i++) {
        any = any || calls->calls[i].under_way;
    }
    return any;
}

uint64_t target_calls_activity(struct target_calls *calls, uint64_t *all)
{
    uint64_t done = 0;
    for (size_t i = 0; i < TARGET_CALL_COUNT; i++) {
        done += call_steps_done(&calls->steps[i]);
    }
    *all += done - calls->steps_seen;
    calls->steps_seen = done;
    return target_calls_any(calls) ? *all : done;
}

/* --- ending ----------------------------------------------------------------------------------- */

void target_calls_end(struct target_calls *calls, enum target_call number)
{
    call_steps_end(&calls->steps[number]);
}

void target_calls_end_all(struct target_calls *calls)
{
    for (size_t i = 0; i < TARGET_CALL_COUNT; i++) {
        call_steps_end(&calls->steps[i]);
    }
}

void target_calls_end_stale(struct target_calls *calls)
{
    enum target_state state = target_session_state(calls->session);
    const bool stale[TARGET_CALL_COUNT] = {[TARGET_CALL_LOOK_UP] = state != TARGET_LOOKING,
                                           [TARGET_CALL_CHECK] = state != TARGET_CHECKING,
                                           [TARGET_CALL_DIGEST] = state != TARGET_FLUSHING,
                                           [TARGET_CALL_VERIFY] = state != TARGET_VERIFYING};
    for (size_t i = 0; i < TARGET_CALL_COUNT; i++) {
        if (stale[i] && calls->calls[i].under_way) {
            call_steps_end(&calls->steps[i]);
        }
    }
}

/* --- life ------------------------------------------------------------------------------------- */

void target_calls_init(struct target_calls *calls, struct target_driver *driver,
                       const struct haul_target_options *target, struct call_worker *worker)
{
    memset(calls, 0, sizeof(*calls));
    calls->driver = driver;
    calls->target = target;
    calls->worker = worker;
    target_journal_init(&calls->journal, target);
}

void target_calls_fini(struct target_calls *calls)
{
    plan_fini(&calls->incoming_plan);
    target_verify_fini(&calls->verify);
    target_journal_fini(&calls->journal);
    option_report_fini(&calls->differences);
}
