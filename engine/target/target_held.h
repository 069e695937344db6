/* SPDX-License-Identifier: Apache-2.0 */
/* target_held.h — how far a target's database had come when it held everything of a job (PREPARED),
 * and whether something else has changed it since. The decision is the source's, and it may have
 * been made: nothing stops the hand-over any more, but nobody should rely on it unseen.
 *
 * Thread: any that may ask the store. */
#ifndef HAUL_TARGET_HELD_H
#define HAUL_TARGET_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/migration.h"
#include "haul/store.h"
#include "journal_state.h"

struct journal_held target_held_now(struct haul_store *store);

enum target_held {
    TARGET_HELD_SAME = 0, /* or nothing is known */
    TARGET_HELD_WRITTEN,  /* something else has written to the database */
    TARGET_HELD_SET_BACK, /* it has lost something */
};

/* `sequence`: UINT64_MAX: not known. */
enum target_held target_held_compare(const struct journal_state *state,
                                     const struct journal_held *now);

/* What to do about it; "" for SAME. */
void target_held_explain(enum target_held held, char *text, size_t text_size_bytes);

/* Jobs that are PREPARED and have noticed nothing else, before haul itself writes to the database
 * for another one, or for the operator. Zeroed: none. */
struct target_held_others {
    bool looked;
    uint8_t (*jobs)[HAUL_JOB_BYTES]; /* owned */
    size_t count;
};
/* Those of the store, but `except` (NULL: all); once, until they are renewed. A damaged journal is
 * none of them. Errors: those of journals, NO_MEMORY. */
enum haul_status target_held_others_look(struct target_held_others *others,
                                         struct haul_store *store, const uint8_t *except,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* haul has written: each of them holds what is there now. One that cannot be renewed warns for
 * nothing. */
void target_held_others_renew(struct target_held_others *others, struct haul_store *store);

#endif
