/* SPDX-License-Identifier: Apache-2.0 */
/* made_certificate.h — makes authorities and certificates for tests, with keys of P-256. */
#ifndef HAUL_TESTS_MADE_CERTIFICATE_H
#define HAUL_TESTS_MADE_CERTIFICATE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "haul/key.h"

enum { MADE_PEM_BYTES_MAX = 64 << 10, MADE_DAY_S = 86400 };

struct made_certificate {
    X509 *certificate;
    EVP_PKEY *key;
    char pem[MADE_PEM_BYTES_MAX];     /* the certificate; a test may append others */
    char key_pem[MADE_PEM_BYTES_MAX]; /* its private key */
};

/* Zeroes: from yesterday to tomorrow, no subjectAltName, for every purpose. */
struct made_options {
    const char *alternative_name; /* "DNS:a.example,IP:127.0.0.1" */
    const char *purpose;          /* "clientAuth" */
    long begins_s;                /* from now */
    long ends_s;
    bool is_authority;
    size_t padding_bytes; /* of a comment that makes it large */
    const char *passphrase;
};

/* Signed by `authority`; NULL: by itself. Ends the test if OpenSSL cannot. */
void made_certificate_create(struct made_certificate *made, const char *common_name,
                             const struct made_options *options,
                             const struct made_certificate *authority);
void made_certificate_destroy(struct made_certificate *made);

/* What a side with this certificate has; `peer_name` NULL: none is pinned. Ownership: the
 * caller's. */
struct haul_keys *made_certificate_keys(const struct made_certificate *ours,
                                        const struct made_certificate *authority,
                                        const char *peer_name);

#endif
