/* SPDX-License-Identifier: Apache-2.0 */
/* trust_options.c — finds and reads the key, or the certificates. */
#include "trust_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The service manager's credential, if it has one for haul. */
static const char *credential(char path[PATH_BYTES])
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (directory == NULL || directory[0] == '\0') {
        return NULL;
    }
    int length = snprintf(path, PATH_BYTES, "%s/haul.key", directory);
    return length < PATH_BYTES && access(path, F_OK) == 0 ? path : NULL;
}

static bool has_certificates(const struct haul_certificate_files *tls)
{
    return tls->certificate != NULL || tls->private_key != NULL || tls->authorities != NULL ||
           tls->peer_name != NULL;
}

static enum haul_status check_certificates(const struct haul_certificate_files *tls,
                                           struct haul_error *error)
{
    const char *missing = tls->certificate == NULL   ? "--tls-cert"
                          : tls->private_key == NULL ? "--tls-key"
                          : tls->authorities == NULL ? "--tls-ca"
                                                     : NULL;
    return missing == NULL ? HAUL_OK
                           : haul_error_set(error, HAUL_INVALID, NULL, 0,
                                            "--tls-cert, --tls-key and --tls-ca go together: "
                                            "%s is missing",
                                            missing);
}

/* Options that exclude or lack each other. */
static enum haul_status check(const struct trust_options *options, struct haul_error *error)
{
    bool certificates = has_certificates(&options->tls);
    if (options->insecure && (options->key != NULL || certificates)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--insecure is for connections without a key: leave it or %s out",
                              options->key != NULL ? "--key" : "--tls-*");
    }
    if (options->key != NULL && certificates) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "both a key and certificates are given: leave --key or --tls-* out");
    }
    return certificates ? check_certificates(&options->tls, error) : HAUL_OK;
}

enum haul_status trust_options_load(struct trust_options *options, struct haul_error *error)
{
    char path[PATH_BYTES];
    enum haul_status status = check(options, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (has_certificates(&options->tls)) {
        (void)prctl(PR_SET_DUMPABLE, 0); /* OpenSSL has the private key */
        options->tls.size_bytes = sizeof(options->tls);
        return haul_keys_load_certificates(&options->tls, &options->keys, error);
    }
    if (options->insecure) {
        return HAUL_OK;
    }
    const char *file = options->key != NULL ? options->key : credential(path);
    if (file == NULL) {
        return HAUL_OK;
    }
    /* OpenSSL has the key while a handshake runs, and what it derived from it for longer. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    return haul_keys_load(file, &options->keys, error);
}

void trust_options_fini(struct trust_options *options)
{
    haul_keys_destroy(options->keys);
    options->keys = NULL;
}
