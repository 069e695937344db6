/* SPDX-License-Identifier: Apache-2.0 */
/* thread_priority.h — makes the calling thread, and every thread that it starts, yield to others. A
 * migration is a guest in the process that owns the database: threads that serve the database's
 * users come first. A scheduling policy that somebody has chosen (chrt) is kept. */
#ifndef HAUL_THREAD_PRIORITY_H
#define HAUL_THREAD_PRIORITY_H

/* Do not preempt a running thread on wake-up (SCHED_BATCH); the share of the processor stays. */
void thread_priority_wait_turn(void);

/* Also take only a third of the others' share while the processors are busy. For work that nobody
 * waits for: a thread cannot undo this without privileges. */
void thread_priority_step_back(void);

#endif
