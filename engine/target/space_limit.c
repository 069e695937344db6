/* SPDX-License-Identifier: Apache-2.0 */
/* space_limit.c — compares free bytes with the bytes to come. */
#include "space_limit.h"

#include <inttypes.h>

#define KEEP_BYTES_MIN (UINT64_C(1) << 30)

enum { KEEP_SHARE = 20, KEEP_SHARE_MAX = 10, MIB_SHIFT = 20 };

static uint64_t bytes_kept(const struct haul_space *space, uint64_t keep_bytes)
{
    uint64_t usual = space->total_bytes / KEEP_SHARE;
    uint64_t most = space->total_bytes / KEEP_SHARE_MAX;
    usual = usual < KEEP_BYTES_MIN ? KEEP_BYTES_MIN : usual;
    usual = usual > most ? most : usual;
    return keep_bytes > 0 ? keep_bytes : usual;
}

static enum haul_status check(struct haul_store *store, uint64_t keep_bytes, uint64_t coming_bytes,
                              struct haul_error *error)
{
    struct haul_space space = {0};
    struct haul_error ignored;
    if (store->ops->space == NULL || store->ops->space(store, &space, &ignored) != HAUL_OK) {
        return HAUL_OK;
    }
    uint64_t kept = bytes_kept(&space, keep_bytes) + space.unwritten_bytes;
    if (space.free_bytes >= kept && space.free_bytes - kept >= coming_bytes) {
        return HAUL_OK;
    }
    if (coming_bytes > 0) {
        haul_error_set(error, HAUL_NO_SPACE, NULL, 0,
                       "no space for the plan: about %" PRIu64 " MiB are to come, and the target "
                       "has %" PRIu64 " MiB free, of which %" PRIu64 " MiB are kept",
                       coming_bytes >> MIB_SHIFT, space.free_bytes >> MIB_SHIFT, kept >> MIB_SHIFT);
    } else {
        haul_error_set(error, HAUL_NO_SPACE, NULL, 0,
                       "the target's disk runs out of space: %" PRIu64 " MiB are free, and %" PRIu64
                       " MiB are kept, %" PRIu64 " MiB of them for what is in memory; what has "
                       "arrived is kept, too",
                       space.free_bytes >> MIB_SHIFT, kept >> MIB_SHIFT,
                       space.unwritten_bytes >> MIB_SHIFT);
    }
    haul_error_hint(error, "free some space there, then run the same commands again, or keep less "
                           "free with `haul recv --keep-free`");
    return HAUL_NO_SPACE;
}

enum haul_status space_limit_check(struct haul_store *store, uint64_t keep_bytes,
                                   struct haul_error *error)
{
    return check(store, keep_bytes, 0, error);
}

enum haul_status space_limit_check_plan(struct haul_store *store, uint64_t keep_bytes,
                                        const struct plan *plan, struct haul_error *error)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->stream_count; i++) {
        uint64_t more = plan->streams[i].bytes;
        bytes = bytes + more < bytes ? UINT64_MAX : bytes + more;
    }
    return check(store, keep_bytes, bytes, error);
}
