/* SPDX-License-Identifier: Apache-2.0 */
/* output.c — lines and the progress bar on stderr, one writer at a time. */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "haul/text_escape.h"
#include "log_time.h"

enum { LINE_BYTES_MAX = 1024, TERMINAL_COLUMNS_DEFAULT = 80 };

static const char clear_line[] = "\r\033[K";

/* `lock` is held. */
static void clear_bars(struct output *output)
{
    if (output->bar_lines > 0) {
        (void)fprintf(stderr, "\r\033[%uA\033[J", output->bar_lines);
        output->bar_lines = 0;
    }
    if (output->bar_shown) {
        (void)fputs(clear_line, stderr);
        output->bar_shown = false;
    }
}

/* `lock` is held. Parts of a line come from peers and databases, so escape control characters. */
static void write_line(struct output *output, const char *prefix, const char *line)
{
    char safe[LINE_BYTES_MAX];
    char time[LOG_TIME_BYTES_MAX] = "";
    (void)haul_text_escape(line, strlen(line), safe, sizeof(safe));
    if (output->options.log_time) {
        log_time_format(time);
    }
    clear_bars(output);
    (void)fprintf(stderr, "%shaul: %s%s\n", time, prefix, safe);
    (void)fflush(stderr);
}

static void on_log(void *context, enum haul_log_level level, const char *line)
{
    struct output *output = context;
    char prefix[16];
    (void)snprintf(prefix, sizeof(prefix), "%s: ", haul_log_level_name(level));
    (void)pthread_mutex_lock(&output->lock);
    write_line(output, prefix, line);
    (void)pthread_mutex_unlock(&output->lock);
}

static enum haul_log_level level_of(const struct output_options *options)
{
    if (options->verbosity > 1) {
        return HAUL_LOG_DEBUG;
    }
    if (options->verbosity == 1) {
        return HAUL_LOG_INFO;
    }
    return options->quiet ? HAUL_LOG_ERROR : HAUL_LOG_WARNING;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0';
}

void output_init(struct output *output, const char *command, const struct output_options *options)
{
    const char *terminal = getenv("TERM");
    memset(output, 0, sizeof(*output));
    output->command = command;
    output->options = *options;
    (void)pthread_mutex_init(&output->lock, NULL);
    output->terminal = isatty(STDERR_FILENO) == 1 && !options->quiet && terminal != NULL &&
                       strcmp(terminal, "dumb") != 0;
    output->colour = output->terminal && !is_set("NO_COLOR");
    output->log =
        (struct haul_log){.write = on_log, .context = output, .level_max = level_of(options)};
}

void output_fini(struct output *output)
{
    output_bar_clear(output);
    (void)pthread_mutex_destroy(&output->lock);
}

static void print_line(struct output *output, const char *format, va_list arguments)
{
    char line[LINE_BYTES_MAX];
    (void)vsnprintf(line, sizeof(line), format, arguments);
    (void)pthread_mutex_lock(&output->lock);
    write_line(output, "", line);
    (void)pthread_mutex_unlock(&output->lock);
}

void output_line(struct output *output, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!output->options.quiet) {
        print_line(output, format, arguments);
    }
    va_end(arguments);
}

void output_answer(struct output *output, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(output, format, arguments);
    va_end(arguments);
}

void output_bar(struct output *output, const char *text)
{
    if (!output->terminal) {
        return;
    }
    (void)pthread_mutex_lock(&output->lock);
    (void)fprintf(stderr, "%s%s", clear_line, text);
    (void)fflush(stderr);
    output->bar_shown = true;
    (void)pthread_mutex_unlock(&output->lock);
}

void output_bars(struct output *output, const char *const *lines, size_t count)
{
    (void)pthread_mutex_lock(&output->lock);
    if (output->terminal) {
        clear_bars(output);
        for (size_t i = 0; i < count; i++) {
            char safe[LINE_BYTES_MAX];
            (void)haul_text_escape(lines[i], strlen(lines[i]), safe, sizeof(safe));
            (void)fprintf(stderr, "%s\n", safe);
        }
        output->bar_lines = (unsigned)count;
        (void)fflush(stderr);
    }
    (void)pthread_mutex_unlock(&output->lock);
}

void output_bar_clear(struct output *output)
{
    (void)pthread_mutex_lock(&output->lock);
    clear_bars(output);
    (void)fflush(stderr);
    (void)pthread_mutex_unlock(&output->lock);
}

