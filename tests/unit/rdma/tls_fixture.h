/* SPDX-License-Identifier: Apache-2.0 */
/* tls_fixture.h — two ends of a TLS connection in one process, which feed each other, and
 * certificates for them.
 *
 * A test begins both ends with keys or certificates, carries what one puts out to the other, and
 * ends with finish_both. Steps that cannot fail stop the test if they do. */
#ifndef HAUL_TESTS_TLS_FIXTURE_H
#define HAUL_TESTS_TLS_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "made_certificate.h"
#include "tls_stream.h"

enum { SENT_BYTES_MAX = 256 << 10, REFUSAL_BYTES = 7 };

struct end {
    struct haul_keys *keys;
    struct tls_context *context;
    struct tls_stream *stream;
    enum haul_status status;      /* of the handshake */
    uint8_t sent[SENT_BYTES_MAX]; /* all that the other end has been fed */
    size_t sent_bytes;
};

extern struct end client, server;
extern struct haul_error error;
/* The answer to whatever goes wrong: handshake_failure, as a plain record. */
extern const uint8_t refusal[REFUSAL_BYTES];

/* --- certificates ----------------------------------------------------------------------------- */

/* `theirs` is the server's, db7.example and 127.0.0.1; `ours` the client's, a.example. `other` is
 * the test's own. */
extern struct made_certificate authority, ours, theirs, other;

void make_all(void);
void destroy_all(void);

/* --- ends ------------------------------------------------------------------------------------- */

/* Takes over `keys`. `host` NULL: none. */
void begin(struct end *end, enum tls_role role, struct haul_keys *keys, const char *host);
void finish(struct end *end);
void finish_both(void);

/* All that one end has put out reaches the other. */
void carry(struct end *from, struct end *to);
/* One step of the handshake, if it goes on. */
void step(struct end *end);
/* The handshake, until both ends have something other than AGAIN, or nothing moves. */
void shake_hands(void);
/* The last bytes that the end has sent are the refusal. */
void check_refusal_sent(const struct end *end);

#endif
