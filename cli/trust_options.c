/* SPDX-License-Identifier: Apache-2.0 */
/* trust_options.c — finds and reads the key. */
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

enum haul_status trust_options_load(struct trust_options *options, struct haul_error *error)
{
    char path[PATH_BYTES];
    if (options->key != NULL && options->insecure) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--insecure is for connections without a key: leave it or --key out");
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
