/* SPDX-License-Identifier: Apache-2.0 */
/* memory_store.h — an in-memory database for the target: batches, single reads, scans and table
 * files, in the order of each family's comparator.
 *
 * It aborts on what would break a real one: a malformed batch, an unknown family, a DeleteRange
 * that runs backwards, table records that do not ascend in byte order. Operations that the target
 * does not use are NULL. Thread: one. */
#ifndef HAUL_FUZZ_MEMORY_STORE_H
#define HAUL_FUZZ_MEMORY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "haul/store.h"
#include "raw_batch.h"

enum { MEMORY_STORE_FAMILY_COUNT_MAX = 4 };

struct memory_record {
    uint32_t family_id;
    struct haul_slice key; /* malloc'ed, like the value */
    struct haul_slice value;
};

/* Called for each record before it takes effect, so that a fuzz target can check it. */
typedef void memory_store_watch(void *context, const struct raw_record *record);

struct memory_store {
    struct haul_store base;
    uint32_t family_ids[MEMORY_STORE_FAMILY_COUNT_MAX];
    bool reverse[MEMORY_STORE_FAMILY_COUNT_MAX];
    size_t family_count;
    memory_store_watch *watch;
    void *watch_context;
    struct memory_record *records; /* ascending by family, then by bytes */
    size_t count;
    size_t capacity;
    size_t open_tables;
    uint64_t applied; /* records that have taken effect so far */
};

/* No families and no records. */
void memory_store_init(struct memory_store *store);
void memory_store_add_family(struct memory_store *store, uint32_t family_id, bool reverse);
/* No table may be open. */
void memory_store_fini(struct memory_store *store);

/* The digest of all records of a family, computed anew. */
struct digest memory_store_digest(const struct memory_store *store, uint32_t family_id);

#endif
