/* SPDX-License-Identifier: Apache-2.0 */
/* sim_log.c — an array of batches. */
#include "sim_log.h"

#include <string.h>

#include "sim_memory.h"

void sim_log_append(struct sim_log *log, struct haul_slice batch, uint64_t sequence, uint32_t count)
{
    if (log->count == log->capacity) {
        size_t capacity = 2 * log->capacity + 64;
        log->at =
            sim_host_grow(log->at, log->count * sizeof(*log->at), capacity * sizeof(*log->at));
        log->capacity = capacity;
    }
    struct sim_log_entry *entry = &log->at[log->count++];
    *entry = (struct sim_log_entry){.sequence = sequence, .count = count, .size = batch.size};
    entry->bytes = sim_host_alloc(batch.size);
    memcpy(entry->bytes, batch.data, batch.size);
    put_u64(entry->bytes, sequence);
}

const struct sim_log_entry *sim_log_find(const struct sim_log *log, uint64_t sequence)
{
    size_t low = 0;
    size_t high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->at[middle].sequence + log->at[middle].count <= sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < log->count && log->at[low].sequence <= sequence &&
                 log->at[low].sequence >= log->first;
    return found ? &log->at[low] : NULL;
}

uint64_t sim_log_power_failure(struct sim_log *log, struct sim_random *random)
{
    while (log->count > 0 && log->at[log->count - 1].sequence > log->synced &&
           sim_random_below(random, 4) != 0) {
        log->count--;
    }
    uint64_t last = log->synced;
    if (log->count > 0) {
        const struct sim_log_entry *entry = &log->at[log->count - 1];
        uint64_t end = entry->sequence + entry->count - 1;
        last = end > last ? end : last;
    }
    log->synced = last;
    return last;
}
