/* SPDX-License-Identifier: Apache-2.0 */
/* node_connection_absent.c — node_connection.h in a build without hiredis. */
#include "node_connection.h"

enum haul_status node_connection_open(const char *host, uint16_t port,
                                      const struct node_access *access,
                                      struct node_connection **connection, struct haul_error *error)
{
    (void)host;
    (void)port;
    (void)access;
    *connection = NULL;
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build cannot talk to Kvrocks nodes");
    haul_error_hint(error, "build haul again with hiredis (Debian: libhiredis-dev)");
    return HAUL_UNSUPPORTED;
}

void node_connection_close(struct node_connection *connection)
{
    (void)connection;
}

enum haul_status node_connection_call(struct node_connection *connection, const char *const *words,
                                      size_t count, struct node_answer *answer,
                                      struct haul_error *error)
{
    (void)connection;
    (void)words;
    (void)count;
    *answer = (struct node_answer){NULL, 0};
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build has no hiredis");
}

enum haul_status node_connection_numbers(struct node_connection *connection,
                                         const char *const *words, size_t count, uint64_t *numbers,
                                         size_t number_count, struct haul_error *error)
{
    (void)connection;
    (void)words;
    (void)count;
    (void)numbers;
    (void)number_count;
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build has no hiredis");
}
