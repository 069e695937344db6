/* SPDX-License-Identifier: Apache-2.0 */
/* migration_options.c — parses --config-version. */
#include "migration_options.h"

enum haul_status option_config_version(const struct option_rule *rule, const char *text,
                                       void *target, struct haul_error *error)
{
    struct config_version *version = target;
    enum haul_status status = option_u64(rule, text, &version->value, error);
    version->given = version->given || status == HAUL_OK;
    return status;
}
