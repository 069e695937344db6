/* SPDX-License-Identifier: Apache-2.0 */
/* sim_memory.h — whose memory is what in a simulation.
 *
 * Host memory (disks, databases, the simulation itself) comes from an arena that is emptied before
 * the next seed. What the product allocates belongs to the simulated process that runs: it can be
 * counted at its end, which finds leaks, and is freed when the process is killed. */
#ifndef HAUL_SIM_MEMORY_H
#define HAUL_SIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct sim_block;

struct sim_heap {
    struct sim_block *first;
    uint64_t count;   /* blocks in use */
    uint32_t fail_in; /* the n-th allocation from now fails; 0: none */
    uint64_t failures;
};

/* Zeroed; lives until sim_host_reset. */
void *sim_host_alloc(size_t size_bytes);
/* A larger piece with the same beginning. */
void *sim_host_grow(void *old, size_t old_bytes, size_t new_bytes);
void sim_host_reset(void);

/* Allocations go here from now on; NULL: to the system's own. */
void sim_heap_select(struct sim_heap *heap);
void sim_heap_free_all(struct sim_heap *heap);

#endif
