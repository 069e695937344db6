/* SPDX-License-Identifier: Apache-2.0 */
/* migration_wait.h — a migration's end, for tests that want to know its status and nothing else. */
#ifndef HAUL_MIGRATION_WAIT_H
#define HAUL_MIGRATION_WAIT_H

#include "haul/migration.h"

/* The status; TIMEOUT, and `result` is as it was, when it still runs after `timeout_ms`. */
static inline enum haul_status migration_wait(struct haul_migration *migration, uint32_t timeout_ms,
                                              struct haul_result *result)
{
    if (!haul_migration_ended(migration, timeout_ms)) {
        return HAUL_TIMEOUT;
    }
    *result = *haul_migration_result(migration);
    return result->status;
}

#endif
