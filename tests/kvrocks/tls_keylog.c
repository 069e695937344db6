/* SPDX-License-Identifier: Apache-2.0 */
/* tls_keylog.c — tests preload this into a node: it appends the secrets of the node's TLS
 * connections to the file that HAUL_TEST_KEYLOG names, in the format of SSLKEYLOGFILE. So a proxy
 * between two nodes knows which message it forwards (tls_reader.py); it cannot change one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ssl.h>

static void append(const SSL *ssl, const char *line)
{
    (void)ssl;
    int fd = open(getenv("HAUL_TEST_KEYLOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", line) < 0) {
        abort();
    }
    (void)close(fd);
}

/* The first definition that the dynamic linker finds. */
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
    SSL_CTX *(*create)(const SSL_METHOD *) = NULL;
    *(void **)&create = dlsym(RTLD_NEXT, "SSL_CTX_new");
    SSL_CTX *context = create(method);
    if (context != NULL) {
        SSL_CTX_set_keylog_callback(context, append);
    }
    return context;
}
