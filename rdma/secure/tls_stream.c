/* SPDX-License-Identifier: Apache-2.0 */
/* tls_stream.c — OpenSSL over two memory BIOs. */
#include "tls_stream.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "byte_queue.h"
#include "key_ring.h"
#include "tls_certificates.h"
#include "vector_registers.h"

enum { OUTPUT_PIECE_BYTES = 16 << 10 };

static const unsigned char aes_256_gcm_sha384[] = {0x13, 0x02};

/* handshake_failure, fatal, as a plain record: the answer to whatever goes wrong. */
static const uint8_t refusal[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};

struct tls_context {
    enum tls_role role;
    const struct haul_keys *keys;
    const char *host; /* NULL: none named */
    SSL_CTX *ssl;
};

struct tls_stream {
    const struct haul_keys *keys;
    const struct key_certificates *certificates; /* NULL: keys */
    const struct haul_key *key;              /* of this connection; NULL: none, or not known yet */
    char peer_name[KEY_PEER_NAME_BYTES_MAX]; /* in its certificate */
    long verdict;                            /* on the peer's certificate: the first X509_V_ERR_ */
    bool anonymous;                          /* the peer has no certificate */
    bool accepts;
    bool open;              /* the handshake is done */
    bool awaits_verdict;    /* open, and the peer may still refuse our certificate */
    size_t handshake_bytes; /* that the peer has sent so far */
    SSL *ssl;
    BIO *in;  /* owned by `ssl` */
    BIO *out; /* owned by `ssl` */
    struct byte_queue output;
    bool refused;
    bool broken; /* a record was changed on the way: nothing more is read or written */
};

/* --- the key ---------------------------------------------------------------------------------- */

/* NULL: no memory. Ownership: the caller's. */
static SSL_SESSION *session_of(SSL *ssl, const uint8_t secret[HAUL_KEY_SECRET_BYTES])
{
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes_256_gcm_sha384);
    SSL_SESSION *session = SSL_SESSION_new();
    bool ok = session != NULL && cipher != NULL &&
              SSL_SESSION_set1_master_key(session, secret, HAUL_KEY_SECRET_BYTES) == 1 &&
              SSL_SESSION_set_cipher(session, cipher) == 1 &&
              SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1;
    if (!ok) {
        SSL_SESSION_free(session);
        session = NULL;
    }
    return session;
}

static int use_key(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_bytes,
                   SSL_SESSION **session)
{
    (void)md; /* a ClientHello that is sent twice has the same key */
    struct tls_stream *stream = SSL_get_app_data(ssl);
    stream->key = key_ring_at(stream->keys, 0);
    *id = (const unsigned char *)stream->key->id;
    *id_bytes = strlen(stream->key->id);
    *session = session_of(ssl, stream->key->secret);
    return *session != NULL;
}

static int find_key(SSL *ssl, const unsigned char *id, size_t id_bytes, SSL_SESSION **session)
{
    struct tls_stream *stream = SSL_get_app_data(ssl);
    uint8_t unknown[HAUL_KEY_SECRET_BYTES];
    if (RAND_bytes(unknown, sizeof(unknown)) != 1) {
        return 0;
    }
    stream->key = key_ring_find(stream->keys, id, id_bytes);
    *session = session_of(ssl, stream->key != NULL ? stream->key->secret : unknown);
    return *session != NULL;
}

/* --- certificates ----------------------------------------------------------------------------- */

/* A client stops at once: a false server does not get its certificate. A server goes on, so the
 * client must prove that the certificate is its own before the verdict shows. */
static int note_verdict(int ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_stream *stream = SSL_get_app_data(ssl);
    if (ok != 1 && stream->verdict == X509_V_OK) {
        stream->verdict = X509_STORE_CTX_get_error(store);
    }
    return ok == 1 || stream->accepts;
}

/* The handshake is done. */
static bool has_good_certificate(struct tls_stream *stream)
{
    const X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
    stream->anonymous = certificate == NULL;
    if (stream->anonymous || stream->verdict != X509_V_OK ||
        SSL_get_verify_result(stream->ssl) != X509_V_OK || SSL_session_reused(stream->ssl) == 1) {
        return false;
    }
    tls_certificates_name(certificate, stream->peer_name);
    return true;
}

