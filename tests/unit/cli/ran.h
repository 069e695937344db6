/* SPDX-License-Identifier: Apache-2.0 */
/* ran.h — runs a command in this process and captures its exit code and output. Thread: one. */
#ifndef HAUL_TESTS_RAN_H
#define HAUL_TESTS_RAN_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "command.h"

enum { RAN_TEXT_BYTES_MAX = 16384, RAN_ARGUMENTS_MAX = 96 };

struct ran_stream {
    FILE *file;
    int kept;
    char text[RAN_TEXT_BYTES_MAX];
};

static struct {
    int exit_code;
    struct ran_stream out;
    struct ran_stream err;
} ran;

static inline void ran_catch(struct ran_stream *stream, FILE *from)
{
    stream->file = tmpfile();
    check_or_stop(stream->file != NULL && fflush(from) == 0);
    stream->kept = dup(fileno(from));
    check_or_stop(stream->kept >= 0 && dup2(fileno(stream->file), fileno(from)) >= 0);
}

static inline void ran_give_back(struct ran_stream *stream, FILE *from)
{
    (void)fflush(from);
    check_or_stop(dup2(stream->kept, fileno(from)) >= 0);
    (void)close(stream->kept);
    rewind(stream->file);
    stream->text[fread(stream->text, 1, sizeof(stream->text) - 1, stream->file)] = '\0';
    (void)fclose(stream->file);
}

/* For a test that captures by itself: ran_begin, the code that prints, ran_end. */
static inline void ran_begin(void)
{
    ran_catch(&ran.out, stdout);
    ran_catch(&ran.err, stderr);
}

static inline void ran_end(int exit_code)
{
    ran_give_back(&ran.out, stdout);
    ran_give_back(&ran.err, stderr);
    ran.exit_code = exit_code;
}

/* Run `command` with the arguments, separated by one space each. Returns the exit code. */
static inline int run(const struct command *command, const char *line)
{
    static char words[4096];
    char *arguments[RAN_ARGUMENTS_MAX] = {(char *)(uintptr_t)command->name};
    int count = 1;
    (void)snprintf(words, sizeof(words), "%s", line);
    char *rest = words;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        check_or_stop(count < RAN_ARGUMENTS_MAX - 1);
        if (word[0] != '\0') {
            arguments[count++] = word;
        }
    }
    ran_begin();
    ran_end(command->run(command, count, arguments));
    return ran.exit_code;
}

/* The output contains `part`; a failure shows the output. */
static inline void check_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        (void)printf("no '%s' in '%s'\n", part, text);
    }
    check(strstr(text, part) != NULL);
}

#endif
