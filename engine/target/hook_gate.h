/* SPDX-License-Identifier: Apache-2.0 */
/* hook_gate.h — calls the hooks of a target's embedder one at a time, though the calls of several
 * jobs run on threads of their own. Hooks that must return at once pass without waiting.
 *
 * No lock is held while a hook runs: whoever is inside has the gate.
 *
 * Thread: any, except for init and fini. */
#ifndef HAUL_HOOK_GATE_H
#define HAUL_HOOK_GATE_H

#include <pthread.h>
#include <stdbool.h>

#include "haul/migration.h"

struct hook_gate {
    pthread_mutex_t lock; /* of `taken` */
    pthread_cond_t left;
    bool taken;              /* a hook runs */
    struct haul_hooks inner; /* the embedder's */
};

/* From now on `*hooks`, the embedder's, lead through the gate; a hook that is NULL stays so. */
void hook_gate_init(struct hook_gate *gate, struct haul_hooks *hooks);
void hook_gate_fini(struct hook_gate *gate);

#endif
