/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h — monotonic nanoseconds from an injectable struct. */
#ifndef HAUL_CLOCK_H
#define HAUL_CLOCK_H

#include <stdint.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000000 };
#define NS_PER_S UINT64_C(1000000000)

/* A deadline that never comes; only for waits that another deadline bounds. */
#define CLOCK_NEVER UINT64_MAX

struct haul_clock {
    uint64_t (*now_ns)(void *context);
    void *context;
};

/* The system's CLOCK_MONOTONIC. */
extern const struct haul_clock clock_monotonic;

static inline uint64_t clock_now_ns(const struct haul_clock *clock)
{
    return clock->now_ns(clock->context);
}

/* now + duration, saturating. Units: ms in, ns out. */
uint64_t clock_deadline_ns(const struct haul_clock *clock, uint64_t duration_ms);

/* Whole milliseconds until `deadline_ns`, rounded up, 0 when past, at most `ms_max`:
 * the form that poll(2) and epoll_wait(2) want. */
int clock_ms_until(const struct haul_clock *clock, uint64_t deadline_ns, int ms_max);

#endif
