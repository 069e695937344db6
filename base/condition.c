/* SPDX-License-Identifier: Apache-2.0 */
/* condition.c — POSIX conditions with deadlines of the monotonic clock. */
#include "condition.h"

#include <time.h>

#include "clock.h"

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t deadline_ns)
{
    if (deadline_ns == 0) {
        return false;
    }
    if (deadline_ns == CLOCK_NEVER) {
        return pthread_cond_wait(condition, lock) == 0;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                             .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    return pthread_cond_timedwait(condition, lock, &until) == 0;
}
