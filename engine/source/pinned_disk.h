/* SPDX-License-Identifier: Apache-2.0 */
/* pinned_disk.h — how much of the source's disk a job holds: log that it has still to send, and the
 * table files that are not removed meanwhile. Thread: the loop's. */
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
    uint64_t next_ns;   /* monotonic: measured at the earliest then */
};

/* Measure when it is time, but never for more than a small share of it: a look at a database of
 * many files takes long. */
void pinned_disk_measure(struct pinned_disk *disk, struct haul_store *store,
                         const struct haul_clock *clock);
bool pinned_disk_is_over(const struct pinned_disk *disk);
/* Set the error of a job that ends for it: STOPPED. */
void pinned_disk_explain(const struct pinned_disk *disk, struct haul_error *error);

#endif