unsigned output_columns(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : TERMINAL_COLUMNS_DEFAULT;
}

void output_error(struct output *output, const struct haul_error *error)
{
    struct haul_error bare = *error;
    char line[LINE_BYTES_MAX];
    bare.hint[0] = '\0';
    haul_error_format(&bare, line, sizeof(line));
    const char *hint = output_hint(error);
    size_t used = strlen(line);
    if (hint[0] != '\0') {
        (void)snprintf(line + used, sizeof(line) - used, ": %s", hint);
    }
    (void)pthread_mutex_lock(&output->lock);
    write_line(output, "error: ", line);
    (void)pthread_mutex_unlock(&output->lock);
}

/* A hint for an errno; NULL: the hint of the status is as good. Codes of verbs are not errno. */
static const char *hint_of_code(const struct haul_error *error)
{
    if (strncmp(error->call, "ibv_", 4) == 0 || strncmp(error->call, "rdma_", 5) == 0) {
        return NULL;
    }
    switch (error->code) {
    case EACCES:
    case EPERM:
        return "run haul as the user that owns the database";
    case EROFS:
        return "mount the database's file system for writing";
    case ENOLCK:
        return "the database's file system has no lock service: start it (NFS: rpc.statd), or "
               "use another file system";
    case EFBIG:
        return "raise the process's file size limit (ulimit -f)";
    case EMFILE:
        return "raise the process's descriptor limit (ulimit -n)";
    case ENFILE:
        return "raise the system's descriptor limit (sysctl fs.file-max)";
    case EDQUOT:
        return "free some of the quota, or have it raised";
    default:
        return NULL;
    }
}

const char *output_hint(const struct haul_error *error)
{
    static const char *const hints[] = {
        [HAUL_OK] = "",
        [HAUL_AGAIN] = "run it again",
        [HAUL_TIMEOUT] = "check the network and the load of both sides, or raise --peer-timeout",
        [HAUL_CLOSED] = "check the messages of the other side, then run it again",
        [HAUL_CANCELLED] = "nothing of it is kept; the source still has everything",
        [HAUL_INVALID] = "see 'haul --help'",
        [HAUL_UNSUPPORTED] = "choose another option, or another transport",
        [HAUL_NO_MEMORY] = "free some memory, or use fewer or smaller --slots and --links",
        [HAUL_LIMIT] = "raise the limit (ulimit -l, ulimit -n), or use fewer --slots and --links",
        [HAUL_IO] = "check the file system and the system log",
        [HAUL_NO_SPACE] = "free some space on the database's file system",
        [HAUL_NOT_FOUND] = "check the name",
        [HAUL_EXISTS] = "choose another name",
        [HAUL_BUSY] = "stop the other process, or wait until it ends",
        [HAUL_REFUSED] = "check that 'haul recv' runs there, on that port",
        [HAUL_UNREACHABLE] = "check the address, the route and the firewall",
        [HAUL_PROTOCOL] = "check that the other side runs a compatible haul",
        [HAUL_VERSION] = "compare 'haul version' on both sides",
        [HAUL_CORRUPT] = "the source is unchanged; check the hardware, then run it again",
        [HAUL_AUTH] = "both sides need the same key, or certificates that they trust",
        [HAUL_MISMATCH] =
            "create the target's column families like the source's, or choose others with --cf",
        [HAUL_FENCED] = "a newer job owns the range; nothing is left to do here",
        [HAUL_NOT_EMPTY] = "choose another range, or replace the target's: send --overwrite, recv "
                           "--allow-overwrite",
        [HAUL_GAP] = "start a new job, and keep the log longer",
        [HAUL_IN_DOUBT] = "run both sides again: the same command asks for the decision",
        [HAUL_STORE] = "check the database's LOG file",
        [HAUL_INTERNAL] = "please report this, with the output of -vv",
        [HAUL_STOPPED] = "run it again",
        [HAUL_UNCONFIRMED] = "repeat the command with --accept-two-owners if that cannot happen",
    };
    if (error->hint[0] != '\0') {
        return error->hint;
    }
    const char *of_code = hint_of_code(error);
    if (of_code != NULL) {
        return of_code;
    }
    size_t index = (size_t)error->status;
    return index < sizeof(hints) / sizeof(hints[0]) && hints[index] != NULL ? hints[index] : "";
}
