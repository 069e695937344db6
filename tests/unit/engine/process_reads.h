/* SPDX-License-Identifier: Apache-2.0 */
/* process_reads.h — what this process has read so far, from disks or from memory. */
#ifndef HAUL_PROCESS_READS_H
#define HAUL_PROCESS_READS_H

#include <stdint.h>
#include <stdio.h>

#include "check.h"

struct process_reads {
    unsigned long long bytes;
    unsigned long long calls;
};

static inline struct process_reads process_reads_now(void)
{
    struct process_reads reads = {0, 0};
    FILE *file = fopen("/proc/self/io", "re");
    check_or_stop(file != NULL);
    check_or_stop(fscanf(file, "rchar: %llu wchar: %*u syscr: %llu", &reads.bytes, &reads.calls) ==
                  2);
    (void)fclose(file);
    return reads;
}

#endif
