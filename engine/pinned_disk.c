/* SPDX-License-Identifier: Apache-2.0 */
/* pinned_disk.c — asks the store once a second at most. */
#include "pinned_disk.h"

#include <inttypes.h>

enum {
    INTERVAL_MS = 1000,
    TIME_SHARE = 100, /* measuring takes at most one part of so many */
};

void pinned_disk_measure(struct pinned_disk *disk, struct haul_store *store,
                         const struct haul_clock *clock)
{
    uint64_t began_ns = clock_now_ns(clock);
    if (store->ops->pinned_bytes == NULL || began_ns < disk->next_ns) {
        return;
    }
    store->ops->pinned_bytes(store, &disk->log_bytes, &disk->table_bytes);
    uint64_t ended_ns = clock_now_ns(clock);
    uint64_t interval_ns = (uint64_t)INTERVAL_MS * NS_PER_MS;
    uint64_t long_ns = TIME_SHARE * (ended_ns - began_ns);
    disk->next_ns = ended_ns + (long_ns > interval_ns ? long_ns : interval_ns);
}

bool pinned_disk_is_over(const struct pinned_disk *disk)
{
    return disk->bytes_max > 0 && (disk->log_bytes > disk->bytes_max ||
                                   disk->table_bytes > disk->bytes_max - disk->log_bytes);
}

void pinned_disk_explain(const struct pinned_disk *disk, struct haul_error *error)
{
    haul_error_set(error, HAUL_STOPPED, NULL, 0,
                   "stopped: the job keeps %" PRIu64 " bytes of log and %" PRIu64
                   " of old table files on the source's disk, more than the %" PRIu64 " allowed",
                   disk->log_bytes, disk->table_bytes, disk->bytes_max);
    haul_error_hint(error, "run it again when fewer writes come, or with a higher limit "
                           "(--pinned-max); what has arrived at the target is kept there");
}
