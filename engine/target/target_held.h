/* SPDX-License-Identifier: Apache-2.0 */
/* target_held.h — how far a target's database had come when it held all records of a job
 * (PREPARED), and whether anything else has changed it since. The source may have decided already,
 * so such a change cannot stop the hand-over; but the operator must be warned.
 *
 * Thread: any that may use the store. */
#ifndef HAUL_TARGET_HELD_H
#define HAUL_TARGET_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/migration.h"
#include "haul/store.h"
#include "journal_state.h"

struct journal_held target_held_now(struct haul_store *store);

enum target_held {
    TARGET_HELD_SAME = 0, /* or unknown */
    TARGET_HELD_WRITTEN,  /* something else has written to the database */
    TARGET_HELD_SET_BACK, /* it has lost writes */
};

/* `sequence` UINT64_MAX: unknown. */
enum target_held target_held_compare(const struct journal_state *state,
                                     const struct journal_held *now);

/* The warning, with what to do; "" for SAME. */
void target_held_explain(enum target_held held, char *text, size_t text_size_bytes);

/* Jobs that are PREPARED and still undisturbed, listed before haul itself writes to the database
 * for another job or for the operator. Zeroed: none. */
struct target_held_others {
    bool looked;
    uint8_t (*jobs)[HAUL_JOB_BYTES]; /* owned */
    size_t count;
};
/* List those of the store except `except` (NULL: all); only once until they are renewed. Skips
 * damaged journals. Errors: those of journals, NO_MEMORY. */
enum haul_status target_held_others_look(struct target_held_others *others,
                                         struct haul_store *store, const uint8_t *except,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* haul has written: record the present state for each of them. One that cannot be renewed leads to
 * a needless warning. */
void target_held_others_renew(struct target_held_others *others, struct haul_store *store);

#endif
