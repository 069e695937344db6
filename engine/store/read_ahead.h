/* SPDX-License-Identifier: Apache-2.0 */
/* read_ahead.h — how far ahead scans read.
 *
 * RocksDB waits for each read, so from a disk a scan needs large ones. Out of the page cache they
 * only cost: the first bytes of a large one have left the processor's second-level cache before
 * they are used, the more so the more other threads do meanwhile. What a scan will meet is not
 * known; what the last one met is the best guess. Linux counts what each thread has read from a
 * disk. A long scan that caused nothing of that is followed by one with small reads. The first scan
 * of a view reads from a disk: a wrong guess costs a disk half its speed, and memory a few
 * hundredths of the processor's time.
 *
 * A file system that does not count (FUSE) is taken for memory.
 * Thread: any; a scan begins and ends in one. */
#ifndef HAUL_READ_AHEAD_H
#define HAUL_READ_AHEAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum read_ahead_source {
    READ_AHEAD_DISK,
    READ_AHEAD_MEMORY,
    READ_AHEAD_SOURCES, /* how many */
};

struct read_ahead {
    _Atomic enum read_ahead_source next; /* where the next scan will presumably read from */
};

size_t read_ahead_bytes(enum read_ahead_source source);

/* What the calling thread has read from a disk until now, in blocks of 512 bytes. */
int64_t read_ahead_disk_blocks(void);
/* A scan ends that has read this many bytes of records, and at whose beginning the calling thread
 * had read this many blocks. */
void read_ahead_note(struct read_ahead *ahead, uint64_t bytes, int64_t disk_blocks_before);

#endif
