/* SPDX-License-Identifier: Apache-2.0 */
/* move_log.c — puts the place of a move in front of each line. */
#include "move_log.h"

#include <stdio.h>

static void write_line(void *context, enum haul_log_level level, const char *line)
{
    const struct move_log *log = context;
    char named[HAUL_LOG_LINE_BYTES_MAX + 32];
    (void)snprintf(named, sizeof(named), "moves[%zu]: %s", log->index, line);
    log->to->write(log->to->context, level, named);
}

void move_log_init(struct move_log *log, size_t index, const struct haul_log *to)
{
    *log = (struct move_log){.to = to, .index = index};
    log->log = (struct haul_log){.write = write_line, .context = log, .level_max = to->level_max};
}
