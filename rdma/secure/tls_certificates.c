/* SPDX-License-Identifier: Apache-2.0 */
/* tls_certificates.c — OpenSSL's readers of PEM, and its errors in the operator's words. */
#include "tls_certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    DATE_BYTES = 40,
    LENGTHS_BYTES = 256, /* RFC 8446, 4.4.2: 8 for the message, 5 for each certificate */
    SECURITY_LEVEL = 2,  /* OpenSSL's: RSA of 2048 bits, SHA-2; at least 112 bits */
};

/* --- PEM -------------------------------------------------------------------------------------- */

static enum haul_status fail_memory(struct haul_error *error)
{
    ERR_clear_error();
    return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for certificates");
}

static enum haul_status fail_damaged(const struct key_pem *pem, const char *what,
                                     struct haul_error *error)
{
    ERR_clear_error();
    (void)haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is damaged, or has no %s in PEM",
                         pem->path, what);
    haul_error_hint(error, "PEM has lines like -----BEGIN %s-----",
                    strcmp(what, "certificate") == 0 ? "CERTIFICATE" : "PRIVATE KEY");
    return HAUL_CORRUPT;
}

/* NULL: no memory. Ownership: the caller's. */
static BIO *open_pem(const struct key_pem *pem)
{
    ERR_clear_error();
    return BIO_new_mem_buf(pem->text.data, (int)pem->text.size);
}

/* Did the last reader find the end, and not damage? */
static bool is_end(void)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* `*stack` is the caller's, also on error. */
static enum haul_status read_certificates(const struct key_pem *pem, STACK_OF(X509) * *stack,
                                          struct haul_error *error)
{
    *stack = sk_X509_new_null();
    BIO *bio = open_pem(pem);
    bool ok = *stack != NULL && bio != NULL;
    X509 *certificate = NULL;
    while (ok && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = sk_X509_push(*stack, certificate) > 0;
        if (!ok) {
            X509_free(certificate);
        }
    }
    BIO_free(bio);
    if (!ok) {
        return fail_memory(error);
    }
    return is_end() && sk_X509_num(*stack) > 0 ? HAUL_OK : fail_damaged(pem, "certificate", error);
}

static void free_certificates(STACK_OF(X509) * stack)
{
    sk_X509_pop_free(stack, X509_free);
}

/* OpenSSL asks for a passphrase: there is none, and nobody to ask. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum haul_status use_private_key(SSL_CTX *ssl, const struct key_certificates *certificates,
                                        struct haul_error *error)
{
    const struct key_pem *pem = &certificates->private_key;
    bool asked = false;
    BIO *bio = open_pem(pem);
    if (bio == NULL) {
        return fail_memory(error);
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    BIO_free(bio);
    if (asked) {
        EVP_PKEY_free(key);
        ERR_clear_error();
        (void)haul_error_set(error, HAUL_INVALID, NULL, 0, "the private key in %s is encrypted",
                             pem->path);
        haul_error_hint(error, "haul asks for no passphrase: openssl pkey -in FILE -out NEW, "
                               "mode 0600");
        return HAUL_INVALID;
    }
    if (key == NULL) {
        return fail_damaged(pem, "private key", error);
    }
    bool ok = SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!ok) {
        (void)haul_error_set(error, HAUL_INVALID, NULL, 0,
                             "the private key in %s is not that of the certificate in %s",
                             pem->path, certificates->chain.path);
        haul_error_hint(error, "this side's own certificate is the first one of its file");
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

/* --- dates and sizes -------------------------------------------------------------------------- */

static void format_date(const ASN1_TIME *time, char text[DATE_BYTES])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int size =
        bio != NULL && ASN1_TIME_print(bio, time) == 1 ? BIO_read(bio, text, DATE_BYTES - 1) : 0;
    text[size > 0 ? size : 0] = '\0';
    BIO_free(bio);
}

static bool is_early(const X509 *certificate)
{
    return X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0;
}

static bool is_late(const X509 *certificate)
{
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0;
}

static enum haul_status check_dates(const X509 *certificate, const char *path,
                                    struct haul_error *error)
{
    char date[DATE_BYTES];
    char name[KEY_PEER_NAME_BYTES_MAX];
    bool early = is_early(certificate);
    if (!early && !is_late(certificate)) {
        return HAUL_OK;
    }
    format_date(early ? X509_get0_notBefore(certificate) : X509_get0_notAfter(certificate), date);
    tls_certificates_name(certificate, name);
    (void)haul_error_set(error, HAUL_AUTH, NULL, 0, "the certificate of %s in %s %s %s", name, path,
                         early ? "is not valid before" : "expired on", date);
    haul_error_hint(error, early ? "check this host's clock"
                                 : "renew it; a receiver takes it after a restart");
    return HAUL_AUTH;
}

