/* SPDX-License-Identifier: Apache-2.0 */
/* json_document.c — values that are always valid JSON, and one line for each document. */
#include "json_document.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "haul/text_escape.h"
#include "json_output.h"
#include "output.h"

/* jansson accepts valid UTF-8 only, but names and messages may hold any byte. The escape keeps
 * different names different. */
json_t *json_document_text(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    char clean[1024];
    (void)haul_text_escape(text, strlen(text), clean, sizeof(clean));
    return json_string(clean);
}

json_t *json_document_text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_document_text(text);
}

void json_document_set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

/* jansson's integers are signed: clamp larger values. */
json_t *json_document_count(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

void json_document_set_count(json_t *object, const char *key, uint64_t value)
{
    json_document_set(object, key, json_document_count(value));
}

json_t *json_document_error(const struct haul_error *error, int exit_code)
{
    if (error->status == HAUL_OK) {
        return json_null();
    }
    struct haul_error bare = *error;
    char message[1024];
    bare.hint[0] = '\0';
    haul_error_format(&bare, message, sizeof(message));
    json_t *object = json_object();
    json_document_set(object, "code", json_document_text(haul_status_name(error->status)));
    json_document_set(object, "message", json_document_text(message));
    json_document_set(object, "hint", json_document_text(output_hint(error)));
    json_document_set(object, "retryable", json_boolean(exit_code_is_retryable(exit_code)));
    return object;
}

json_t *json_document_begin(const char *command, const struct haul_error *error, int exit_code)
{
    json_t *document = json_object();
    json_document_set(document, "schema_version", json_integer(JSON_OUTPUT_SCHEMA_VERSION));
    json_document_set(document, "command", json_document_text(command));
    json_document_set(document, "status",
                      json_document_text(exit_code == EXIT_CODE_OK ? "ok" : "failed"));
    json_document_set(document, "exit_code", json_integer(exit_code));
    json_document_set(document, "error", json_document_error(error, exit_code));
    return document;
}

/* jansson does not escape DEL, and stdout may be a terminal. */
static int print_part(const char *text, size_t size, void *context)
{
    (void)context;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 0x7f) {
            (void)fputs("\\u007f", stdout);
        } else {
            (void)fputc(text[i], stdout);
        }
    }
    return 0;
}

/* Print one line, so that the last line of stdout is always the document. */
void json_document_print(json_t *document)
{
    (void)json_dump_callback(document, print_part, NULL,
                             JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII |
                                 JSON_REAL_PRECISION(9));
    (void)printf("\n");
    (void)fflush(stdout);
    json_decref(document);
}
