/* SPDX-License-Identifier: Apache-2.0 */
/* key_ring.c — keys in pages of their own. */
#include "key_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct haul_keys {
    size_t count;
    struct haul_key keys[HAUL_KEYS_MAX];
};

static bool is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool key_id_is_valid(const char id[HAUL_KEY_ID_BYTES_MAX])
{
    size_t length = strnlen(id, HAUL_KEY_ID_BYTES_MAX);
    if (length == 0 || length == HAUL_KEY_ID_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_id_character(id[i])) {
            return false;
        }
    }
    return true;
}

static enum haul_status check(const struct haul_key *keys, size_t count, struct haul_error *error)
{
    if (count == 0 || count > HAUL_KEYS_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "%zu keys, not 1 to %d", count,
                              HAUL_KEYS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!key_id_is_valid(keys[i].id)) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                  "the id of a key is not 1 to %d letters, digits, '-', '_', '.'",
                                  HAUL_KEY_ID_BYTES_MAX - 1);
        }
        if (i > 0 && strcmp(keys[i].id, keys[i - 1].id) == 0) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0, "two keys have the id %s",
                                  keys[i].id);
        }
    }
    return HAUL_OK;
}

enum haul_status haul_keys_create(const struct haul_key *keys, size_t count,
                                  struct haul_keys **created, struct haul_error *error)
{
    *created = NULL;
    enum haul_status status = check(keys, count, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_keys *ring =
        mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED) {
        return haul_error_set(error, HAUL_NO_MEMORY, "mmap", errno, "no memory for keys");
    }
    /* Each of them is a precaution: without it the keys are as safe as the process is. */
    (void)mlock(ring, sizeof(*ring));
    (void)madvise(ring, sizeof(*ring), MADV_DONTDUMP);
    (void)madvise(ring, sizeof(*ring), MADV_WIPEONFORK);
    ring->count = count;
    memcpy(ring->keys, keys, count * sizeof(*keys));
    *created = ring;
    return HAUL_OK;
}

void haul_keys_destroy(struct haul_keys *keys)
{
    if (keys != NULL) {
        explicit_bzero(keys, sizeof(*keys));
        (void)munmap(keys, sizeof(*keys));
    }
}

size_t haul_keys_count(const struct haul_keys *keys)
{
    return keys->count;
}

const char *haul_keys_id(const struct haul_keys *keys, size_t index)
{
    return keys->keys[index].id;
}

const struct haul_key *key_ring_at(const struct haul_keys *keys, size_t index)
{
    return &keys->keys[index];
}

const struct haul_key *key_ring_find(const struct haul_keys *keys, const void *id, size_t id_bytes)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strlen(keys->keys[i].id) == id_bytes && memcmp(keys->keys[i].id, id, id_bytes) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}
