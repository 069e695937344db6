/* SPDX-License-Identifier: Apache-2.0 */
/* condition.h — a condition variable that waits by the monotonic clock. */
#ifndef HAUL_CONDITION_H
#define HAUL_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Destroyed by pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);

/* Wait until woken or until `deadline_ns` (monotonic; CLOCK_NEVER: for ever). False: the deadline
 * has passed. Deadline 0 returns at once: the system would set a timer, put the thread to sleep and
 * wake it up again. Wake-ups can be spurious: check the condition again. `lock` held. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t deadline_ns);

#endif
