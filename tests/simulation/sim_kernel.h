/* SPDX-License-Identifier: Apache-2.0 */
/* sim_kernel.h — processes, threads and time of a simulation.
 *
 * The product runs as it is: its threads are fibers, and the system calls that it makes (pthreads,
 * clock, descriptors, sockets, memory) are answered here and in the other sim_* files, put in place
 * by the linker's --wrap. One thing runs at a time; which one is chosen by chance, and time moves
 * on by a little with each step, or to the next deadline when nobody can run. */
#ifndef HAUL_SIM_KERNEL_H
#define HAUL_SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_memory.h"
#include "sim_random.h"

enum { SIM_HOST_COUNT_MAX = 8, SIM_PROCESS_COUNT = 16, SIM_THREAD_COUNT = 160 };

struct sim_process {
    const char *name;
    int host;
    bool alive;
    bool reads_only; /* it has no business to change the database */
    struct sim_heap heap;
    uint64_t generation;      /* grows with everything that a descriptor of it has to tell */
    uint64_t paused_until_ns; /* stopped, as by SIGSTOP */
    uint32_t thread_count;    /* not ended */
    void (*on_exit)(void *context);
    void *on_exit_context;
};

struct sim_kernel {
    struct sim_random *random;
    uint64_t now_ns;
    uint64_t steps;
    bool calm; /* no more faults */
    uint32_t preempt_parts; /* of ten thousand: how often an unlocked mutex is a place to switch */
    struct sim_process processes[SIM_PROCESS_COUNT];
};

extern struct sim_kernel sim_kernel;

void sim_kernel_init(struct sim_random *random);
/* All processes are gone. */
void sim_kernel_fini(void);

/* A new process whose first thread runs `entry`; it ends when that returns. */
struct sim_process *sim_process_start(const char *name, int host, void (*entry)(void *argument),
                                      void *argument);
/* Its threads stop where they are, its memory and descriptors go. */
void sim_process_kill(struct sim_process *process);
/* The one that runs; NULL: the simulation itself. */
struct sim_process *sim_process_current(void);

/* Let one thread go on to its next stop, or time to its next deadline, at most `until_ns`. False:
 * nothing can ever happen before that, and time is there now. */
bool sim_kernel_step(uint64_t until_ns);

/* --- from inside a thread --------------------------------------------------------------------- */

/* A place where others may run. */
void sim_yield(void);
/* Wait until the process's generation has moved on from `seen` and there are `wanted` events at the
 * descriptor, or time has come. */
void sim_wait_news(uint64_t seen, int fd, uint32_t wanted, uint64_t deadline_ns);
void sim_sleep(uint64_t duration_ns);

#endif