/* Authorities that have expired do no harm beside one that has not. */
static enum haul_status check_authorities(STACK_OF(X509) * authorities, const char *path,
                                          struct haul_error *error)
{
    enum haul_status status = HAUL_AUTH;
    for (int i = 0; i < sk_X509_num(authorities) && status != HAUL_OK; i++) {
        status = check_dates(sk_X509_value(authorities, i), path, error);
    }
    return status;
}

/* Does it end a chain? Then no verifier counts it as one in between. */
static bool is_self_issued(X509 *certificate)
{
    return X509_check_issued(certificate, certificate) == X509_V_OK;
}

static int count_between(STACK_OF(X509) * chain)
{
    int count = 0;
    for (int i = 1; i < sk_X509_num(chain); i++) {
        count += !is_self_issued(sk_X509_value(chain, i));
    }
    return count;
}

static enum haul_status check_length(STACK_OF(X509) * chain, const char *path,
                                     struct haul_error *error)
{
    int count = count_between(chain);
    if (count <= TLS_CERTIFICATES_DEPTH_MAX) {
        return HAUL_OK;
    }
    (void)haul_error_set(error, HAUL_INVALID, NULL, 0,
                         "%s has %d certificates between this side's and the authority, which is "
                         "more than %d",
                         path, count, TLS_CERTIFICATES_DEPTH_MAX);
    haul_error_hint(error, "let an authority that is closer to the root sign it, or give the other "
                           "side one of those between as its --tls-ca");
    return HAUL_INVALID;
}

static enum haul_status check_chain(STACK_OF(X509) * chain, const char *path,
                                    struct haul_error *error)
{
    size_t size = 0;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        enum haul_status status = check_dates(sk_X509_value(chain, i), path, error);
        if (status != HAUL_OK) {
            return status;
        }
        int bytes = i2d_X509(sk_X509_value(chain, i), NULL);
        size += bytes > 0 ? (size_t)bytes : 0;
    }
    if (size > TLS_CERTIFICATES_BYTES_MAX) {
        (void)haul_error_set(error, HAUL_INVALID, NULL, 0,
                             "the certificates in %s have %zu bytes, which is more than %d", path,
                             size, TLS_CERTIFICATES_BYTES_MAX);
        haul_error_hint(error, "it holds this side's certificate and those between it and the "
                               "authority, nothing else");
        return HAUL_INVALID;
    }
    return check_length(chain, path, error);
}

/* --- use -------------------------------------------------------------------------------------- */

static enum haul_status use_chain(SSL_CTX *ssl, const struct key_pem *pem, bool checks,
                                  struct haul_error *error)
{
    STACK_OF(X509) *chain = NULL;
    enum haul_status status = read_certificates(pem, &chain, error);
    if (status == HAUL_OK && checks) {
        status = check_chain(chain, pem->path, error);
    }
    bool ok = status == HAUL_OK && SSL_CTX_use_certificate(ssl, sk_X509_value(chain, 0)) == 1;
    for (int i = 1; ok && i < sk_X509_num(chain); i++) {
        ok = SSL_CTX_add1_chain_cert(ssl, sk_X509_value(chain, i)) == 1;
    }
    if (status == HAUL_OK && !ok) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        status =
            haul_error_set(error, HAUL_AUTH, NULL, 0, "the certificate in %s cannot be used: %s",
                           pem->path, reason != NULL ? reason : "no reason given");
        haul_error_hint(error, "an RSA key has at least 2048 bits, a signature SHA-256 or more");
        ERR_clear_error();
    }
    free_certificates(chain);
    return status;
}

static enum haul_status use_authorities(SSL_CTX *ssl, const struct key_pem *pem, bool checks,
                                        struct haul_error *error)
{
    STACK_OF(X509) *authorities = NULL;
    enum haul_status status = read_certificates(pem, &authorities, error);
    if (status == HAUL_OK && checks) {
        status = check_authorities(authorities, pem->path, error);
    }
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    /* Each of them is trusted for itself, also one that another authority has signed. */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    for (int i = 0; status == HAUL_OK && i < sk_X509_num(authorities); i++) {
        if (X509_STORE_add_cert(store, sk_X509_value(authorities, i)) != 1) {
            status = fail_memory(error);
        }
    }
    free_certificates(authorities);
    return status;
}

