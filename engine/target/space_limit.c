/* SPDX-License-Identifier: Apache-2.0 */
/* space_limit.c — compares free bytes with the bytes to come. */
#include "space_limit.h"

#include <inttypes.h>
#include <stdio.h>

#define KEEP_BYTES_MIN (UINT64_C(1) << 30)

enum { KEEP_SHARE = 20, KEEP_SHARE_MAX = 10, MEMORY_OVERHEAD_SHARE = 8, MIB_SHIFT = 20 };

static uint64_t bytes_kept(const struct haul_space *space, uint64_t keep_bytes)
{
    uint64_t usual = space->total_bytes / KEEP_SHARE;
    uint64_t most = space->total_bytes / KEEP_SHARE_MAX;
    usual = usual < KEEP_BYTES_MIN ? KEEP_BYTES_MIN : usual;
    usual = usual > most ? most : usual;
    return keep_bytes > 0 ? keep_bytes : usual;
}

/* False: unknown, so there is no limit. */
static bool look(struct haul_store *store, struct haul_space *space)
{
    struct haul_error ignored;
    return store->ops->space != NULL && store->ops->space(store, space, &ignored) == HAUL_OK;
}

static enum haul_status refuse(struct haul_error *error)
{
    haul_error_hint(error, "free some space there, then run the same commands again, or keep less "
                           "free with `haul recv --keep-free`");
    return HAUL_NO_SPACE;
}

static bool fits(const struct haul_space *space, uint64_t kept, uint64_t coming_bytes)
{
    return space->free_bytes >= kept && space->free_bytes - kept >= coming_bytes;
}

enum haul_status space_limit_check(struct haul_store *store, uint64_t keep_bytes,
                                   struct haul_error *error)
{
    struct haul_space space = {0};
    if (!look(store, &space)) {
        return HAUL_OK;
    }
    uint64_t kept = bytes_kept(&space, keep_bytes) + space.unwritten_bytes;
    if (fits(&space, kept, 0)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_NO_SPACE, NULL, 0,
                   "the target's disk runs out of space: %" PRIu64 " MiB are free, and %" PRIu64
                   " MiB are kept, %" PRIu64 " MiB of them for what is in memory; what has "
                   "arrived is kept, too",
                   space.free_bytes >> MIB_SHIFT, kept >> MIB_SHIFT,
                   space.unwritten_bytes >> MIB_SHIFT);
    return refuse(error);
}

/* At most what the plan's families hold in memory. The entries of a memory table have a header and
 * an index. */
static uint64_t memory_bytes(const struct haul_space *space, const struct plan *plan,
                             uint64_t coming_bytes)
{
    uint64_t records = coming_bytes + coming_bytes / MEMORY_OVERHEAD_SHARE;
    uint64_t most = space->family_memory_bytes * plan->family_count;
    return records < most ? records : most;
}

/* What the log takes beyond the plan's own size. Where a file has no room in advance, RocksDB
 * writes it without. */
static uint64_t log_excess_bytes(const struct haul_space *space, uint64_t coming_bytes)
{
    uint64_t ahead = space->log_ahead_bytes;
    return ahead <= space->free_bytes && ahead > coming_bytes ? ahead - coming_bytes : 0;
}

static uint64_t sum_of(uint64_t bytes, uint64_t more)
{
    return bytes + more < bytes ? UINT64_MAX : bytes + more;
}

uint64_t space_limit_plan_bytes(const struct plan *plan)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->stream_count; i++) {
        bytes = sum_of(bytes, plan->streams[i].bytes);
    }
    return bytes;
}

enum haul_status space_limit_check_plan(struct haul_store *store, uint64_t keep_bytes,
                                        const struct plan *plan, enum haul_lane lane,
                                        uint64_t others_bytes, struct haul_error *error)
{
    struct haul_space space = {0};
    if (!look(store, &space)) {
        return HAUL_OK;
    }
    uint64_t coming = space_limit_plan_bytes(plan);
    uint64_t memory = space.unwritten_bytes;
    /* A plan larger than the disk is refused without: the sums cannot overflow. */
    if (lane == HAUL_LANE_WRITE_BATCH && coming <= space.free_bytes) {
        memory += memory_bytes(&space, plan, coming) + log_excess_bytes(&space, coming);
    }
    uint64_t kept = bytes_kept(&space, keep_bytes) + memory;
    if (fits(&space, kept, sum_of(coming, others_bytes))) {
        return HAUL_OK;
    }
    char others[64] = "";
    if (others_bytes > 0) {
        (void)snprintf(others, sizeof(others), ", %" PRIu64 " MiB more of other jobs",
                       others_bytes >> MIB_SHIFT);
    }
    haul_error_set(error, HAUL_NO_SPACE, NULL, 0,
                   "no space for the plan: about %" PRIu64 " MiB are to come%s, and the target has "
                   "%" PRIu64 " MiB free, of which %" PRIu64 " MiB are kept, %" PRIu64
                   " MiB of them for the log and what is in memory",
                   coming >> MIB_SHIFT, others, space.free_bytes >> MIB_SHIFT, kept >> MIB_SHIFT,
                   memory >> MIB_SHIFT);
    return refuse(error);
}
