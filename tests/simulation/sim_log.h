/* SPDX-License-Identifier: Apache-2.0 */
/* sim_log.h — the write-ahead log of a simulated database, which can be synced, purged and lost. */
#ifndef HAUL_SIM_LOG_H
#define HAUL_SIM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "sim_random.h"

struct sim_log_entry {
    uint64_t sequence; /* sequence number of its first record */
    uint32_t count;
    size_t size;
    uint8_t *bytes;
};

struct sim_log {
    struct sim_log_entry *at; /* sorted by sequence number */
    size_t count;
    size_t capacity;
    uint64_t synced; /* durable up to here */
    uint64_t first;  /* batches that begin before it were purged */
};

void sim_log_append(struct sim_log *log, struct haul_slice batch, uint64_t sequence,
                    uint32_t count);
/* The batch that holds the sequence number; NULL: none. */
const struct sim_log_entry *sim_log_find(const struct sim_log *log, uint64_t sequence);
/* Lose what was not synced, except for what chance keeps; returns the last sequence number left. */
uint64_t sim_log_power_failure(struct sim_log *log, struct sim_random *random);

#endif
