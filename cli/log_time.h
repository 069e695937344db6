/* SPDX-License-Identifier: Apache-2.0 */
/* log_time.h — the time of day: in front of a log line, and for windows of hours. No interval is
 * computed from it. */
#ifndef HAUL_LOG_TIME_H
#define HAUL_LOG_TIME_H

enum { LOG_TIME_BYTES_MAX = 64 };

/* The current time, "2026-11-29T14:05:09.120Z ", by this host's clock. Thread: any. */
void log_time_format(char text[LOG_TIME_BYTES_MAX]);

/* The minute of the day, 0 to 1439, by this host's clock and time zone. Thread: any. */
unsigned log_time_minute(void);

#endif
