/* SPDX-License-Identifier: Apache-2.0 */
/* freeze_limit.h — the single deadline of a freeze, and the number of freezes that a job may try.
 *
 * freeze_limit_begin sets the deadline and freeze_limit_end removes it. Nothing moves it in
 * between: neither a state of the session, nor a slow sync, nor a late answer.
 *
 * The decision waits for a lock only until the deadline. The time that a disk takes to make the
 * decision durable is not bounded, because the decision cannot be taken back.
 *
 * No clock, no I/O; times are monotonic nanoseconds. Thread: its owner's. */
#ifndef HAUL_FREEZE_LIMIT_H
#define HAUL_FREEZE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* The job gives up after this many freezes that ran into their deadline. */
enum { FREEZE_ATTEMPTS_MAX = 10 };

struct freeze_limit {
    uint64_t limit_ns;
    uint64_t deadline_ns; /* CLOCK_NEVER: writes are not frozen */
    uint64_t started_ns;  /* of the last freeze; 0: none */
    uint64_t ended_ns;
    uint32_t attempts;
};

void freeze_limit_init(struct freeze_limit *limit, uint32_t freeze_max_ms);
void freeze_limit_begin(struct freeze_limit *limit, uint64_t now_ns);
/* Writers continue, or the decision is known. */
void freeze_limit_end(struct freeze_limit *limit, uint64_t now_ns);

/* Are writes frozen? */
bool freeze_limit_is_on(const struct freeze_limit *limit);
/* Are writes frozen beyond the deadline? */
bool freeze_limit_is_over(const struct freeze_limit *limit, uint64_t now_ns);
/* No further freeze: FREEZE_ATTEMPTS_MAX have begun. */
bool freeze_limit_is_used_up(const struct freeze_limit *limit);

#endif