/* `checks`: also what only the operator can mend, and time may break later. */
static enum haul_status use(SSL_CTX *ssl, const struct key_certificates *certificates, bool checks,
                            struct haul_error *error)
{
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_max_cert_list(ssl, TLS_CERTIFICATES_BYTES_MAX + LENGTHS_BYTES);
    SSL_CTX_set_verify_depth(ssl, TLS_CERTIFICATES_DEPTH_MAX);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN); /* the file's, and nothing else */
    enum haul_status status = use_chain(ssl, &certificates->chain, checks, error);
    if (status == HAUL_OK) {
        status = use_private_key(ssl, certificates, error);
    }
    return status == HAUL_OK ? use_authorities(ssl, &certificates->authorities, checks, error)
                             : status;
}

enum haul_status tls_certificates_use(SSL_CTX *ssl, const struct key_certificates *certificates,
                                      struct haul_error *error)
{
    return use(ssl, certificates, false, error);
}

enum haul_status tls_certificates_check(const struct key_certificates *certificates,
                                        char name[KEY_PEER_NAME_BYTES_MAX],
                                        struct haul_error *error)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    if (ssl == NULL) {
        return fail_memory(error);
    }
    enum haul_status status = use(ssl, certificates, true, error);
    if (status == HAUL_OK) {
        tls_certificates_name(SSL_CTX_get0_certificate(ssl), name);
    }
    SSL_CTX_free(ssl);
    return status;
}

bool tls_certificates_is_name(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c <= ' ' || c == 0x7f || c == '*' || c == '/') {
            return false;
        }
    }
    return length > 0 && length < KEY_PEER_NAME_BYTES_MAX && name[0] != '.' &&
           name[length - 1] != '.' && strstr(name, "..") == NULL;
}

enum haul_status tls_certificates_expect(SSL *ssl, const char *name, struct haul_error *error)
{
    char host[KEY_PEER_NAME_BYTES_MAX];
    X509_VERIFY_PARAM *verify = SSL_get0_param(ssl);
    (void)snprintf(host, sizeof(host), "%s", name != NULL ? name : ""); /* OpenSSL: "" is any */
    host[strcspn(host, "%")] = '\0';                                    /* a zone is this host's */
    size_t size = strlen(host);
    if (size > 1 && host[size - 1] == '.') { /* the name is complete: certificates leave it out */
        host[--size] = '\0';
    }
    if (name == NULL || strlen(name) >= sizeof(host) || !tls_certificates_is_name(host)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "no name of the peer to check");
    }
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    bool ok = X509_VERIFY_PARAM_set1_ip_asc(verify, host) == 1 ||
              X509_VERIFY_PARAM_set1_host(verify, host, size) == 1;
    ERR_clear_error();
    return ok ? HAUL_OK : fail_memory(error);
}

/* --- names ------------------------------------------------------------------------------------ */

/* Only characters that a log line can show. */
static void copy_name(const unsigned char *from, int size, char name[KEY_PEER_NAME_BYTES_MAX])
{
    size_t length = 0;
    for (int i = 0; i < size && length < KEY_PEER_NAME_BYTES_MAX - 1; i++) {
        name[length++] = from[i] > ' ' && from[i] < 0x7f ? (char)from[i] : '?';
    }
    name[length] = '\0';
}

static bool copy_dns_name(const X509 *certificate, char name[KEY_PEER_NAME_BYTES_MAX])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type == GEN_DNS) {
            copy_name(ASN1_STRING_get0_data(one->d.dNSName), ASN1_STRING_length(one->d.dNSName),
                      name);
            found = name[0] != '\0';
        }
    }
    GENERAL_NAMES_free(names);
    return found;
}

void tls_certificates_name(const X509 *certificate, char name[KEY_PEER_NAME_BYTES_MAX])
{
    (void)snprintf(name, KEY_PEER_NAME_BYTES_MAX, "?");
    if (copy_dns_name(certificate, name)) {
        return;
    }
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const ASN1_STRING *text =
        at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;
    if (text != NULL && ASN1_STRING_length(text) > 0) {
        copy_name(ASN1_STRING_get0_data(text), ASN1_STRING_length(text), name);
    }
}
