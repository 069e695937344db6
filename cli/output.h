/* SPDX-License-Identifier: Apache-2.0 */
/* output.h — writes to stderr: log lines, progress, the one error line. Other modules write results
 * and the JSON document to stdout. */
#ifndef HAUL_OUTPUT_H
#define HAUL_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>

#include "haul/log.h"
#include "haul/status.h"
#include "option_table.h"
#include "option_value.h"

/* The first member of every command's options. */
struct output_options {
    bool json;
    bool quiet;
    unsigned verbosity;
    bool log_time;
};

/* The rules for them, in every command's table. */
#define OUTPUT_OPTION_RULES                                                                   \
    {.name = "json",                                                                          \
     .help = "print one JSON document on stdout at the end, even on failure",                 \
     .group = "Output",                                                                       \
     OPTION_AT(option_flag, struct output_options, json)},                                    \
        {.name = "quiet",                                                                     \
         .letter = 'q',                                                                       \
         .help = "no progress, no summary, no warnings",                                      \
         OPTION_AT(option_flag, struct output_options, quiet)},                               \
        {.name = "verbose",                                                                   \
         .letter = 'v',                                                                       \
         .help = "more log lines; twice: every detail",                                       \
         OPTION_AT(option_count, struct output_options, verbosity)},                          \
    {                                                                                         \
        .name = "log-time", .help = "begin each line on stderr with the date and time (UTC)", \
        OPTION_AT(option_flag, struct output_options, log_time)                               \
    }

/* Writes whole lines, from any thread. */
struct output {
    const char *command; /* for messages; "" before a command is known */
    struct output_options options;
    pthread_mutex_t lock;
    bool terminal; /* stderr can show a bar */
    bool colour;
    bool bar_shown;
    unsigned bar_lines;  /* of output_bars, above the cursor */
    struct haul_log log; /* for the library */
};

void output_init(struct output *output, const char *command, const struct output_options *options);
void output_fini(struct output *output);

/* Print a line on stderr, after "haul: ". Not with --quiet. Thread: any. */
__attribute__((format(printf, 2, 3))) void output_line(struct output *output, const char *format,
                                                       ...);

/* The same, also with --quiet, because the user requested it. */
__attribute__((format(printf, 2, 3))) void output_answer(struct output *output, const char *format,
                                                         ...);

/* Draw `text` over the last bar; only if `terminal`. Thread: any. */
void output_bar(struct output *output, const char *text);
/* Draw several lines over the last ones; only if `terminal`. Thread: any. */
void output_bars(struct output *output, const char *const *lines, size_t count);
void output_bar_clear(struct output *output);
/* The width of the terminal that stderr is. */
unsigned output_columns(void);

/* Print exactly one line: "haul: error: what: why: what to do". Also with --quiet. Thread: any. */
void output_error(struct output *output, const struct haul_error *error);

/* The error's hint, or the general hint of its status; never empty for a failure. */
const char *output_hint(const struct haul_error *error);

#endif
