/* SPDX-License-Identifier: Apache-2.0 */
/* node_stream.h — a TCP connection to a node, with TLS or without. Every wait has a deadline. */
#ifndef HAUL_CLUSTER_NODE_STREAM_H
#define HAUL_CLUSTER_NODE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

/* How nodes are reached. Texts are borrowed. */
struct node_access {
    const char *password; /* NULL: none */
    bool tls;
    const char *ca_file;     /* NULL: the system's authorities */
    const char *certificate; /* of this side, with `private_key`; NULL: none */
    const char *private_key;
    uint32_t timeout_ms; /* to connect, for the handshake, and for a request with its answer */
};

struct node_stream;

/* Connect. `host` is a name or an address. Looking a name up is bounded by the system's resolver,
 * not by `timeout_ms`. Errors: UNREACHABLE, REFUSED, TIMEOUT, CLOSED, AUTH (TLS: a certificate does
 * not fit), INVALID (a certificate file cannot be used), LIMIT, NO_MEMORY, IO. */
enum haul_status node_stream_open(const char *host, uint16_t port, const struct node_access *access,
                                  struct node_stream **stream,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void node_stream_close(struct node_stream *stream);

/* Write all bytes of a request. Its time, and that of its answer, begins here. Errors: TIMEOUT,
 * CLOSED, IO. */
enum haul_status node_stream_write(struct node_stream *stream, const void *data, size_t size,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Read at least one byte of an answer. Errors: TIMEOUT, CLOSED, IO. */
enum haul_status node_stream_read(struct node_stream *stream, void *data, size_t size_max,
                                  size_t *size, struct haul_error *error) HAUL_MUST_CHECK;

#endif
