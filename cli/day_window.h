/* SPDX-License-Identifier: Apache-2.0 */
/* day_window.h — hours of the day, "22:00-06:00", by this host's local time. */
#ifndef HAUL_DAY_WINDOW_H
#define HAUL_DAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "option_table.h"

/* Zeroed: the whole day. */
struct day_window {
    bool limited;
    uint16_t first_minute; /* of the day, included */
    uint16_t end_minute;   /* not included; before `first_minute`: on the next day */
};

/* Parse "HH:MM-HH:MM" into a struct day_window; for struct option_rule. Errors: INVALID. */
enum haul_status option_window(const struct option_rule *rule, const char *text, void *target,
                               struct haul_error *error);

bool day_window_is_open(const struct day_window *window, unsigned minute);

#endif
