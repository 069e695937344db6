/* SPDX-License-Identifier: Apache-2.0 */
/* day_window.c — a window may pass midnight. */
#include "day_window.h"

#include <string.h>

enum { MINUTES_PER_HOUR = 60, HOURS = 24, TIME_BYTES = 5 };

/* "HH:MM"; 24:00 is midnight at the end. False: anything else. */
static bool parse_time(const char *text, uint16_t *minute)
{
    static const char form[] = "dd:dd";
    for (size_t i = 0; i < TIME_BYTES; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != ':') {
            return false;
        }
    }
    unsigned hours = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    unsigned minutes = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
    *minute = (uint16_t)(hours * MINUTES_PER_HOUR + minutes);
    return minutes < MINUTES_PER_HOUR && *minute <= HOURS * MINUTES_PER_HOUR;
}

enum haul_status option_window(const struct option_rule *rule, const char *text, void *target,
                               struct haul_error *error)
{
    struct day_window window = {.limited = true};
    if (strlen(text) != 2 * TIME_BYTES + 1 || text[TIME_BYTES] != '-' ||
        !parse_time(text, &window.first_minute) ||
        !parse_time(text + TIME_BYTES + 1, &window.end_minute) ||
        window.first_minute == window.end_minute) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "--%s: '%s' are no hours of the day",
                       rule->name, text);
        haul_error_hint(error, "--%s 22:00-06:00, by this host's local time", rule->name);
        return HAUL_INVALID;
    }
    *(struct day_window *)target = window;
    return HAUL_OK;
}

bool day_window_is_open(const struct day_window *window, unsigned minute)
{
    bool after = minute >= window->first_minute;
    bool before = minute < window->end_minute;
    bool over_midnight = window->end_minute < window->first_minute;
    return !window->limited || (over_midnight ? after || before : after && before);
}
