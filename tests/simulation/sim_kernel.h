/* SPDX-License-Identifier: Apache-2.0 */
/* sim_kernel.h — processes, threads and time of a simulation.
 *
 * The product runs unchanged: its threads are fibers, and this file and the other sim_* files
 * answer its system calls (pthreads, clock, descriptors, sockets, memory), put in place by the
 * linker's --wrap. One thread runs at a time, chosen at random. Time advances a little with each
 * step, or to the next deadline when no thread can run. */
#ifndef HAUL_SIM_KERNEL_H
#define HAUL_SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_memory.h"
#include "sim_random.h"

enum { SIM_HOST_COUNT_MAX = 8, SIM_PROCESS_COUNT = 16, SIM_THREAD_COUNT = 256 };

struct sim_process {
    const char *name;
    int host;
    bool alive;
    bool reads_only; /* it must not change the database */
    struct sim_heap heap;
    uint64_t generation;      /* grows with each event at one of its descriptors */
    uint64_t paused_until_ns; /* stopped, as by SIGSTOP */
    uint32_t thread_count;    /* threads that have not ended */
    void (*on_exit)(void *context);
    void *on_exit_context;
};

struct sim_kernel {
    struct sim_random *random;
    uint64_t now_ns;
    uint64_t steps;
    bool calm; /* no more faults */
    uint32_t preempt_parts; /* of ten thousand: switches at an unlocked mutex */
    struct sim_process processes[SIM_PROCESS_COUNT];
};

extern struct sim_kernel sim_kernel;

void sim_kernel_init(struct sim_random *random);
/* End all processes. */
void sim_kernel_fini(void);

/* Start a process whose first thread runs `entry`; it ends when that returns. */
struct sim_process *sim_process_start(const char *name, int host, void (*entry)(void *argument),
                                      void *argument);
/* Kill the process: its threads never run again, its memory and descriptors are released. */
void sim_process_kill(struct sim_process *process);
/* The running process; NULL: the simulation itself. */
struct sim_process *sim_process_current(void);

/* Run one thread to its next stop, or advance time to the next deadline, at most to `until_ns`.
 * False: nothing can happen before that, and time has advanced to it. */
bool sim_kernel_step(uint64_t until_ns);

/* --- from inside a thread --------------------------------------------------------------------- */

/* A point where the scheduler may switch threads. */
void sim_yield(void);
/* Wait until the process's generation differs from `seen` and there are `wanted` events at the
 * descriptor, or until the deadline. */
void sim_wait_news(uint64_t seen, int fd, uint32_t wanted, uint64_t deadline_ns);
void sim_sleep(uint64_t duration_ns);

#endif
