/* SPDX-License-Identifier: Apache-2.0 */
/* sim_report.c — prints to stdout, with the simulated time. */
#include "sim_report.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "sim_kernel.h"

bool sim_verbose;
static const struct sim_options *current;

static void on_abort(int number)
{
    (void)number;
    if (current != NULL) {
        const struct sim_options *options = current;
        current = NULL;
        sim_options_print(options);
        printf("replay with: simulate --seed %" PRIu64 " --verbose\n", options->seed);
        (void)fflush(stdout);
    }
    _exit(1);
}

void sim_report_begin(const struct sim_options *options)
{
    current = options;
    (void)signal(SIGABRT, on_abort);
    (void)signal(SIGSEGV, on_abort);
}

static void print_time(void)
{
    printf("%12.6f %8" PRIu64 "  ", (double)sim_kernel.now_ns / (double)NS_PER_S, sim_kernel.steps);
}

void sim_say(const char *format, ...)
{
    if (!sim_verbose) {
        return;
    }
    va_list arguments;
    print_time();
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

void sim_fail(const char *invariant, const char *format, ...)
{
    va_list arguments;
    print_time();
    printf("VIOLATION of %s: ", invariant);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
    abort();
}

static void write_line(void *context, enum haul_log_level level, const char *line)
{
    sim_say("%s: %s: %s", (const char *)context, haul_log_level_name(level), line);
}

const struct haul_log *sim_report_log(int host)
{
    static char names[SIM_HOST_COUNT_MAX][2];
    static struct haul_log logs[SIM_HOST_COUNT_MAX];
    names[host][0] = (char)('a' + host);
    logs[host] =
        (struct haul_log){.write = write_line, .context = names[host], .level_max = HAUL_LOG_INFO};
    return &logs[host];
}
