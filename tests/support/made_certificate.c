/* SPDX-License-Identifier: Apache-2.0 */
/* made_certificate.c — X.509 by OpenSSL's functions. */
#include "made_certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "key_ring.h"

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    check_or_stop(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_padding(X509 *certificate, size_t size)
{
    char *text = malloc(size + 1);
    check_or_stop(text != NULL);
    memset(text, 'x', size);
    text[size] = '\0';
    add_extension(certificate, NID_netscape_comment, text);
    free(text);
}

static void add_extensions(X509 *certificate, const struct made_options *options)
{
    add_extension(certificate, NID_basic_constraints,
                  options->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (options->alternative_name != NULL) {
        add_extension(certificate, NID_subject_alt_name, options->alternative_name);
    }
    if (options->purpose != NULL) {
        add_extension(certificate, NID_ext_key_usage, options->purpose);
    }
    if (options->padding_bytes > 0) {
        add_padding(certificate, options->padding_bytes);
    }
}

static void write_pem(struct made_certificate *made, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    check_or_stop(bio != NULL && PEM_write_bio_X509(bio, made->certificate) == 1);
    int size = BIO_read(bio, made->pem, MADE_PEM_BYTES_MAX - 1);
    check_or_stop(size > 0);
    made->pem[size] = '\0';
    check_or_stop(PEM_write_bio_PrivateKey(bio, made->key,
                                           passphrase != NULL ? EVP_aes_256_cbc() : NULL, NULL, 0,
                                           NULL, (void *)(uintptr_t)passphrase) == 1);
    size = BIO_read(bio, made->key_pem, MADE_PEM_BYTES_MAX - 1);
    check_or_stop(size > 0);
    made->key_pem[size] = '\0';
    BIO_free(bio);
}

void made_certificate_create(struct made_certificate *made, const char *common_name,
                             const struct made_options *options,
                             const struct made_certificate *authority)
{
    long begins_s = options->begins_s != 0 ? options->begins_s : -MADE_DAY_S;
    long ends_s = options->ends_s != 0 ? options->ends_s : MADE_DAY_S;
    uint32_t serial = 0;
    made->key = EVP_EC_gen("P-256");
    made->certificate = X509_new();
    X509 *certificate = made->certificate;
    check_or_stop(made->key != NULL && certificate != NULL);
    check_or_stop(RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1);
    X509_NAME *name = X509_get_subject_name(certificate);
    check_or_stop(X509_set_version(certificate, 2) == 1 &&
                  ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)serial + 1) == 1 &&
                  X509_gmtime_adj(X509_getm_notBefore(certificate), begins_s) != NULL &&
                  X509_gmtime_adj(X509_getm_notAfter(certificate), ends_s) != NULL &&
                  X509_set_pubkey(certificate, made->key) == 1 &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                             (const unsigned char *)common_name, -1, -1, 0) == 1);
    X509_NAME *issuer = authority != NULL ? X509_get_subject_name(authority->certificate) : name;
    check_or_stop(X509_set_issuer_name(certificate, issuer) == 1);
    add_extensions(certificate, options);
    check_or_stop(
        X509_sign(certificate, authority != NULL ? authority->key : made->key, EVP_sha256()) > 0);
    write_pem(made, options->passphrase);
}

void made_certificate_destroy(struct made_certificate *made)
{
    X509_free(made->certificate);
    EVP_PKEY_free(made->key);
    memset(made, 0, sizeof(*made));
}

static struct key_pem pem_of(const char *text, const char *path)
{
    return (struct key_pem){.text = {.data = (const uint8_t *)text, .size = strlen(text)},
                            .path = path};
}

struct haul_keys *made_certificate_keys(const struct made_certificate *ours,
                                        const struct made_certificate *authority,
                                        const char *peer_name)
{
    const struct key_certificates certificates = {.chain = pem_of(ours->pem, "chain"),
                                                  .private_key = pem_of(ours->key_pem, "key"),
                                                  .authorities = pem_of(authority->pem, "ca"),
                                                  .peer_name = peer_name};
    struct haul_keys *keys = NULL;
    check_or_stop(key_ring_create_certificates(&certificates, "ours", &keys, NULL) == HAUL_OK);
    return keys;
}