static enum haul_status configure_certificates(const struct tls_context *context,
                                               struct haul_error *error)
{
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, note_verdict);
    return tls_certificates_use(context->ssl, key_ring_certificates(context->keys), error);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool configure(const struct tls_context *context)
{
    SSL_CTX *ssl = context->ssl;
    bool ok = SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_ciphersuites(ssl, "TLS_AES_256_GCM_SHA384") == 1 &&
              SSL_CTX_set1_groups_list(ssl, "X25519") == 1 && SSL_CTX_set_num_tickets(ssl, 0) == 1;
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    if (key_ring_certificates(context->keys) != NULL) {
        return ok;
    }
    if (context->role == TLS_CONNECTS) {
        /* A server that offers a certificate instead of the key has none that is trusted. */
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_psk_use_session_callback(ssl, use_key);
    } else {
        SSL_CTX_set_psk_find_session_callback(ssl, find_key);
    }
    return ok;
}

enum haul_status tls_context_create(enum tls_role role, const struct haul_keys *keys,
                                    struct tls_context **created, struct haul_error *error)
{
    *created = NULL;
    struct tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for TLS");
    }
    context->role = role;
    context->keys = keys;
    ERR_clear_error();
    context->ssl = SSL_CTX_new(TLS_method());
    if (context->ssl == NULL || !configure(context)) {
        char text[120];
        ERR_error_string_n(ERR_get_error(), text, sizeof(text));
        ERR_clear_error();
        tls_context_destroy(context);
        return haul_error_set(error, HAUL_INTERNAL, "SSL_CTX_new", 0, "TLS cannot be set up: %s",
                              text);
    }
    if (key_ring_certificates(keys) != NULL) {
        enum haul_status status = configure_certificates(context, error);
        vector_registers_wipe(); /* OpenSSL has read the private key */
        if (status != HAUL_OK) {
            tls_context_destroy(context);
            return status;
        }
    }
    *created = context;
    return HAUL_OK;
}

void tls_context_set_host(struct tls_context *context, const char *host)
{
    context->host = host;
}

void tls_context_destroy(struct tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ssl);
        free(context);
    }
}

static bool open_ssl(struct tls_stream *stream, const struct tls_context *context)
{
    stream->ssl = SSL_new(context->ssl);
    stream->in = BIO_new(BIO_s_mem());
    stream->out = BIO_new(BIO_s_mem());
    if (stream->ssl == NULL || stream->in == NULL || stream->out == NULL) {
        BIO_free(stream->in);
        BIO_free(stream->out);
        return false;
    }
    (void)BIO_set_mem_eof_return(stream->in, -1); /* empty is not the end */
    SSL_set_bio(stream->ssl, stream->in, stream->out);
    SSL_set_app_data(stream->ssl, stream);
    if (context->role == TLS_CONNECTS) {
        SSL_set_connect_state(stream->ssl);
    } else {
        SSL_set_accept_state(stream->ssl);
    }
    return true;
}

/* A client always requires a name, a server only a pinned one. */
static enum haul_status expect_name(const struct tls_stream *stream,
                                    const struct tls_context *context, struct haul_error *error)
{
    const char *pinned = stream->certificates != NULL ? stream->certificates->peer_name : NULL;
    if (stream->certificates == NULL || (pinned == NULL && stream->accepts)) {
        return HAUL_OK;
    }
    return tls_certificates_expect(stream->ssl, pinned != NULL ? pinned : context->host, error);
}

enum haul_status tls_stream_create(struct tls_context *context, struct tls_stream **created,
                                   struct haul_error *error)
{
    *created = NULL;
    struct tls_stream *stream = calloc(1, sizeof(*stream));
    enum haul_status status = HAUL_NO_MEMORY;
    if (stream != NULL) {
        stream->keys = context->keys;
        stream->certificates = key_ring_certificates(context->keys);
        stream->accepts = context->role == TLS_ACCEPTS;
        stream->verdict = X509_V_OK;
        status = open_ssl(stream, context) ? HAUL_OK : HAUL_NO_MEMORY;
    }
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "no memory for a TLS stream");
    } else {
        status = expect_name(stream, context, error);
    }
    if (status != HAUL_OK) {
        ERR_clear_error();
        tls_stream_destroy(stream);
        return status;
    }
    *created = stream;
    return HAUL_OK;
}

