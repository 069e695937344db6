/* SPDX-License-Identifier: Apache-2.0 */
/* key_ring.h — access to the secrets of struct haul_keys: keys, or certificates. Thread:
 * any; keys never change. */
#ifndef HAUL_KEY_RING_H
#define HAUL_KEY_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/key.h"
#include "haul/slice.h"

enum {
    /* A host name (RFC 1035: 253 characters) and NUL. */
    KEY_PEER_NAME_BYTES_MAX = 254,
};

/* A file in PEM, and its path for messages. */
struct key_pem {
    struct haul_slice text;
    const char *path;
};

/* What stands for keys between sides that trust an authority. */
struct key_certificates {
    struct key_pem chain; /* this side's certificate, then those between it and an authority */
    struct key_pem private_key; /* of the first of them */
    struct key_pem authorities; /* peers' certificates come from one of these */
    const char *peer_name;      /* NULL: none is pinned */
};

/* Copy certificates into a ring; its one id is `id`. The caller wipes its own copy.
 * Errors: NO_MEMORY. Ownership: the caller's (haul_keys_destroy). */
enum haul_status key_ring_create_certificates(const struct key_certificates *certificates,
                                              const char *id, struct haul_keys **created,
                                              struct haul_error *error) HAUL_MUST_CHECK;
/* NULL: the ring holds keys. Otherwise it holds none, and these are borrowed until
 * haul_keys_destroy. */
const struct key_certificates *key_ring_certificates(const struct haul_keys *keys);

/* Borrowed until haul_keys_destroy. */
const struct haul_key *key_ring_at(const struct haul_keys *keys, size_t index);
/* NULL: no such id. `id` may lack a NUL. */
const struct haul_key *key_ring_find(const struct haul_keys *keys, const void *id, size_t id_bytes);
/* 1 to 32 letters, digits, '-', '_' or '.', and NUL. */
bool key_id_is_valid(const char id[HAUL_KEY_ID_BYTES_MAX]);

#endif
