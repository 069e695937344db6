/* SPDX-License-Identifier: Apache-2.0 */
/* read_ahead.c — large reads from a disk, small ones out of memory. */
#include "read_ahead.h"

#include <sys/resource.h>

enum {
    DISK_BYTES = 2 << 20, /* docs/PERFORMANCE.md: 256 KiB halve the speed of a disk */
    MEMORY_BYTES = 256 << 10,
    LONG_SCAN_BYTES = 4 * DISK_BYTES, /* a shorter one may read what its planning had read */
};

size_t read_ahead_bytes(enum read_ahead_source source)
{
    return source == READ_AHEAD_MEMORY ? MEMORY_BYTES : DISK_BYTES;
}

int64_t read_ahead_disk_blocks(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_inblock : -1;
}

void read_ahead_note(struct read_ahead *ahead, uint64_t bytes, int64_t disk_blocks_before)
{
    int64_t disk_blocks = read_ahead_disk_blocks();
    if (disk_blocks < 0 || disk_blocks != disk_blocks_before) {
        atomic_store_explicit(&ahead->next, READ_AHEAD_DISK, memory_order_relaxed);
    } else if (bytes >= LONG_SCAN_BYTES) {
        atomic_store_explicit(&ahead->next, READ_AHEAD_MEMORY, memory_order_relaxed);
    }
}
