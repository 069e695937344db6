/* SPDX-License-Identifier: Apache-2.0 */
/* migration_wait.h — waits for the end of a migration, for tests that only need its status. */
#ifndef HAUL_MIGRATION_WAIT_H
#define HAUL_MIGRATION_WAIT_H

#include "haul/migration.h"

/* The status; TIMEOUT if it still runs after `timeout_ms`, and then `result` is unchanged. */
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
