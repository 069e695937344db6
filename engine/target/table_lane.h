/* SPDX-License-Identifier: Apache-2.0 */
/* table_lane.h — the ingest lane of one stream: sorted records into table files, files into the
 * store. What was ingested is durable; what is still in the open file is not. */
#ifndef HAUL_TABLE_LANE_H
#define HAUL_TABLE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/store.h"
#include "memory_budget.h"

enum { TABLE_LANE_PATH_BYTES_MAX = 1024 };

struct table_lane {
    struct haul_store *store;
    uint32_t family_id;
    uint64_t table_size_bytes;    /* ingest when the open file has reached this */
    struct memory_budget *budget; /* of open files, 1 each, of all lanes; NULL: none */
    uint32_t file_count;
    struct haul_table *table; /* NULL: none open */
    char stem[TABLE_LANE_PATH_BYTES_MAX];
    char path[TABLE_LANE_PATH_BYTES_MAX + 16];
};

/* Files are named `<stem>-<number>.sst`. Errors: LIMIT (path too long). */
enum haul_status table_lane_init(struct table_lane *lane, struct haul_store *store,
                                 uint32_t family_id, const char *stem,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* Abandons an open file. */
void table_lane_fini(struct table_lane *lane);

/* Errors: LIMIT (too many lanes have an open file), those of the store. */
enum haul_status table_lane_put(struct table_lane *lane, struct haul_slice key,
                                struct haul_slice value, struct haul_error *error) HAUL_MUST_CHECK;
/* Is the open file large enough to be ingested? */
bool table_lane_is_full(const struct table_lane *lane);
/* Finish and ingest the open file, if any: everything put so far is durable after this. */
enum haul_status table_lane_flush(struct table_lane *lane,
                                  struct haul_error *error) HAUL_MUST_CHECK;

#endif
