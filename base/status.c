/* SPDX-License-Identifier: Apache-2.0 */
/* status.c — names and sentences of the status list; formatting of errors. */
#include "haul/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "haul/text_escape.h"

const char *haul_status_name(enum haul_status status)
{
    switch (status) {
#define STATUS_NAME(name, value, sentence) \
    case HAUL_##name:                      \
        return #name;
        HAUL_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "UNKNOWN";
}

const char *haul_status_sentence(enum haul_status status)
{
    switch (status) {
#define STATUS_SENTENCE(name, value, sentence) \
    case HAUL_##name:                          \
        return sentence;
        HAUL_STATUS_LIST(STATUS_SENTENCE)
#undef STATUS_SENTENCE
    }
    return "unknown status";
}

static_assert(HAUL_ERROR_HINT_BYTES_MAX <= HAUL_ERROR_TEXT_BYTES_MAX, "both fit in one buffer");

/* Parts of the text come from peers and databases, and the embedder prints it. */
__attribute__((format(printf, 3, 0))) static void
format_safely(char *text, size_t text_size_bytes, const char *format, va_list arguments)
{
    char raw[HAUL_ERROR_TEXT_BYTES_MAX];
    (void)vsnprintf(raw, sizeof(raw), format, arguments);
    (void)haul_text_escape(raw, strlen(raw), text, text_size_bytes);
}

enum haul_status haul_error_set(struct haul_error *error, enum haul_status status, const char *call,
                                int code, const char *format, ...)
{
    if (error == NULL) {
        return status;
    }
    error->status = status;
    error->code = code;
    error->hint[0] = '\0';
    (void)snprintf(error->call, sizeof(error->call), "%s", call == NULL ? "" : call);
    va_list arguments;
    va_start(arguments, format);
    format_safely(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return status;
}

void haul_error_hint(struct haul_error *error, const char *format, ...)
{
    if (error == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    format_safely(error->hint, sizeof(error->hint), format, arguments);
    va_end(arguments);
}

void haul_error_format(const struct haul_error *error, char *line, unsigned long line_size_bytes)
{
    char cause[96] = "";
    char hint[HAUL_ERROR_HINT_BYTES_MAX + 8] = "";
    if (error->call[0] != '\0' && error->code > 0) {
        (void)snprintf(cause, sizeof(cause), ": %s: %s", error->call, strerror(error->code));
    } else if (error->call[0] != '\0') {
        (void)snprintf(cause, sizeof(cause), ": %s", error->call);
    }
    if (error->hint[0] != '\0') {
        (void)snprintf(hint, sizeof(hint), " (%s)", error->hint);
    }
    const char *text = error->text[0] != '\0' ? error->text : haul_status_sentence(error->status);
    (void)snprintf(line, line_size_bytes, "%s%s%s", text, cause, hint);
}
