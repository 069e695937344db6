/* SPDX-License-Identifier: Apache-2.0 */
/* kept_log.h — keeps what the product logs, for suites that check its lines. Thread: one. */
#ifndef HAUL_TESTS_KEPT_LOG_H
#define HAUL_TESTS_KEPT_LOG_H

#include <stdio.h>
#include <string.h>

#include "haul/log.h"

static char kept_lines[16384];

/* The log's write: a line each, with its level; those that no longer fit are dropped. */
static inline void kept_log_write(void *context, enum haul_log_level level, const char *line)
{
    size_t used = strlen(kept_lines);
    (void)context;
    (void)snprintf(kept_lines + used, sizeof(kept_lines) - used, "%s: %s\n",
                   haul_log_level_name(level), line);
}

static const struct haul_log kept_log = {.write = kept_log_write, .level_max = HAUL_LOG_DEBUG};

/* Was this logged since the last call? Forgets all lines. `text` may begin with "LEVEL: ". */
static inline bool kept_log_had(const char *text)
{
    bool had = strstr(kept_lines, text) != NULL;
    kept_lines[0] = '\0';
    return had;
}

#endif
