/* SPDX-License-Identifier: Apache-2.0 */
/* log_time.c — reads the wall clock. */
#include "log_time.h"

#include <stdio.h>
#include <time.h>

void log_time_format(char text[LOG_TIME_BYTES_MAX])
{
    struct timespec now = {0};
    struct tm parts = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)snprintf(text, LOG_TIME_BYTES_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ",
                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                   parts.tm_min, parts.tm_sec, (int)(now.tv_nsec / 1000000));
}

unsigned log_time_minute(void)
{
    struct timespec now = {0};
    struct tm parts = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &parts);
    return (unsigned)parts.tm_hour * 60 + (unsigned)parts.tm_min;
}
