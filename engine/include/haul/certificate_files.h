/* SPDX-License-Identifier: Apache-2.0 */
/* certificate_files.h — certificates instead of the keys of haul/key.h.
 *
 * Each side has a certificate, its private key, and the authorities that it trusts; both must pass.
 * A source requires the host that it connects to as a subjectAltName of the target's certificate,
 * or the name given here; a target accepts each certificate of its authorities, or only one with
 * the name given here. A public authority is therefore none for a target: it signs for everybody.
 * Revocation lists are not read: give short-lived certificates, or an authority of its own to haul.
 *
 *     struct haul_certificate_files files = {.size_bytes = sizeof(files),
 *                                            .certificate = "db7.pem",
 *                                            .private_key = "db7.key",
 *                                            .authorities = "ca.pem"};
 *     struct haul_keys *keys = NULL;
 *     haul_keys_load_certificates(&files, &keys, &error); */
#ifndef HAUL_CERTIFICATE_FILES_H
#define HAUL_CERTIFICATE_FILES_H

#include <stddef.h>

#include "haul/key.h"
#include "haul/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Paths of files in PEM. Borrowed for the call only. */
struct haul_certificate_files {
    size_t size_bytes;       /* of this struct: haul/version.h */
    const char *certificate; /* this side's; then those between it and an authority, 12 KiB as DER
                              * at most */
    const char *private_key; /* of the first one; not encrypted. A file as for haul_keys_load */
    const char *authorities; /* one or more; at most 1 MiB */
    /* A DNS name or numeric address that the peer's certificate must have as a subjectAltName, at
     * most 253 characters; a certificate may have "*" as its first label. NULL: see above. */
    const char *peer_name;
};

/* Read and check them, as they are now: a renewed certificate takes effect where this is called
 * again. Whoever takes a struct haul_keys takes this one, with the same meaning. OpenSSL has a copy
 * of the private key, in memory that a core dump contains, while a target runs or a source is
 * connected.
 * Ownership: `*keys` is the caller's (haul_keys_destroy).
 * Errors: INVALID (a path is missing; an encrypted private key, or one of another certificate; too
 * many certificates; the name), NOT_FOUND, CORRUPT (not PEM), LIMIT (a file is too large), AUTH
 * (others can read the private key; a certificate is not valid now, or too weak), NO_MEMORY, IO.
 * Thread: any. */
enum haul_status haul_keys_load_certificates(const struct haul_certificate_files *files,
                                             struct haul_keys **keys,
                                             struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
