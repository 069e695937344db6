/* SPDX-License-Identifier: Apache-2.0 */
/* thread_priority.h — makes the calling thread, and every thread that it starts, yield to others. A
 * migration is a guest in the process that owns the database: threads that serve the database's
 * users come first. A scheduling policy that somebody has chosen (chrt) is kept. */
#ifndef HAUL_THREAD_PRIORITY_H
#define HAUL_THREAD_PRIORITY_H

/* Never interrupt a running thread in order to run sooner (SCHED_BATCH); the share stays. */
void thread_priority_wait_turn(void);

/* And be content with a third of the share of others where the processors are busy. For work
 * that nobody waits for: a thread cannot take this back without privileges. */
void thread_priority_step_back(void);

#endif
