/* SPDX-License-Identifier: Apache-2.0 */
/* retry_limit.c — reconnecting to a peer, for a limited time. */
#include "retry_limit.h"

#include "clock.h"

enum { PAUSE_MS_MIN = 100, PAUSE_MS_MAX = 2000 };

void retry_limit_init(struct retry_limit *limit, uint32_t retry_max_ms)
{
    *limit = (struct retry_limit){.limit_ns = (uint64_t)retry_max_ms * NS_PER_MS,
                                  .pause_ms = PAUSE_MS_MIN};
}

void retry_limit_note_up(struct retry_limit *limit, uint64_t mark, uint64_t now_ns)
{
    limit->up_ns = now_ns;
    if (mark > limit->mark) {
        limit->mark = mark;
        limit->until_ns = 0;
    }
}

bool retry_limit_allows(const struct retry_limit *limit, bool was_up, uint64_t now_ns)
{
    bool held = was_up && now_ns - limit->up_ns >= limit->limit_ns;
    return limit->limit_ns > 0 && (limit->until_ns == 0 || now_ns < limit->until_ns || held);
}

uint64_t retry_limit_next_ns(struct retry_limit *limit, uint64_t now_ns)
{
    if (limit->until_ns == 0 || now_ns >= limit->until_ns) {
        limit->until_ns = now_ns + limit->limit_ns;
        limit->pause_ms = PAUSE_MS_MIN;
    }
    uint64_t next_ns = now_ns + limit->pause_ms * NS_PER_MS;
    limit->pause_ms = limit->pause_ms * 2 < PAUSE_MS_MAX ? limit->pause_ms * 2 : PAUSE_MS_MAX;
    return next_ns;
}
