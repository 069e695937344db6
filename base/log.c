/* SPDX-License-Identifier: Apache-2.0 */
/* log.c — formats a line and passes it to the sink. */
#include "haul/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "haul/text_escape.h"

void haul_log(const struct haul_log *log, enum haul_log_level level, const char *format, ...)
{
    if (log == NULL || log->write == NULL || level > log->level_max) {
        return;
    }
    char line[HAUL_LOG_LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    /* Peers and databases supply parts of a line. */
    char safe[HAUL_LOG_LINE_BYTES_MAX];
    (void)haul_text_escape(line, strlen(line), safe, sizeof(safe));
    log->write(log->context, level, safe);
}

const char *haul_log_level_name(enum haul_log_level level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    return names[level];
}
