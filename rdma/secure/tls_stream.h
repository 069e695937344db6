/* SPDX-License-Identifier: Apache-2.0 */
/* tls_stream.h — a connection's bytes under TLS 1.3, with a pre-shared key or with certificates of
 * both sides: pure, no I/O.
 *
 * X25519 and TLS_AES_256_GCM_SHA384; a key by psk_dhe_ke; no tickets, no early data. The caller
 * feeds what has arrived and sends what the stream puts out.
 *
 *   HANDSHAKE --Finished of both--> OPEN --close_notify--> ended
 *
 * A server answers every failed handshake with the same alert. With a key it does so after the same
 * work: an unknown id is checked against a random key. With certificates it looks at the verdict on
 * the client's only after the client's Finished: who does not have the private key of a certificate
 * does not learn whether it would do. What the client's takes to check shows in the time; the
 * caller hides it (tcp_pending.c). The client ends a handshake OPEN before the server has seen its
 * certificate, so its first tls_stream_read may return the refusal.
 *
 * Until the server has the whole ClientHello it holds no more than these bytes; the caller bounds
 * them (TLS_STREAM_HELLO_BYTES_MAX). The stream bounds what follows.
 * Thread: the owner's. */
#ifndef HAUL_TLS_STREAM_H
#define HAUL_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/key.h"
#include "haul/slice.h"
#include "haul/status.h"

enum tls_role {
    TLS_CONNECTS, /* uses the first key, or requires a name of the peer's certificate */
    TLS_ACCEPTS,  /* accepts every key, or every certificate, unless a name is pinned */
};

enum {
    TLS_STREAM_HELLO_BYTES_MAX = 2 << 10, /* this build's ClientHello has about 400 */
    /* All that a peer sends until the handshake is done: its certificates have most of it
     * (TLS_CERTIFICATES_BYTES_MAX), a signature up to 2 KiB. A larger one is refused. */
    TLS_STREAM_HANDSHAKE_BYTES_MAX = 18 << 10,
    TLS_STREAM_CAUSE_BYTES = 160,
    TLS_RECORD_HEAD_BYTES = 5, /* type, two of version, two of length */
    TLS_RECORD_HANDSHAKE = 0x16,
};

struct tls_context; /* what the streams of one side have in common */
struct tls_stream;

/* `keys` are borrowed for the life of the context and of its streams.
 * Errors: NO_MEMORY, INTERNAL (OpenSSL); those of tls_certificates_use. */
enum haul_status tls_context_create(enum tls_role role, const struct haul_keys *keys,
                                    struct tls_context **context,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Its streams may live on. NULL is allowed. */
void tls_context_destroy(struct tls_context *context);

/* The host that streams are to connect to; borrowed until the last one is created. It is the name
 * that a peer's certificate must have, unless the keys pin another. */
void tls_context_set_host(struct tls_context *context, const char *host);

/* Errors: NO_MEMORY; INVALID (certificates, and no name of the peer to connect to). */
enum haul_status tls_stream_create(struct tls_context *context, struct tls_stream **stream,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* NULL is allowed. */
void tls_stream_destroy(struct tls_stream *stream);

/* What a listener without a key answers to a ClientHello, too. */
struct haul_slice tls_refusal(void);

/* Take over bytes that have arrived. Errors: NO_MEMORY. */
enum haul_status tls_stream_feed(struct tls_stream *stream,
                                 struct haul_slice bytes) HAUL_MUST_CHECK;

/* Continue the handshake. OK: the peer has proved that it holds a key, or a certificate.
 * Errors: AGAIN (feed more), AUTH (it has not, or speaks no TLS; the refusal is in the output). */
enum haul_status tls_stream_handshake(struct tls_stream *stream,
                                      struct haul_error *error) HAUL_MUST_CHECK;

bool tls_stream_has_certificates(const struct tls_stream *stream);
/* Has the peer of a server done more than strangers can, unless tls_stream_handshake returns AUTH?
 * Its ClientHello has proved a key, or its handshake a certificate. */
bool tls_stream_is_proven(const struct tls_stream *stream);
/* Why the stream returned AUTH, for the log of this side: "does not trust ...", of the peer. */
void tls_stream_cause(const struct tls_stream *stream, char text[TLS_STREAM_CAUSE_BYTES]);

/* After the handshake. Plain bytes into `to`.
 * Errors: AGAIN, CLOSED (orderly end of the peer), CORRUPT (a record was changed on the way), AUTH
 * (the peer has refused the certificate of this side). */
enum haul_status tls_stream_read(struct tls_stream *stream, void *to, size_t size_bytes,
                                 size_t *got_bytes) HAUL_MUST_CHECK;
/* All of `plain`, for output. Errors: NO_MEMORY, CORRUPT (a read has met a changed record). */
enum haul_status tls_stream_write(struct tls_stream *stream,
                                  struct haul_slice plain) HAUL_MUST_CHECK;
/* Announce the orderly end. */
void tls_stream_end(struct tls_stream *stream);

/* What has to be sent; borrowed until the next call. Drop it when the kernel has it. */
struct haul_slice tls_stream_output(const struct tls_stream *stream);
void tls_stream_sent(struct tls_stream *stream, size_t size_bytes);

/* After the handshake: the id of the key, or the name in the peer's certificate; and bytes that
 * both sides, and nobody else, can derive (RFC 8446, 7.5). Errors of the latter: INTERNAL
 * (OpenSSL). */
const char *tls_stream_key_id(const struct tls_stream *stream);
enum haul_status tls_stream_export(struct tls_stream *stream, const char *label,
                                   struct haul_slice context, void *to,
                                   size_t size_bytes) HAUL_MUST_CHECK;

#endif
