/* SPDX-License-Identifier: Apache-2.0 */
/* human_size.c — formats bytes and times for people. */
#include "human_size.h"

#include <stdio.h>

void human_bytes(double bytes, char text[HUMAN_TEXT_BYTES_MAX])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    unsigned unit = 0;
    while (bytes >= 999.5 && unit < 5) {
        bytes /= 1000;
        unit++;
    }
    const char *format = unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s";
    (void)snprintf(text, HUMAN_TEXT_BYTES_MAX, format, bytes, units[unit]);
}

void human_seconds(double seconds, char text[HUMAN_TEXT_BYTES_MAX])
{
    if (seconds < 100) {
        (void)snprintf(text, HUMAN_TEXT_BYTES_MAX, "%.1f s", seconds);
        return;
    }
    double bounded = seconds < 3.6e9 ? seconds : 3.6e9;
    unsigned whole = (unsigned)bounded;
    unsigned hours = whole / 3600;
    unsigned minutes = whole / 60 % 60;
    if (hours == 0) {
        (void)snprintf(text, HUMAN_TEXT_BYTES_MAX, "%u:%02u min", minutes, whole % 60);
    } else {
        (void)snprintf(text, HUMAN_TEXT_BYTES_MAX, "%u:%02u:%02u h", hours, minutes, whole % 60);
    }
}
