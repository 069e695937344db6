/* SPDX-License-Identifier: Apache-2.0 */
/* apply_lane.h — the ways to put the records of one stream into the store: a table of lanes.
 *
 * A lane is a file lane_NAME.c, which exports only NAME_lane_ops, and a row of HAUL_LANES
 * (haul/migration.h). Records are already checked: sound, inside the range, in order. Every
 * operation is mandatory. Thread: the applier that owns the stream. */
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
    const char *staging_stem;       /* path of the files, without number and suffix */
    struct memory_budget *tables;   /* counts the open files of all streams; NULL: no limit */
    const struct haul_hooks *hooks; /* of a snapshot stream; borrowed; NULL: none */
    const char *family;             /* its name, for the hooks */
};

/* Common head of every lane. */
struct apply_lane {
    const struct apply_lane_ops *ops;
    uint64_t written_records; /* sequence numbers of the store used so far */
};

struct apply_lane_ops {
    enum haul_lane lane;
    bool syncs_log;    /* records become durable when the store syncs its log: one sync serves all
                        * streams of such lanes */
    bool stages_files; /* writes files into the staging directory */

    /* Does the store allow this lane? False: `*why` is the text of the error. */
    bool (*suits_store)(const struct haul_store *store, const char **why);
    /* Does this lane pay for the stream, and does it support the order of its keys? */
    bool (*suits_stream)(const struct plan_family *family, const struct plan_stream *stream);

    /* Errors: NO_MEMORY, LIMIT. */
    enum haul_status (*create)(const struct apply_lane_options *options, struct apply_lane **lane,
                               struct haul_error *error);
    /* One record of the batch that commit gets: both lie in its memory, and the record ends with
     * its value. The rest of the batch may still prove bad, which ends the job. Errors:
     * LIMIT (too many streams have an open file), those of the store. */
    enum haul_status (*put)(struct apply_lane *lane, struct haul_slice key, struct haul_slice value,
                            struct haul_error *error);
    /* The whole batch, after all its records were put. Errors: those of the store. */
    enum haul_status (*commit)(struct apply_lane *lane, struct haul_slice batch,
                               uint32_t record_count, struct haul_error *error);
    /* Is it time to flush? `pauses`: the thread is idle. */
    bool (*is_full)(const struct apply_lane *lane, bool pauses);
    /* Makes committed batches durable; a lane that syncs the log also needs a sync of the store. */
    enum haul_status (*flush)(struct apply_lane *lane, struct haul_error *error);
    /* Whatever is not durable may be lost. */
    void (*destroy)(struct apply_lane *lane);
};

/* NULL: no such lane; AUTO is not a lane. */
const struct apply_lane_ops *apply_lane_table(enum haul_lane lane);

/* The lane for a job: the wanted one, or for AUTO the first that the store allows. Errors:
 * UNSUPPORTED. */
enum haul_status apply_lane_choose(const struct haul_store *store, enum haul_lane wanted,
                                   enum haul_lane *lane, struct haul_error *error) HAUL_MUST_CHECK;
/* The lane for a stream of that job: a different one where the job's lane does not pay. */
const struct apply_lane_ops *apply_lane_for_stream(enum haul_lane lane,
                                                   const struct plan_family *family,
                                                   const struct plan_stream *stream);

#endif
