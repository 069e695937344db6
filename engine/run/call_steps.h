/* SPDX-License-Identifier: Apache-2.0 */
/* call_steps.h — counts the steps of a long call on the call worker, so that the loop sees its
 * progress, and lets the loop end the call before its next step.
 *
 * Thread: `steps` belongs to the call, everything else to the loop. */
#ifndef HAUL_CALL_STEPS_H
#define HAUL_CALL_STEPS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "haul/store.h"

static inline bool steps_next(const struct haul_steps *steps)
{
    return steps == NULL || steps->next(steps->context);
}

struct call_steps {
    struct haul_steps steps;
    atomic_uint_fast64_t done; /* of all calls */
    atomic_bool ends;
};

static inline bool call_steps_next(void *context)
{
    struct call_steps *calls = context;
    (void)atomic_fetch_add_explicit(&calls->done, 1, memory_order_relaxed);
    return !atomic_load_explicit(&calls->ends, memory_order_relaxed);
}

/* Before a call is submitted. */
static inline void call_steps_begin(struct call_steps *calls)
{
    calls->steps = (struct haul_steps){.next = call_steps_next, .context = calls};
    atomic_store_explicit(&calls->ends, false, memory_order_relaxed);
}

/* End the running call soon; a call that has not begun takes no step. */
static inline void call_steps_end(struct call_steps *calls)
{
    atomic_store_explicit(&calls->ends, true, memory_order_relaxed);
}

static inline uint64_t call_steps_done(const struct call_steps *calls)
{
    return atomic_load_explicit(&calls->done, memory_order_relaxed);
}

#endif
