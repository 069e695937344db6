/* SPDX-License-Identifier: Apache-2.0 */
/* lane_ingest.c — writes sorted records into table files that the store ingests. One file is open
 * at a time and is ingested when it is full. Ingested records are durable; those in the open file
 * are not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply_lane.h"

/* Smaller streams (as estimated) are applied as write batches: one table file each would cost
 * more. */
enum { INGEST_BYTES_MIN = 4 << 20 };

struct ingest_lane {
    struct apply_lane base;
    struct haul_store *store;
    uint32_t family_id;
    uint64_t table_size_bytes;    /* ingest when the open file has reached this */
    struct memory_budget *budget; /* counts the open files of all streams; NULL: no limit */
    uint32_t file_count;
    struct haul_table *table; /* NULL: none open */
    char stem[APPLY_LANE_PATH_BYTES_MAX];
    char path[APPLY_LANE_PATH_BYTES_MAX + 16];
};

static struct ingest_lane *lane_of(struct apply_lane *base)
{
    return (struct ingest_lane *)base;
}

static bool suits_store(const struct haul_store *store, const char **why)
{
    uint32_t features = store->ops->features(store);
    *why = "the target cannot ingest table files: its followers read the log";
    return (features & HAUL_STORE_INGEST) != 0 && (features & HAUL_STORE_FOLLOWERS) == 0;
}

static bool suits_stream(const struct plan_family *family, const struct plan_stream *stream)
{
    return stream->bytes >= INGEST_BYTES_MIN &&
           strcmp(family->family.comparator, HAUL_COMPARATOR_BYTEWISE) == 0;
}

/* Files are named `<stem>-<number>.sst`. */
static enum haul_status create(const struct apply_lane_options *options, struct apply_lane **lane,
                               struct haul_error *error)
{
    struct ingest_lane *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a stream");
    }
    made->base.ops = apply_lane_table(HAUL_LANE_INGEST);
    made->store = options->store;
    made->family_id = options->family_id;
    made->table_size_bytes = options->table_size_bytes;
    made->budget = options->tables;
    int length = snprintf(made->stem, sizeof(made->stem), "%s", options->staging_stem);
    if (length < 0 || (size_t)length >= sizeof(made->stem)) {
        free(made);
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "the staging path is too long");
    }
    *lane = &made->base;
    return HAUL_OK;
}

/* Takes the open file out of the lane. */
static struct haul_table *take_table(struct ingest_lane *lane)
{
    struct haul_table *table = lane->table;
    lane->table = NULL;
    if (lane->budget != NULL) {
        memory_budget_give(lane->budget, 1);
    }
    return table;
}

static void destroy(struct apply_lane *base)
{
    struct ingest_lane *lane = lane_of(base);
    if (lane->table != NULL) {
        lane->store->ops->table_abandon(take_table(lane));
        (void)unlink(lane->path);
    }
    free(lane);
}

/* Open the next file. Errors: LIMIT, those of the store. */
static enum haul_status open_table(struct ingest_lane *lane, struct haul_error *error)
{
    if (lane->budget != NULL && !memory_budget_take(lane->budget, 1)) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0,
                              "more than %llu streams have an open table file",
                              (unsigned long long)lane->budget->bytes_max);
    }
    (void)snprintf(lane->path, sizeof(lane->path), "%s-%u.sst", lane->stem, lane->file_count);
    enum haul_status status = lane->store->ops->table_create(lane->store, lane->family_id,
                                                             lane->path, &lane->table, error);
    if (status == HAUL_OK) {
        lane->file_count++;
    } else if (lane->budget != NULL) {
        memory_budget_give(lane->budget, 1);
    }
    return status;
}

static enum haul_status put(struct apply_lane *base, struct haul_slice key, struct haul_slice value,
                            struct haul_error *error)
{
    struct ingest_lane *lane = lane_of(base);
    enum haul_status status = lane->table == NULL ? open_table(lane, error) : HAUL_OK;
    return status == HAUL_OK ? lane->store->ops->table_put(lane->table, key, value, error) : status;
}

/* The records are in the file already; they count once it is ingested. */
static enum haul_status commit(struct apply_lane *base, struct haul_slice batch,
                               uint32_t record_count, struct haul_error *error)
{
    (void)base;
    (void)batch;
    (void)record_count;
    (void)error;
    return HAUL_OK;
}

static bool is_full(const struct apply_lane *base, bool pauses)
{
    const struct ingest_lane *lane = (const struct ingest_lane *)base;
    (void)pauses;
    return lane->table != NULL &&
           lane->store->ops->table_size(lane->table) >= lane->table_size_bytes;
}

/* Each AGAIN comes after a flush; after this many the store makes no progress. */
enum { INGEST_TRIES_MAX = 8 };

static enum haul_status ingest(struct ingest_lane *lane, struct haul_error *error)
{
    const char *paths[] = {lane->path};
    enum haul_status status = HAUL_AGAIN;
    for (int i = 0; i < INGEST_TRIES_MAX && status == HAUL_AGAIN; i++) {
        status = lane->store->ops->table_ingest(lane->store, lane->family_id, paths, 1, error);
    }
    return status == HAUL_AGAIN
               ? haul_error_set(error, HAUL_STORE, "ingest", 0,
                                "the store keeps requesting a flush before it ingests %s",
                                lane->path)
               : status;
}

/* Finish and ingest the open file, if any. */
static enum haul_status flush(struct apply_lane *base, struct haul_error *error)
{
    struct ingest_lane *lane = lane_of(base);
    if (lane->table == NULL) {
        return HAUL_OK;
    }
    enum haul_status status = lane->store->ops->table_finish(take_table(lane), error);
    if (status == HAUL_OK) {
        status = ingest(lane, error);
    }
    if (status != HAUL_OK) {
        (void)unlink(lane->path);
    }
    return status;
}

extern const struct apply_lane_ops ingest_lane_ops;
const struct apply_lane_ops ingest_lane_ops = {
    .lane = HAUL_LANE_INGEST,
    .stages_files = true,
    .suits_store = suits_store,
    .suits_stream = suits_stream,
    .create = create,
    .put = put,
    .commit = commit,
    .is_full = is_full,
    .flush = flush,
    .destroy = destroy,
};
