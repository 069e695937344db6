/* SPDX-License-Identifier: Apache-2.0 */
/* freeze_calls.c — compares what is wanted with what the hooks have done. */
#include "freeze_calls.h"

#include <string.h>

#include "planted_bug.h"

void freeze_calls_init(struct freeze_calls *calls, struct call_worker *worker,
                       void (*freeze)(void *context, struct haul_error *error),
                       void (*unfreeze)(void *context, struct haul_error *error), void *context)
{
    memset(calls, 0, sizeof(*calls));
    calls->worker = worker;
    calls->freeze.run = freeze;
    calls->freeze.context = context;
    calls->unfreeze.run = unfreeze;
    calls->unfreeze.context = context;
}

static void start_freeze(struct freeze_calls *calls)
{
    calls->state = FREEZE_CALLS_FREEZING;
    calls->running = calls->number;
    call_worker_submit(calls->worker, &calls->freeze);
}

static void start_unfreeze(struct freeze_calls *calls)
{
    calls->state = FREEZE_CALLS_THAWING;
    call_worker_submit(calls->worker, &calls->unfreeze);
}

void freeze_calls_freeze(struct freeze_calls *calls)
{
    calls->wanted = true;
    calls->number++;
    if (calls->state == FREEZE_CALLS_THAWED) {
        start_freeze(calls);
    }
}

void freeze_calls_unfreeze(struct freeze_calls *calls)
{
    calls->wanted = false;
    if (calls->state == FREEZE_CALLS_FROZEN) {
        start_unfreeze(calls);
    }
}

bool freeze_calls_returned(struct freeze_calls *calls, const struct call *call)
{
    if (call == &calls->unfreeze) {
        calls->state = FREEZE_CALLS_THAWED;
        if (calls->wanted) {
            start_freeze(calls);
        }
        return false;
    }
    calls->state = FREEZE_CALLS_FROZEN;
    bool is_answer = calls->wanted && calls->running == calls->number;
    if (!is_answer) {
        start_unfreeze(calls);
    }
    return is_answer || (calls->wanted && HAUL_PLANTED_BUG(STALE_FREEZE));
}

bool freeze_calls_are_busy(const struct freeze_calls *calls)
{
    return calls->state == FREEZE_CALLS_FREEZING || calls->state == FREEZE_CALLS_THAWING;
}
