/* SPDX-License-Identifier: Apache-2.0 */
/* node_connection.h — commands to a Kvrocks node, and their answers. hiredis writes and reads the
 * protocol. */
#ifndef HAUL_CLUSTER_NODE_CONNECTION_H
#define HAUL_CLUSTER_NODE_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "node_stream.h"

enum { NODE_ANSWER_BYTES_MAX = 16 << 20, NODE_WORD_COUNT_MAX = 300 };

/* A text, or nothing. Of an array it is the last element: the value of CONFIG GET. */
struct node_answer {
    char *text; /* NULL: nil, or an empty array; an array in an array is "" */
    size_t size;
};

struct node_connection;

/* Connect and authenticate. Errors: those of node_stream_open; AUTH (wrong or missing password);
 * UNSUPPORTED (this build has no hiredis). */
enum haul_status node_connection_open(const char *host, uint16_t port,
                                      const struct node_access *access,
                                      struct node_connection **connection,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void node_connection_close(struct node_connection *connection);

/* Send one command of `count` words, at most NODE_WORD_COUNT_MAX, and wait for its answer.
 * Ownership: `answer->text` is the caller's (free); set on success only.
 * Errors: those of node_stream; AUTH (the node wants a password, or another one), AGAIN (it loads
 * its database), REFUSED (another error answer, with its text), PROTOCOL, LIMIT (more than
 * NODE_ANSWER_BYTES_MAX), NO_MEMORY. After an error the connection is for closing only, except
 * after AUTH, AGAIN and REFUSED. */
enum haul_status node_connection_call(struct node_connection *connection, const char *const *words,
                                      size_t count, struct node_answer *answer,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* The same for a command whose answer is an array of `number_count` integers that are not negative.
 * Errors: also PROTOCOL (another answer). */
enum haul_status node_connection_numbers(struct node_connection *connection,
                                         const char *const *words, size_t count, uint64_t *numbers,
                                         size_t number_count,
                                         struct haul_error *error) HAUL_MUST_CHECK;

#endif