void tls_stream_destroy(struct tls_stream *stream)
{
    if (stream != NULL) {
        SSL_free(stream->ssl);
        byte_queue_fini(&stream->output);
        free(stream);
    }
}

/* --- bytes ------------------------------------------------------------------------------------ */

enum haul_status tls_stream_feed(struct tls_stream *stream, struct haul_slice bytes)
{
    size_t written = 0;
    if (!stream->open) {
        stream->handshake_bytes += bytes.size;
        if (stream->handshake_bytes > TLS_STREAM_HANDSHAKE_BYTES_MAX) {
            return HAUL_OK; /* the handshake will be refused */
        }
    }
    bool ok = bytes.size == 0 || (BIO_write_ex(stream->in, bytes.data, bytes.size, &written) == 1 &&
                                  written == bytes.size);
    return ok ? HAUL_OK : HAUL_NO_MEMORY;
}

struct haul_slice tls_refusal(void)
{
    return (struct haul_slice){.data = refusal, .size = sizeof(refusal)};
}

static enum haul_status append(struct byte_queue *queue, const void *bytes, size_t size)
{
    enum haul_status status = byte_queue_reserve(queue, byte_queue_size(queue) + size);
    if (status == HAUL_OK) {
        memcpy(queue->bytes + queue->end, bytes, size);
        queue->end += size;
    }
    return status;
}

/* What OpenSSL has put out becomes output. */
static enum haul_status collect(struct tls_stream *stream)
{
    uint8_t piece[OUTPUT_PIECE_BYTES];
    size_t size = 0;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && BIO_read_ex(stream->out, piece, sizeof(piece), &size) == 1) {
        status = append(&stream->output, piece, size);
    }
    return status;
}

void tls_stream_cause(const struct tls_stream *stream, char text[TLS_STREAM_CAUSE_BYTES])
{
    if (stream->certificates == NULL) {
        (void)snprintf(text, TLS_STREAM_CAUSE_BYTES, "does not have the key");
    } else if (stream->verdict != X509_V_OK) {
        (void)snprintf(text, TLS_STREAM_CAUSE_BYTES, "shows a certificate that is not trusted: %s",
                       X509_verify_cert_error_string(stream->verdict));
    } else if (stream->anonymous) {
        (void)snprintf(text, TLS_STREAM_CAUSE_BYTES, "shows no certificate");
    } else {
        (void)snprintf(text, TLS_STREAM_CAUSE_BYTES,
                       "does not trust the certificate of this side, or has none");
    }
}

/* The peer has no key, or it is no TLS: whatever it was, the answer is the same. */
static enum haul_status refuse(struct tls_stream *stream, struct haul_error *error)
{
    ERR_clear_error();
    if (!stream->refused) {
        stream->refused = true;
        (void)BIO_reset(stream->out); /* OpenSSL's alert, which tells the cases apart */
        (void)append(&stream->output, refusal, sizeof(refusal));
    }
    char cause[TLS_STREAM_CAUSE_BYTES];
    tls_stream_cause(stream, cause);
    return haul_error_set(error, HAUL_AUTH, NULL, 0, "the peer %s", cause);
}

/* OpenSSL keeps the key, or what would resume the session, for tickets, of which there are none. */
static void forget_secret(const struct tls_stream *stream)
{
    static const uint8_t nothing[HAUL_KEY_SECRET_BYTES];
    (void)SSL_SESSION_set1_master_key(SSL_get_session(stream->ssl), nothing, sizeof(nothing));
}

/* The key, not a certificate, has authenticated the peer. */
static bool has_key(const struct tls_stream *stream)
{
    return stream->key != NULL && SSL_session_reused(stream->ssl) == 1;
}

