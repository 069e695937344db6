/* SPDX-License-Identifier: Apache-2.0 */
/* thread_priority.c — the scheduling class and the niceness of a thread. */
#include "thread_priority.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Linux weighs five nice levels by 1.25 to the power of 5: 3.05 (sched(7)). */
enum { NICE_STEP = 5 };

static bool is_chosen(void)
{
    int policy = sched_getscheduler(0);
    return policy != SCHED_OTHER && policy != SCHED_BATCH;
}

void thread_priority_wait_turn(void)
{
    const struct sched_param none = {.sched_priority = 0};
    if (!is_chosen()) {
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
    }
}

void thread_priority_step_back(void)
{
    errno = 0;
    int nice_now = getpriority(PRIO_PROCESS, 0); /* on Linux: of the thread */
    if (!is_chosen() && errno == 0) {
        (void)setpriority(PRIO_PROCESS, 0, nice_now + NICE_STEP); /* at most 19 */
    }
}
