/* SPDX-License-Identifier: Apache-2.0 */
/* tls_certificates.h — reads PEM into what OpenSSL authenticates itself and the peer with.
 *
 * Nothing here asks for a passphrase. A certificate of the peer counts only if it leads to one of
 * the authorities, or is one, is valid now, and, if a name is required, has it as a subjectAltName.
 * Thread: any. */
#ifndef HAUL_TLS_CERTIFICATES_H
#define HAUL_TLS_CERTIFICATES_H

#include <stdbool.h>

#include "haul/status.h"
#include "key_ring.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX, SSL and X509: users of this header need not have it */
struct ssl_st;
struct x509_st;

enum {
    /* Of one side's certificates on the wire, as DER; four with RSA keys of 4096 bits have 8 KiB.
     * More are refused, as one's own and as the peer's. */
    TLS_CERTIFICATES_BYTES_MAX = 12 << 10,
    TLS_CERTIFICATES_DEPTH_MAX = 8, /* of authorities between a certificate and the trusted one */
};

/* What is wrong with the files that the operator named, with a hint; and the name in this side's
 * certificate: its first DNS name, otherwise its common name, otherwise "?".
 * Errors: CORRUPT (not PEM, or nothing in it), INVALID (an encrypted private key, one of another
 * certificate, too many certificates), AUTH (not valid now, or too weak), NO_MEMORY. */
enum haul_status tls_certificates_check(const struct key_certificates *certificates,
                                        char name[KEY_PEER_NAME_BYTES_MAX],
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* Make a connection's context use them, and nothing else. Errors: as above. */
enum haul_status tls_certificates_use(struct ssl_ctx_st *ssl,
                                      const struct key_certificates *certificates,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Can a certificate have this name, and no other one then: a host name or a numeric address?
 * OpenSSL takes a leading dot for every name below it; a wildcard, an empty label or a final dot
 * never fits. */
bool tls_certificates_is_name(const char *name);

/* Require this name of the peer: a DNS name, perhaps with a final dot, or a numeric address,
 * perhaps with a zone. Errors: INVALID (it is none), NO_MEMORY. */
enum haul_status tls_certificates_expect(struct ssl_st *ssl, const char *name,
                                         struct haul_error *error) HAUL_MUST_CHECK;

/* As above, of any certificate. */
void tls_certificates_name(const struct x509_st *certificate, char name[KEY_PEER_NAME_BYTES_MAX]);

#endif
