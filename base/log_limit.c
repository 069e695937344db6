/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.c — counts what was not logged. */
#include "log_limit.h"

#include "clock.h"

bool log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint64_t *unsaid)
{
    if (limit->count > 0 && now_ns - limit->last_ns >= LOG_LIMIT_QUIET_S * NS_PER_S) {
        limit->count = 0;
    }
    limit->last_ns = now_ns;
    limit->count++;
    if (limit->count > LOG_LIMIT_LINES && limit->unsaid + 1 < LOG_LIMIT_STEP) {
        limit->unsaid++;
        return false;
    }
    *unsaid = limit->unsaid;
    limit->unsaid = 0;
    return true;
}
