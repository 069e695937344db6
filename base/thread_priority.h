/* SPDX-License-Identifier: Apache-2.0 */
/* thread_priority.h — how the calling thread, and every thread that it starts, stands back behind
 * others. A migration is a guest in the process that owns the database: whoever serves that
 * database's users comes first. Where somebody has chosen a scheduling policy (chrt) all stays. */
#ifndef HAUL_THREAD_PRIORITY_H
#define HAUL_THREAD_PRIORITY_H

/* Never interrupt a running thread in order to run sooner (SCHED_BATCH); the share stays. */
void thread_priority_wait_turn(void);

/* And be content with a third of the share of others where the processors are busy. For work
 * that nobody waits for: a thread cannot take this back without privileges. */
void thread_priority_step_back(void);

#endif
