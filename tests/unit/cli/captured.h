/* SPDX-License-Identifier: Apache-2.0 */
/* captured.h — captures what a function prints on a descriptor, for tests. Thread: one. */
#ifndef HAUL_TESTS_CAPTURED_H
#define HAUL_TESTS_CAPTURED_H

#include <stdio.h>
#include <unistd.h>

#include "check.h"

enum { CAPTURED_BYTES_MAX = 4096 };

static struct {
    FILE *file;
    FILE *stream;
    int kept;
    char text[CAPTURED_BYTES_MAX]; /* from the last captured_end */
} captured;

/* From here on, capture what goes to `stream` (stdout, stderr). */
static inline void captured_begin(FILE *stream)
{
    captured.file = tmpfile();
    captured.stream = stream;
    check_or_stop(captured.file != NULL && fflush(stream) == 0);
    captured.kept = dup(fileno(stream));
    check_or_stop(captured.kept >= 0 && dup2(fileno(captured.file), fileno(stream)) >= 0);
}

static inline const char *captured_end(void)
{
    (void)fflush(captured.stream);
    check_or_stop(dup2(captured.kept, fileno(captured.stream)) >= 0);
    (void)close(captured.kept);
    rewind(captured.file);
    captured.text[fread(captured.text, 1, sizeof(captured.text) - 1, captured.file)] = '\0';
    (void)fclose(captured.file);
    return captured.text;
}

#endif
