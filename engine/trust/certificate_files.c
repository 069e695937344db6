/* SPDX-License-Identifier: Apache-2.0 */
/* certificate_files.c — reads files of certificates, and leaves the private key in no buffer. */
#include "haul/certificate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "durable_file.h"
#include "key_ring.h"
#include "plain_file.h"
#include "private_file.h"
#include "sized_options.h"
#include "tls_certificates.h"
#include "vector_registers.h"

enum {
    AUTHORITIES_BYTES_MAX = 1 << 20, /* a distribution's bundle has 220 KiB */
    CHAIN_BYTES_MAX = 64 << 10,      /* with the text that openssl adds */
    PRIVATE_KEY_BYTES_MAX = 32 << 10,
};

/* What is read, to be wiped as a whole. */
struct texts {
    uint8_t *private_key;
    uint8_t *chain;
    uint8_t *authorities;
};

static enum haul_status fail(struct haul_error *error, const char *call, const char *path)
{
    return private_file_fail(path, call, errno, error);
}

/* All of the file into `*text`, which is the caller's, also on error. */
static enum haul_status read_all(int fd, const char *path, size_t size_max, uint8_t **text,
                                 struct key_pem *pem, struct haul_error *error)
{
    size_t size = 0;
    ssize_t got = 0;
    *text = calloc(1, size_max + 1);
    if (*text == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for certificates");
    }
    do {
        got = read(fd, *text + size, size_max + 1 - size);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0 && size <= size_max);
    if (got < 0) {
        return fail(error, "read", path);
    }
    if (size > size_max) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "%s has more than %zu KiB", path,
                              size_max >> 10);
    }
    *pem = (struct key_pem){.text = {.data = *text, .size = size}, .path = path};
    return HAUL_OK;
}

static enum haul_status read_public(const char *path, size_t size_max, uint8_t **text,
                                    struct key_pem *pem, struct haul_error *error)
{
    int fd = plain_file_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return fail(error, "open", path);
    }
    enum haul_status status = read_all(fd, path, size_max, text, pem, error);
    (void)close(fd);
    return status;
}

static enum haul_status read_private(const char *path, uint8_t **text, struct key_pem *pem,
                                     struct haul_error *error)
{
    int fd = -1;
    enum haul_status status = private_file_open(path, &fd, error);
    if (status == HAUL_OK) {
        status = read_all(fd, path, PRIVATE_KEY_BYTES_MAX, text, pem, error);
        (void)close(fd);
    }
    return status;
}

static void wipe(struct texts *texts)
{
    if (texts->private_key != NULL) {
        explicit_bzero(texts->private_key, PRIVATE_KEY_BYTES_MAX + 1);
    }
    vector_registers_wipe();
    free(texts->private_key);
    free(texts->chain);
    free(texts->authorities);
}

/* What a program, or an operator, forgets. */
static enum haul_status check_named(const struct haul_certificate_files *files,
                                    struct haul_error *error)
{
    if (files->certificate == NULL || files->private_key == NULL || files->authorities == NULL) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "a certificate, its private key and an authority go together: no %s",
                              files->certificate == NULL   ? "certificate"
                              : files->private_key == NULL ? "private key"
                                                           : "authority");
    }
    if (files->peer_name != NULL && !tls_certificates_is_name(files->peer_name)) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "the name of the peer is no host name or address of at most %d characters",
                       KEY_PEER_NAME_BYTES_MAX - 1);
        haul_error_hint(error, "a whole name as in the certificate, like db3.example: no wildcard, "
                               "no dot in front or at the end");
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

static enum haul_status read_files(const struct haul_certificate_files *files, struct texts *texts,
                                   struct key_certificates *certificates, struct haul_error *error)
{
    enum haul_status status =
        read_private(files->private_key, &texts->private_key, &certificates->private_key, error);
    if (status == HAUL_OK) {
        status = read_public(files->certificate, CHAIN_BYTES_MAX, &texts->chain,
                             &certificates->chain, error);
    }
    if (status == HAUL_OK) {
        status = read_public(files->authorities, AUTHORITIES_BYTES_MAX, &texts->authorities,
                             &certificates->authorities, error);
    }
    return status;
}

enum haul_status haul_keys_load_certificates(const struct haul_certificate_files *given,
                                             struct haul_keys **keys, struct haul_error *error)
{
    struct haul_certificate_files files;
    struct texts texts = {.private_key = NULL};
    char name[KEY_PEER_NAME_BYTES_MAX];
    *keys = NULL;
    enum haul_status status = sized_options_take(
        &files, sizeof(files), SIZED_OPTIONS_END(struct haul_certificate_files, peer_name), given,
        error);
    if (status == HAUL_OK) {
        status = check_named(&files, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct key_certificates certificates = {.peer_name = files.peer_name};
    status = read_files(&files, &texts, &certificates, error);
    if (status == HAUL_OK) {
        status = tls_certificates_check(&certificates, name, error);
    }
    if (status == HAUL_OK) {
        status = key_ring_create_certificates(&certificates, name, keys, error);
    }
    wipe(&texts);
    return status;
}
