/* SPDX-License-Identifier: Apache-2.0 */
/* rate_limit.c — the token bucket. One nanosecond adds bytes_per_s billionths of a byte, so all
 * arithmetic uses whole numbers. */
#include "rate_limit.h"

#include "assertion.h"

/* Level and debt: each at most 4 GiB in billionths of a byte, below 2^62.  */
_Static_assert(RATE_LIMIT_BYTES_MAX <= INT64_MAX / 2 / NS_PER_S, "levels fit into 63 bits");

static int64_t level_of(uint64_t bytes)
{
    return (int64_t)(bytes * NS_PER_S);
}

/* Nanoseconds until the level has risen to `wanted`. */
static uint64_t duration_ns(const struct rate_limit *limit, int64_t wanted)
{
    if (limit->level >= wanted) {
        return 0;
    }
    uint64_t missing = (uint64_t)wanted - (uint64_t)limit->level;
    return missing / limit->bytes_per_s + (missing % limit->bytes_per_s != 0);
}

static void advance(struct rate_limit *limit, uint64_t now_ns)
{
    if (now_ns <= limit->now_ns) {
        return;
    }
    uint64_t elapsed_ns = now_ns - limit->now_ns;
    int64_t full = level_of(limit->burst_bytes);
    limit->now_ns = now_ns;
    if (limit->bytes_per_s == 0 || elapsed_ns >= duration_ns(limit, full)) {
        limit->level = full;
    } else {
        limit->level += (int64_t)(elapsed_ns * limit->bytes_per_s);
    }
}

/* The level that is needed to take `bytes`. */
static int64_t wanted_level(const struct rate_limit *limit, uint64_t bytes)
{
    haul_assert(bytes <= RATE_LIMIT_BYTES_MAX);
    return level_of(bytes < limit->burst_bytes ? bytes : limit->burst_bytes);
}

uint64_t rate_limit_burst(uint64_t bytes_per_s)
{
    uint64_t burst = bytes_per_s / 1000 * RATE_BURST_MS;
    burst = burst > RATE_LIMIT_BYTES_MAX ? RATE_LIMIT_BYTES_MAX : burst;
    return burst == 0 ? 1 : burst;
}

void rate_limit_init(struct rate_limit *limit, uint64_t bytes_per_s, uint64_t burst_bytes,
                     uint64_t now_ns)
{
    haul_assert(burst_bytes > 0 && burst_bytes <= RATE_LIMIT_BYTES_MAX);
    limit->bytes_per_s = bytes_per_s;
    limit->burst_bytes = burst_bytes;
    limit->level = level_of(burst_bytes);
    limit->now_ns = now_ns;
}

void rate_limit_change(struct rate_limit *limit, uint64_t bytes_per_s, uint64_t burst_bytes,
                       uint64_t now_ns)
{
    haul_assert(burst_bytes > 0 && burst_bytes <= RATE_LIMIT_BYTES_MAX);
    advance(limit, now_ns);
    limit->bytes_per_s = bytes_per_s;
    limit->burst_bytes = burst_bytes;
    int64_t full = level_of(burst_bytes);
    limit->level = limit->level < full ? limit->level : full;
}

bool rate_limit_take(struct rate_limit *limit, uint64_t bytes, uint64_t now_ns)
{
    advance(limit, now_ns);
    if (limit->bytes_per_s == 0) {
        return true;
    }
    if (limit->level < wanted_level(limit, bytes)) {
        return false;
    }
    limit->level -= level_of(bytes);
    return true;
}

void rate_limit_give(struct rate_limit *limit, uint64_t bytes)
{
    haul_assert(bytes <= RATE_LIMIT_BYTES_MAX);
    if (limit->bytes_per_s > 0) {
        int64_t full = level_of(limit->burst_bytes);
        int64_t level = limit->level + level_of(bytes);
        limit->level = level < full ? level : full;
    }
}

uint64_t rate_limit_ready_ns(const struct rate_limit *limit, uint64_t bytes, uint64_t now_ns)
{
    if (limit->bytes_per_s == 0) {
        return now_ns;
    }
    uint64_t wait_ns = duration_ns(limit, wanted_level(limit, bytes));
    return limit->now_ns > CLOCK_NEVER - wait_ns ? CLOCK_NEVER : limit->now_ns + wait_ns;
}
