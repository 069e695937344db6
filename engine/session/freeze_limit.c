/* SPDX-License-Identifier: Apache-2.0 */
/* freeze_limit.c — a deadline that begin sets and end removes. */
#include "freeze_limit.h"

#include "clock.h"
#include "planted_bug.h"

void freeze_limit_init(struct freeze_limit *limit, uint32_t freeze_max_ms)
{
    *limit = (struct freeze_limit){.limit_ns = (uint64_t)freeze_max_ms * NS_PER_MS,
                                   .deadline_ns = CLOCK_NEVER};
}

void freeze_limit_begin(struct freeze_limit *limit, uint64_t now_ns)
{
    limit->attempts++;
    limit->started_ns = now_ns;
    limit->deadline_ns = now_ns + limit->limit_ns;
}

void freeze_limit_end(struct freeze_limit *limit, uint64_t now_ns)
{
    limit->ended_ns = now_ns;
    limit->deadline_ns = CLOCK_NEVER;
}

bool freeze_limit_is_on(const struct freeze_limit *limit)
{
    return limit->deadline_ns != CLOCK_NEVER;
}

bool freeze_limit_is_over(const struct freeze_limit *limit, uint64_t now_ns)
{
    return freeze_limit_is_on(limit) && now_ns >= limit->deadline_ns;
}

bool freeze_limit_is_used_up(const struct freeze_limit *limit)
{
    return limit->attempts >= FREEZE_ATTEMPTS_MAX && !HAUL_PLANTED_BUG(FREEZES_UNCOUNTED);
}
