/* SPDX-License-Identifier: Apache-2.0 */
/* move_log.h — the log of one move of a plan: its lines begin with its place, "moves[2]: ". */
#ifndef HAUL_MOVE_LOG_H
#define HAUL_MOVE_LOG_H

#include <stddef.h>

#include "haul/log.h"

struct move_log {
    struct haul_log log; /* borrows this struct */
    const struct haul_log *to;
    size_t index;
};

/* `to` is borrowed. The struct must stay where it is. */
void move_log_init(struct move_log *log, size_t index, const struct haul_log *to);

#endif
