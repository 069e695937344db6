/* SPDX-License-Identifier: Apache-2.0 */
/* log.h — levelled log lines to a sink that the embedder owns. */
#ifndef HAUL_LOG_H
#define HAUL_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum haul_log_level {
    HAUL_LOG_ERROR = 0,
    HAUL_LOG_WARNING = 1,
    HAUL_LOG_INFO = 2,
    HAUL_LOG_DEBUG = 3,
};

/* A line has no newline and at most this many bytes; longer ones are cut. Control characters are
 * escaped (text_escape.h). */
enum { HAUL_LOG_LINE_BYTES_MAX = 768 };

/* Any of the library's threads may call `write`, several at the same time. A zeroed struct is a
 * valid sink that drops everything; with `write` alone it gets errors only. */
struct haul_log {
    void (*write)(void *context, enum haul_log_level level, const char *line);
    void *context;
    enum haul_log_level level_max;
};

/* A function with the name of a struct is no reason for a warning in C++ either. */
#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
/* Log one line when `level` is wanted. `log` may be NULL. Thread: any. */
__attribute__((format(printf, 3, 4))) void
haul_log(const struct haul_log *log, enum haul_log_level level, const char *format, ...);
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

/* "error", "warning", "info", "debug". */
const char *haul_log_level_name(enum haul_log_level level);

#ifdef __cplusplus
}
#endif

#endif
