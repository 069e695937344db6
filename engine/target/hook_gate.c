/* SPDX-License-Identifier: Apache-2.0 */
/* hook_gate.c — a gate around each hook that may take long. */
#include "hook_gate.h"

#include "clock.h"
#include "condition.h"
#include "planted_bug.h"

static void enter(struct hook_gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    while (gate->taken && !HAUL_PLANTED_BUG(HOOKS_AT_ONCE)) {
        (void)condition_wait(&gate->left, &gate->lock, CLOCK_NEVER);
    }
    gate->taken = true;
    (void)pthread_mutex_unlock(&gate->lock);
}

static void leave(struct hook_gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->taken = false;
    (void)pthread_cond_signal(&gate->left);
    (void)pthread_mutex_unlock(&gate->lock);
}

/* --- one at a time ---------------------------------------------------------------------------- */

static enum haul_status gate_reserve(void *context, const struct haul_reservation *wanted,
                                     struct haul_error *error)
{
    struct hook_gate *gate = context;
    enter(gate);
    enum haul_status status = gate->inner.reserve(gate->inner.context, wanted, error);
    leave(gate);
    return status;
}

static void gate_unreserve(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    struct hook_gate *gate = context;
    enter(gate);
    gate->inner.unreserve(gate->inner.context, job);
    leave(gate);
}

static enum haul_status gate_own(void *context, uint64_t new_version, struct haul_error *error)
{
    struct hook_gate *gate = context;
    enter(gate);
    enum haul_status status = gate->inner.own(gate->inner.context, new_version, error);
    leave(gate);
    return status;
}

static enum haul_status gate_own_job(void *context, const uint8_t job[HAUL_JOB_BYTES],
                                     uint64_t new_version, struct haul_error *error)
{
    struct hook_gate *gate = context;
    enter(gate);
    enum haul_status status = gate->inner.own_job(gate->inner.context, job, new_version, error);
    leave(gate);
    return status;
}

static bool gate_was_owned(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    struct hook_gate *gate = context;
    enter(gate);
    bool owned = gate->inner.was_owned(gate->inner.context, job);
    leave(gate);
    return owned;
}

/* --- at once ---------------------------------------------------------------------------------- */

static enum haul_status gate_version_get(void *context, uint64_t *version, struct haul_error *error)
{
    const struct hook_gate *gate = context;
    return gate->inner.version_get(gate->inner.context, version, error);
}

static void gate_job_ended(void *context, const struct haul_result *result)
{
    const struct hook_gate *gate = context;
    gate->inner.job_ended(gate->inner.context, result);
}

static size_t gate_annotate(void *context, const char *family, struct haul_slice key,
                            struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    const struct hook_gate *gate = context;
    return gate->inner.annotate(gate->inner.context, family, key, value, blob);
}

/* --- life ------------------------------------------------------------------------------------- */

void hook_gate_init(struct hook_gate *gate, struct haul_hooks *hooks)
{
    gate->inner = *hooks;
    gate->taken = false;
    (void)pthread_mutex_init(&gate->lock, NULL);
    condition_init(&gate->left);
    *hooks = (struct haul_hooks){
        .context = gate,
        .reserve = hooks->reserve == NULL ? NULL : gate_reserve,
        .unreserve = hooks->unreserve == NULL ? NULL : gate_unreserve,
        .own = hooks->own == NULL ? NULL : gate_own,
        .own_job = hooks->own_job == NULL ? NULL : gate_own_job,
        .was_owned = hooks->was_owned == NULL ? NULL : gate_was_owned,
        .version_get = hooks->version_get == NULL ? NULL : gate_version_get,
        .job_ended = hooks->job_ended == NULL ? NULL : gate_job_ended,
        .annotate = hooks->annotate == NULL ? NULL : gate_annotate,
    };
}

void hook_gate_fini(struct hook_gate *gate)
{
    (void)pthread_cond_destroy(&gate->left);
    (void)pthread_mutex_destroy(&gate->lock);
}
