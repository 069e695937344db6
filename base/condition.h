/* SPDX-License-Identifier: Apache-2.0 */
/* condition.h — a condition variable that waits by the monotonic clock. */
#ifndef HAUL_CONDITION_H
#define HAUL_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Destroyed by pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);

/* Wait until woken or `deadline_ns` (monotonic; CLOCK_NEVER: for ever); false when it has passed.
 * Deadline 0 is no wait at all: the system would set a timer, put the thread to sleep and wake it
 * up again. As ever, to be woken does not mean that what is waited for is so. `lock` held. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t deadline_ns);

#endif