enum haul_status tls_stream_handshake(struct tls_stream *stream, struct haul_error *error)
{
    if (stream->refused || stream->handshake_bytes > TLS_STREAM_HANDSHAKE_BYTES_MAX) {
        return refuse(stream, error);
    }
    ERR_clear_error();
    int done = SSL_do_handshake(stream->ssl);
    vector_registers_wipe(); /* OpenSSL has copied the key */
    if (done != 1 && SSL_get_error(stream->ssl, done) != SSL_ERROR_WANT_READ) {
        return refuse(stream, error);
    }
    bool by_certificate = stream->certificates != NULL;
    if (done == 1 && !(by_certificate ? has_good_certificate(stream) : has_key(stream))) {
        return refuse(stream, error);
    }
    if (done == 1) {
        stream->open = true;
        stream->awaits_verdict = by_certificate && !stream->accepts;
        forget_secret(stream);
    }
    enum haul_status status = collect(stream);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "no memory for a TLS handshake");
    }
    return done == 1 ? HAUL_OK
                     : haul_error_set(error, HAUL_AGAIN, NULL, 0, "the handshake goes on");
}

bool tls_stream_has_certificates(const struct tls_stream *stream)
{
    return stream->certificates != NULL;
}

bool tls_stream_is_proven(const struct tls_stream *stream)
{
    return stream->certificates != NULL ? stream->open : stream->key != NULL;
}

/* The server's verdict on our certificate: its first record is the refusal (AUTH), perhaps in part
 * (AGAIN), or shows by what it holds that we are let in (OK). */
static enum haul_status await_verdict(const struct tls_stream *stream)
{
    char *bytes = NULL;
    long size = stream->awaits_verdict ? BIO_get_mem_data(stream->in, &bytes) : 0;
    size_t compared = size < (long)sizeof(refusal) ? (size_t)size : sizeof(refusal);
    if (size <= 0 || memcmp(bytes, refusal, compared) != 0) {
        return HAUL_OK;
    }
    return compared < sizeof(refusal) ? HAUL_AGAIN : HAUL_AUTH;
}

enum haul_status tls_stream_read(struct tls_stream *stream, void *to, size_t size_bytes,
                                 size_t *got_bytes)
{
    ERR_clear_error();
    *got_bytes = 0;
    enum haul_status verdict = await_verdict(stream);
    if (verdict != HAUL_OK) {
        return verdict;
    }
    if (SSL_read_ex(stream->ssl, to, size_bytes, got_bytes) == 1) {
        stream->awaits_verdict = false;
        return HAUL_OK;
    }
    int cause = SSL_get_error(stream->ssl, 0);
    ERR_clear_error();
    if (cause == SSL_ERROR_WANT_READ) {
        return HAUL_AGAIN;
    }
    stream->broken = cause != SSL_ERROR_ZERO_RETURN;
    return stream->broken ? HAUL_CORRUPT : HAUL_CLOSED;
}

enum haul_status tls_stream_write(struct tls_stream *stream, struct haul_slice plain)
{
    if (stream->broken) {
        return HAUL_CORRUPT;
    }
    ERR_clear_error();
    size_t written = 0;
    bool ok =
        plain.size == 0 ||
        (SSL_write_ex(stream->ssl, plain.data, plain.size, &written) == 1 && written == plain.size);
    ERR_clear_error();
    return ok ? collect(stream) : HAUL_NO_MEMORY;
}

void tls_stream_end(struct tls_stream *stream)
{
    if (!stream->refused && SSL_is_init_finished(stream->ssl)) {
        (void)SSL_shutdown(stream->ssl);
        ERR_clear_error();
        (void)collect(stream);
    }
}

struct haul_slice tls_stream_output(const struct tls_stream *stream)
{
    const struct byte_queue *output = &stream->output;
    size_t size = byte_queue_size(output);
    return (struct haul_slice){.data = size > 0 ? output->bytes + output->begin : NULL,
                               .size = size};
}

void tls_stream_sent(struct tls_stream *stream, size_t size_bytes)
{
    byte_queue_drop(&stream->output, size_bytes);
}

const char *tls_stream_key_id(const struct tls_stream *stream)
{
    return stream->certificates != NULL ? stream->peer_name : stream->key->id;
}

enum haul_status tls_stream_export(struct tls_stream *stream, const char *label,
                                   struct haul_slice context, void *to, size_t size_bytes)
{
    int ok = SSL_export_keying_material(stream->ssl, to, size_bytes, label, strlen(label),
                                        context.data, context.size, 1);
    ERR_clear_error();
    return ok == 1 ? HAUL_OK : HAUL_INTERNAL;
}
