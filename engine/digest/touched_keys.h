/* SPDX-License-Identifier: Apache-2.0 */
/* touched_keys.h — the keys that deltas have changed, with the present contribution of each.
 *
 * A key is found by hash. Present keys are also listed, most of them sorted, so
 * that those inside a span are found without visiting all. The first request for a span
 * makes the list, because most logs have no DeleteRange.
 *
 * All keys are forgotten at once. Memory counts towards the owner's budget. Thread: one at a
 * time. */
#ifndef HAUL_TOUCHED_KEYS_H
#define HAUL_TOUCHED_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "haul/slice.h"
#include "haul/status.h"
#include "memory_budget.h"

struct touched_key {
    struct digest now; /* count 1: present; all zero: absent */
    uint32_t family_id;
    uint32_t key_size;
    bool listed; /* in the list of keys that may be present */
    bool ahead;  /* `now` may be newer than the deltas so far: digest_ledger_mark_ahead */
    uint8_t key[];
};

struct touched_slot;
struct touched_chunk;

struct touched_keys {
    struct memory_budget *budget;
    struct touched_slot *slots; /* open addressing, never more than two thirds full */
    size_t slot_count;          /* a power of two, or 0 */
    size_t key_count;
    struct touched_chunk *chunks; /* the first is being filled */
    bool lists;
    struct touched_key **list; /* the first `sorted_count` ascend by family and key */
    size_t listed_count;
    size_t sorted_count;
    size_t list_capacity;
};

void touched_keys_init(struct touched_keys *keys, struct memory_budget *budget);
/* Forget all keys and free their memory. The object may be used again. */
void touched_keys_clear(struct touched_keys *keys);

/* NULL: not touched. Valid until touched_keys_clear. */
struct touched_key *touched_keys_find(const struct touched_keys *keys, uint32_t family_id,
                                      struct haul_slice key);
/* Enter a new key with its contribution. Errors: LIMIT, NO_MEMORY. */
enum haul_status touched_keys_enter(struct touched_keys *keys, uint32_t family_id,
                                    struct haul_slice key, const struct digest *now,
                                    struct touched_key **touched) HAUL_MUST_CHECK;
/* Set the key's contribution to `now`. Errors: LIMIT, NO_MEMORY. */
enum haul_status touched_keys_set(struct touched_keys *keys, struct touched_key *touched,
                                  const struct digest *now) HAUL_MUST_CHECK;

/* Takes one key; `context` is the caller's. */
typedef void touched_keys_visit(void *context, struct touched_key *touched);

/* Visit each present key of [begin, end) of the family, and set its contribution to zero.
 * Errors: LIMIT, NO_MEMORY, before the first visit. */
enum haul_status touched_keys_remove(struct touched_keys *keys, uint32_t family_id,
                                     struct haul_slice begin, struct haul_slice end,
                                     touched_keys_visit *visit, void *context) HAUL_MUST_CHECK;

/* Visit each key that is `ahead`; `go_on` returns false to end the walk. */
typedef bool touched_keys_go_on(void *context, struct touched_key *touched);
void touched_keys_each_ahead(const struct touched_keys *keys, touched_keys_go_on *go_on,
                             void *context);

#endif
