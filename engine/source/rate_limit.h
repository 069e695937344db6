/* SPDX-License-Identifier: Apache-2.0 */
/* rate_limit.h — a token bucket of bytes; the caller passes the time. Pure and exact: no rounding
 * accumulates. Time need not advance; time that goes backwards counts as standing still.
 *
 * A take may be larger than the burst: it waits for a full bucket and leaves a debt, so that any
 * size passes and the average still holds. Thread: one at a time. */
#ifndef HAUL_RATE_LIMIT_H
#define HAUL_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

/* Limit of the burst and of one take; keeps the arithmetic within 64 bits. */
#define RATE_LIMIT_BYTES_MAX (UINT64_C(4) << 30)

/* The burst of a rate: the bytes of RATE_BURST_MS, so that the rate holds over short spans too. */
enum { RATE_BURST_MS = 20 };
uint64_t rate_limit_burst(uint64_t bytes_per_s);

struct rate_limit {
    uint64_t bytes_per_s; /* 0: no limit */
    uint64_t burst_bytes;
    int64_t level;   /* billionths of a byte; below 0: debt */
    uint64_t now_ns; /* the time for which `level` is valid */
};

/* A full bucket. `burst_bytes` is 1 to RATE_LIMIT_BYTES_MAX. */
void rate_limit_init(struct rate_limit *limit, uint64_t bytes_per_s, uint64_t burst_bytes,
                     uint64_t now_ns);
/* Change the rate and the burst from `now_ns` on. Debt stays, and savings up to the new burst. */
void rate_limit_change(struct rate_limit *limit, uint64_t bytes_per_s, uint64_t burst_bytes,
                       uint64_t now_ns);
/* Take the bytes, at most RATE_LIMIT_BYTES_MAX. False: not available yet. */
bool rate_limit_take(struct rate_limit *limit, uint64_t bytes, uint64_t now_ns);
/* Put back bytes that were taken and not used. */
void rate_limit_give(struct rate_limit *limit, uint64_t bytes);
/* The time from which rate_limit_take(limit, bytes) succeeds; at most `now_ns`: at once. */
uint64_t rate_limit_ready_ns(const struct rate_limit *limit, uint64_t bytes, uint64_t now_ns);

#endif
