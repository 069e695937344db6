/* SPDX-License-Identifier: Apache-2.0 */
/* apply_lane.h — how the records of one stream get into the store: a table of lanes.
 *
 * A lane is a file lane_NAME.c, whose only exported symbol is NAME_lane_ops, and a row of
 * HAUL_LANES (haul/migration.h). Records come checked: sound, inside the range, in order. Every
 * slot is mandatory. Thread: the applier that owns the stream. */
#ifndef HAUL_APPLY_LANE_H
#define HAUL_APPLY_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/store.h"
#include "memory_budget.h"
#include "plan.h"

enum { APPLY_LANE_PATH_BYTES_MAX = 1024 };

struct apply_lane_options {
    struct haul_store *store;
    uint32_t family_id;
    uint64_t table_size_bytes;
    const char *staging_stem;     /* path of files, without number and suffix */
    struct memory_budget *tables; /* open files, 1 each, of all streams; NULL: none */
};

/* Common head of every lane. */
struct apply_lane {
    const struct apply_lane_ops *ops;
    uint64_t written_records; /* sequence numbers of the store that were used up */
};

struct apply_lane_ops {
    enum haul_lane lane;
    bool syncs_log;    /* what it takes is durable when the store has synced its log: one sync
                        * serves every stream of such lanes */
    bool stages_files; /* in the staging directory */

    /* Does the store allow it? False: `*why` is a sentence for the error. */
    bool (*suits_store)(const struct haul_store *store, const char **why);
    /* Does it pay for the stream, and can it take the order of its keys? */
    bool (*suits_stream)(const struct plan_family *family, const struct plan_stream *stream);

    /* Errors: NO_MEMORY, LIMIT. */
    enum haul_status (*create)(const struct apply_lane_options *options, struct apply_lane **lane,
                               struct haul_error *error);
    /* One record of a batch, whose rest may still prove bad: that ends the job. Errors: LIMIT (too
     * many streams have an open file), those of the store. */
    enum haul_status (*put)(struct apply_lane *lane, struct haul_slice key, struct haul_slice value,
                            struct haul_error *error);
    /* The batch, all of which was put. Errors: those of the store. */
    enum haul_status (*commit)(struct apply_lane *lane, struct haul_slice batch,
                               uint32_t record_count, struct haul_error *error);
    /* Is it time to flush? `pauses`: nothing else is to be done. */
    bool (*is_full)(const struct apply_lane *lane, bool pauses);
    /* What was committed is durable after this and, if the lane syncs the log, a sync. */
    enum haul_status (*flush)(struct apply_lane *lane, struct haul_error *error);
    /* What is not durable may go. */
    void (*destroy)(struct apply_lane *lane);
};

/* NULL: no such lane; AUTO is none. */
const struct apply_lane_ops *apply_lane_table(enum haul_lane lane);

/* The lane for a job: what is wanted, or (AUTO) the first that the store allows. Errors:
 * UNSUPPORTED. */
enum haul_status apply_lane_choose(const struct haul_store *store, enum haul_lane wanted,
                                   enum haul_lane *lane, struct haul_error *error) HAUL_MUST_CHECK;
/* The lane for a stream of that job: another one where the job's does not pay. */
const struct apply_lane_ops *apply_lane_for_stream(enum haul_lane lane,
                                                   const struct plan_family *family,
                                                   const struct plan_stream *stream);

#endif
