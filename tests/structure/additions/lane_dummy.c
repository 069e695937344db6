/* SPDX-License-Identifier: Apache-2.0 */
/* lane_dummy.c — a lane that additions.sh adds to a copy of the tree: each batch an atomic write,
 * as in lane_batch.c. */
#include <stdlib.h>

#include "apply_lane.h"

/* Sync the log after this many bytes: a resume repeats at most this much of a stream. Earlier in a
 * pause. */
enum { SYNC_BYTES = 32 << 20, SYNC_IN_PAUSE_BYTES = 256 << 10 };

struct dummy_lane {
    struct apply_lane base;
    struct haul_store *store;
    uint64_t unsynced_bytes;
};

static bool suits_store(const struct haul_store *store, const char **why)
{
    uint32_t features = store->ops->features(store);
    *why = "the dummy wants what tables want";
    return (features & HAUL_STORE_INGEST) != 0 && (features & HAUL_STORE_FOLLOWERS) == 0;
}

static bool suits_stream(const struct plan_family *family, const struct plan_stream *stream)
{
    (void)family;
    (void)stream;
    return true;
}

static enum haul_status create(const struct apply_lane_options *options, struct apply_lane **lane,
                               struct haul_error *error)
{
    struct dummy_lane *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a stream");
    }
    made->base.ops = apply_lane_table(HAUL_LANE_DUMMY);
    made->store = options->store;
    *lane = &made->base;
    return HAUL_OK;
}

static enum haul_status put(struct apply_lane *base, struct haul_slice key, struct haul_slice value,
                            struct haul_error *error)
{
    (void)base;
    (void)key;
    (void)value;
    (void)error;
    return HAUL_OK;
}

static enum haul_status commit(struct apply_lane *base, struct haul_slice batch,
                               uint32_t record_count, struct haul_error *error)
{
    struct dummy_lane *lane = (struct dummy_lane *)base;
    enum haul_status status = lane->store->ops->write(lane->store, batch, 0, error);
    lane->unsynced_bytes += batch.size;
    base->written_records += record_count;
    return status;
}

static bool is_full(const struct apply_lane *base, bool pauses)
{
    const struct dummy_lane *lane = (const struct dummy_lane *)base;
    return lane->unsynced_bytes >= (pauses ? SYNC_IN_PAUSE_BYTES : SYNC_BYTES);
}

/* The sync follows. */
static enum haul_status flush(struct apply_lane *base, struct haul_error *error)
{
    (void)error;
    ((struct dummy_lane *)base)->unsynced_bytes = 0;
    return HAUL_OK;
}

static void destroy(struct apply_lane *base)
{
    free(base);
}

extern const struct apply_lane_ops dummy_lane_ops;
const struct apply_lane_ops dummy_lane_ops = {
    .lane = HAUL_LANE_DUMMY,
    .syncs_log = true,
    .suits_store = suits_store,
    .suits_stream = suits_stream,
    .create = create,
    .put = put,
    .commit = commit,
    .is_full = is_full,
    .flush = flush,
    .destroy = destroy,
};
