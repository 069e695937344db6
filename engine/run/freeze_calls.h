/* SPDX-License-Identifier: Apache-2.0 */
/* freeze_calls.h — calls the freeze and unfreeze hooks of an embedder in turns, however quickly the
 * session changes its mind.
 *
 *   THAWED --freeze--> FREEZING --returned, still wanted--> FROZEN --unfreeze--> THAWING --> THAWED
 *   FREEZING --returned, revoked meanwhile--> THAWING
 *   THAWING --returned, wanted again--> FREEZING
 *
 * While a hook runs, a freeze and the unfreeze that revokes it cancel each other out: a hook
 * that blocks through twenty losses of the path is followed by one unfreeze and one freeze. The
 * answer to a revoked freeze never counts for a later one. unfreeze follows each freeze
 * that has returned and is no longer wanted, even one that has failed.
 *
 * Thread: the loop's; the hooks run on the call worker. */
#ifndef HAUL_FREEZE_CALLS_H
#define HAUL_FREEZE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "call_worker.h"

enum freeze_calls_state {
    FREEZE_CALLS_THAWED,
    FREEZE_CALLS_FREEZING,
    FREEZE_CALLS_FROZEN,
    FREEZE_CALLS_THAWING,
};

struct freeze_calls {
    struct call_worker *worker; /* borrowed */
    struct call freeze;
    struct call unfreeze;
    enum freeze_calls_state state;
    bool wanted;      /* the session wants writes frozen */
    uint64_t number;  /* of the freeze that the session wants, or last wanted */
    uint64_t running; /* of the freeze for which the hook was last called */
};

/* `freeze` and `unfreeze` become `run` of a struct call. */
void freeze_calls_init(struct freeze_calls *calls, struct call_worker *worker,
                       void (*freeze)(void *context, struct haul_error *error),
                       void (*unfreeze)(void *context, struct haul_error *error), void *context);

void freeze_calls_freeze(struct freeze_calls *calls);
void freeze_calls_unfreeze(struct freeze_calls *calls);

/* One of the two calls has returned. True: freeze.error is the answer to the freeze that the
 * session waits for. */
bool freeze_calls_returned(struct freeze_calls *calls, const struct call *call);

/* Does a hook run, or must one still run? */
bool freeze_calls_are_busy(const struct freeze_calls *calls);

#endif
