/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c — the system's monotonic clock and deadline arithmetic. */
#include "clock.h"

#include <time.h>

static uint64_t monotonic_now_ns(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

const struct haul_clock clock_monotonic = {.now_ns = monotonic_now_ns, .context = 0};

uint64_t clock_deadline_ns(const struct haul_clock *clock, uint64_t duration_ms)
{
    uint64_t now = clock_now_ns(clock);
    if (duration_ms > (CLOCK_NEVER - now) / NS_PER_MS) {
        return CLOCK_NEVER;
    }
    return now + duration_ms * NS_PER_MS;
}

int clock_ms_until(const struct haul_clock *clock, uint64_t deadline_ns, int ms_max)
{
    uint64_t now = clock_now_ns(clock);
    if (deadline_ns <= now) {
        return 0;
    }
    uint64_t left_ns = deadline_ns - now;
    uint64_t ms = left_ns / NS_PER_MS + (left_ns % NS_PER_MS != 0);
    return ms > (uint64_t)ms_max ? ms_max : (int)ms;
}
