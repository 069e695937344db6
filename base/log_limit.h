/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.h — keeps events that anybody can cause, such as a refused connection, from filling
 * the log: the first few of a series get a line each, later lines stand for many. A series ends
 * when no event has occurred for a while.
 *
 * No clock, no I/O; times are monotonic nanoseconds. Thread: its owner's. */
#ifndef HAUL_LOG_LIMIT_H
#define HAUL_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_LIMIT_LINES = 8,     /* of a series, one line each */
    LOG_LIMIT_STEP = 256,    /* then one line for this many */
    LOG_LIMIT_QUIET_S = 600, /* a series ends after this long without an event */
};

/* Zeroed: no event yet. */
struct log_limit {
    uint64_t count;  /* of the series */
    uint64_t unsaid; /* since its last line */
    uint64_t last_ns;
};

/* Count one event. True: log it, together with the `*unsaid` events since the last line. */
bool log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint64_t *unsaid);

#endif
