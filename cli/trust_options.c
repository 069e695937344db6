/* SPDX-License-Identifier: Apache-2.0 */
/* trust_options.c — finds and reads the key, or the certificates. */
#include "trust_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "haul/log.h"

enum { PATH_BYTES = 4096 };

/* The service manager's credential haul.key into `path`; "": it has none. What is there and cannot
 * be read is an error, so that nobody goes without the key that was meant. */
static enum haul_status find_credential(char path[PATH_BYTES], const struct haul_log *log,
                                        struct haul_error *error)
{
    struct stat about;
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    path[0] = '\0';
    if (directory == NULL || directory[0] == '\0') {
        return HAUL_OK;
    }
    if (snprintf(path, PATH_BYTES, "%s/haul.key", directory) >= PATH_BYTES) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "CREDENTIALS_DIRECTORY is too long");
    }
    if (lstat(path, &about) == 0) {
        return HAUL_OK;
    }
    int code = errno;
    if (code == ENOENT) {
        path[0] = '\0';
        haul_log(log, HAUL_LOG_WARNING, "no haul.key among the service manager's credentials in %s",
                 directory);
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_AUTH, "lstat", code, "cannot look for the credential %s", path);
    haul_error_hint(error, "LoadCredential=haul.key:FILE of the service, or unset "
                           "CREDENTIALS_DIRECTORY");
    return HAUL_AUTH;
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

enum haul_status trust_options_load(struct trust_options *options, const struct haul_log *log,
                                    struct haul_error *error)
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
    const char *file = options->key;
    if (file == NULL) {
        status = find_credential(path, log, error);
        file = path;
    }
    if (status != HAUL_OK || file[0] == '\0') {
        return status;
    }
    if (options->insecure) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--insecure is for connections without a key: leave it or the "
                              "service manager's credential %s out",
                              file);
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
