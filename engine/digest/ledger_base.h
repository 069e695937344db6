/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_base.h — the base of a digest ledger over a store: the snapshot on the source, the data of
 * the copy on the target. Thread: that of the ledger. */
#ifndef HAUL_LEDGER_BASE_H
#define HAUL_LEDGER_BASE_H

#include "delta_filter.h"
#include "digest_ledger.h"
#include "haul/store.h"

struct ledger_base {
    struct haul_store *store;
    const struct haul_snapshot *snapshot; /* NULL: the present state */
    /* Map families of the wire (target_id) to those of the store (source_id); empty: identical. */
    const struct delta_family *families;
    size_t family_count;
    uint8_t *value; /* of the last look-up */
};

/* The callbacks, with the base as their context. The base must not move while the ledger lives. */
struct digest_ledger_base ledger_base_callbacks(struct ledger_base *base);
void ledger_base_fini(struct ledger_base *base);

#endif
