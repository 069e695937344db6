/* SPDX-License-Identifier: Apache-2.0 */
/* pinned_disk.h — how much of the source's disk a job pins: log that it has yet to send, and table
 * files that cannot be deleted meanwhile. Thread: the loop's. */
#ifndef HAUL_PINNED_DISK_H
#define HAUL_PINNED_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "haul/store.h"

struct pinned_disk {
    uint64_t log_bytes;
    uint64_t table_bytes;
    uint64_t bytes_max; /* 0: no limit */
    uint64_t next_ns;   /* monotonic: earliest time of the next measurement */
};

/* Measure if it is time. Measuring takes only a small share of the time, because it is slow for a
 * database with many files. */
void pinned_disk_measure(struct pinned_disk *disk, struct haul_store *store,
                         const struct haul_clock *clock);
bool pinned_disk_is_over(const struct pinned_disk *disk);
/* Set the error of a job that ends because of the limit: STOPPED. */
void pinned_disk_explain(const struct pinned_disk *disk, struct haul_error *error);

#endif
