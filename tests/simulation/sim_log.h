/* SPDX-License-Identifier: Apache-2.0 */
/* sim_log.h — the write-ahead log of a simulated database: it can be synced, purged and lost. */
#ifndef HAUL_SIM_LOG_H
#define HAUL_SIM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "sim_random.h"

struct sim_log_entry {
    uint64_t sequence; /* of its first record */
    uint32_t count;
    size_t size;
    uint8_t *bytes;
};

struct sim_log {
    struct sim_log_entry *at; /* by sequence */
    size_t count;
    size_t capacity;
    uint64_t synced; /* what the power cannot take */
    uint64_t first;  /* batches that begin before it were purged */
};

void sim_log_append(struct sim_log *log, struct haul_slice batch, uint64_t sequence,
                    uint32_t count);
/* The batch that holds the sequence number; NULL: none does. */
const struct sim_log_entry *sim_log_find(const struct sim_log *log, uint64_t sequence);
/* What was not synced is lost, but for what chance has saved; the last sequence number left. */
uint64_t sim_log_power_failure(struct sim_log *log, struct sim_random *random);

#endif
