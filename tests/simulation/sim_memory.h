/* SPDX-License-Identifier: Apache-2.0 */
/* sim_memory.h — accounts for the memory of a simulation.
 *
 * Host memory (disks, databases, the simulation itself) comes from an arena that is emptied before
 * the next seed. Memory that the product allocates belongs to the running simulated process: it is
 * counted when the process ends, which finds leaks, and released when the process is killed. */
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

/* Zeroed memory that lives until sim_host_reset. */
void *sim_host_alloc(size_t size_bytes);
/* A larger piece that begins with the same contents. */
void *sim_host_grow(void *old, size_t old_bytes, size_t new_bytes);
void sim_host_reset(void);

/* Charge allocations to this heap from now on; NULL: use the system's. */
void sim_heap_select(struct sim_heap *heap);
void sim_heap_free_all(struct sim_heap *heap);

#endif
