/* SPDX-License-Identifier: Apache-2.0 */
/* table_lane.c — one open table file at a time, ingested when it is full. */
#include "table_lane.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum haul_status table_lane_init(struct table_lane *lane, struct haul_store *store,
                                 uint32_t family_id, const char *stem, struct haul_error *error)
{
    memset(lane, 0, sizeof(*lane));
    lane->store = store;
    lane->family_id = family_id;
    int length = snprintf(lane->stem, sizeof(lane->stem), "%s", stem);
    if (length < 0 || (size_t)length >= sizeof(lane->stem)) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "the staging path is too long");
    }
    return HAUL_OK;
}

/* The open file, which is not the lane's any more. */
static struct haul_table *take_table(struct table_lane *lane)
{
    struct haul_table *table = lane->table;
    lane->table = NULL;
    if (lane->budget != NULL) {
        memory_budget_give(lane->budget, 1);
    }
    return table;
}

void table_lane_fini(struct table_lane *lane)
{
    if (lane->table != NULL) {
        lane->store->ops->table_abandon(take_table(lane));
        (void)unlink(lane->path);
    }
}

/* Open the next file. Errors: LIMIT, those of the store. */
static enum haul_status open_table(struct table_lane *lane, struct haul_error *error)
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

enum haul_status table_lane_put(struct table_lane *lane, struct haul_slice key,
                                struct haul_slice value, struct haul_error *error)
{
    enum haul_status status = lane->table == NULL ? open_table(lane, error) : HAUL_OK;
    return status == HAUL_OK ? lane->store->ops->table_put(lane->table, key, value, error) : status;
}

bool table_lane_is_full(const struct table_lane *lane)
{
    return lane->table != NULL &&
           lane->store->ops->table_size(lane->table) >= lane->table_size_bytes;
}

/* Each AGAIN has flushed; more than a few are a store that does not come to an end. */
enum { INGEST_TRIES_MAX = 8 };

static enum haul_status ingest(struct table_lane *lane, struct haul_error *error)
{
    const char *paths[] = {lane->path};
    enum haul_status status = HAUL_AGAIN;
    for (int i = 0; i < INGEST_TRIES_MAX && status == HAUL_AGAIN; i++) {
        status = lane->store->ops->table_ingest(lane->store, lane->family_id, paths, 1, error);
    }
    return status == HAUL_AGAIN
               ? haul_error_set(error, HAUL_STORE, "ingest", 0,
                                "the store asks for a flush again and again before it takes %s",
                                lane->path)
               : status;
}

enum haul_status table_lane_flush(struct table_lane *lane, struct haul_error *error)
{
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
