/* SPDX-License-Identifier: Apache-2.0 */
/* retry_limit.h — how long, and with which back-off, the source tries to reconnect to its target.
 *
 * The time runs from the first loss of the path. It starts anew when the restored path has made
 * durable progress, or has held for as long as the limit. A path that returns again and again
 * without any progress counts as lost. Pauses double from 100 ms to 2 s.
 *
 * No clock, no I/O; times are monotonic nanoseconds. Thread: its owner's. */
#ifndef HAUL_RETRY_LIMIT_H
#define HAUL_RETRY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct retry_limit {
    uint64_t limit_ns; /* 0: never try */
    uint64_t until_ns; /* 0: the path is up, or has made progress since it was lost */
    uint64_t pause_ms;
    uint64_t up_ns; /* when the path came up */
    uint64_t mark;  /* the durable progress at that time */
};

void retry_limit_init(struct retry_limit *limit, uint32_t retry_max_ms);

/* The path is up. `mark` grows with what the target holds durably. */
void retry_limit_note_up(struct retry_limit *limit, uint64_t mark, uint64_t now_ns);

/* The path is down: try again? `was_up`: it had been up until now. */
bool retry_limit_allows(const struct retry_limit *limit, bool was_up, uint64_t now_ns);

/* When the next attempt is due. */
uint64_t retry_limit_next_ns(struct retry_limit *limit, uint64_t now_ns);

#endif
