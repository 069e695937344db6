/* SPDX-License-Identifier: Apache-2.0 */
/* key_ring.h — access to the secrets of struct haul_keys. Thread: any; keys never change. */
#ifndef HAUL_KEY_RING_H
#define HAUL_KEY_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/key.h"

/* Borrowed until haul_keys_destroy. */
const struct haul_key *key_ring_at(const struct haul_keys *keys, size_t index);
/* NULL: no such id. `id` may lack a NUL. */
const struct haul_key *key_ring_find(const struct haul_keys *keys, const void *id, size_t id_bytes);
/* 1 to 32 letters, digits, '-', '_' or '.', and NUL. */
bool key_id_is_valid(const char id[HAUL_KEY_ID_BYTES_MAX]);

#endif
