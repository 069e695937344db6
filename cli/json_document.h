/* SPDX-License-Identifier: Apache-2.0 */
/* json_document.h — what all documents of --json have in common. A value is a json_t. */
#ifndef HAUL_JSON_DOCUMENT_H
#define HAUL_JSON_DOCUMENT_H

#include <stdint.h>

#include "haul/status.h"

struct json_t;

/* A text of any bytes. */
struct json_t *json_document_text(const char *text);
/* null for "". */
struct json_t *json_document_text_or_null(const char *text);
struct json_t *json_document_count(uint64_t value);
/* Takes over `value`. */
void json_document_set(struct json_t *object, const char *key, struct json_t *value);
void json_document_set_count(struct json_t *object, const char *key, uint64_t value);

/* null after success. */
struct json_t *json_document_error(const struct haul_error *error, int exit_code);
/* A document with the members that every command has. */
struct json_t *json_document_begin(const char *command, const struct haul_error *error,
                                   int exit_code);
/* Print one line on stdout, and free the document. */
void json_document_print(struct json_t *document);

#endif
