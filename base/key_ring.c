/* SPDX-License-Identifier: Apache-2.0 */
/* key_ring.c — keys, and private keys of certificates, in pages of their own. */
#include "key_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vector_registers.h"

struct haul_keys {
    size_t size_bytes; /* with what `certificates` point to */
    size_t count;      /* of `keys` */
    struct haul_key keys[HAUL_KEYS_MAX];
    const char *certificate_id; /* NULL: keys */
    struct key_certificates certificates;
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

/* `secret_bytes`: of the beginning, which holds all secrets; there is a limit of locked memory. */
static enum haul_status map_ring(size_t size_bytes, size_t secret_bytes, struct haul_keys **created,
                                 struct haul_error *error)
{
    struct haul_keys *ring =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED) {
        return haul_error_set(error, HAUL_NO_MEMORY, "mmap", errno, "no memory for keys");
    }
    /* Each of them is a precaution: without it the keys are as safe as the process is. */
    (void)mlock(ring, secret_bytes);
    (void)madvise(ring, size_bytes, MADV_DONTDUMP);
    (void)madvise(ring, size_bytes, MADV_WIPEONFORK);
    ring->size_bytes = size_bytes;
    *created = ring;
    return HAUL_OK;
}

enum haul_status haul_keys_create(const struct haul_key *keys, size_t count,
                                  struct haul_keys **created, struct haul_error *error)
{
    *created = NULL;
    struct haul_keys *ring = NULL;
    enum haul_status status = check(keys, count, error);
    if (status == HAUL_OK) {
        status = map_ring(sizeof(*ring), sizeof(*ring), &ring, error);
    }
    if (status == HAUL_OK) {
        ring->count = count;
        memcpy(ring->keys, keys, count * sizeof(*keys));
        vector_registers_wipe();
        *created = ring;
    }
    return status;
}

/* --- certificates ----------------------------------------------------------------------------- */

/* Move `*at` behind a copy of `text`, which gets a NUL. */
static const char *copy_text(char **at, const void *text, size_t size)
{
    char *copy = *at;
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    *at += size + 1;
    return copy;
}

static struct key_pem copy_pem(char **at, const struct key_pem *pem)
{
    const char *text = copy_text(at, pem->text.data, pem->text.size);
    const char *path = copy_text(at, pem->path, strlen(pem->path));
    return (struct key_pem){.text = {.data = (const uint8_t *)text, .size = pem->text.size},
                            .path = path};
}

static size_t pem_bytes(const struct key_pem *pem)
{
    return pem->text.size + 1 + strlen(pem->path) + 1;
}

enum haul_status key_ring_create_certificates(const struct key_certificates *certificates,
                                              const char *id, struct haul_keys **created,
                                              struct haul_error *error)
{
    *created = NULL;
    const char *peer_name = certificates->peer_name;
    size_t secret_bytes = sizeof(struct haul_keys) + pem_bytes(&certificates->private_key);
    size_t size_bytes = secret_bytes + pem_bytes(&certificates->chain) +
                        pem_bytes(&certificates->authorities) + strlen(id) + 1 +
                        (peer_name != NULL ? strlen(peer_name) + 1 : 0);
    struct haul_keys *ring = NULL;
    enum haul_status status = map_ring(size_bytes, secret_bytes, &ring, error);
    if (status != HAUL_OK) {
        return status;
    }
    char *at = (char *)(ring + 1);
    ring->certificates.private_key = copy_pem(&at, &certificates->private_key); /* locked: first */
    ring->certificates.chain = copy_pem(&at, &certificates->chain);
    ring->certificates.authorities = copy_pem(&at, &certificates->authorities);
    ring->certificate_id = copy_text(&at, id, strlen(id));
    if (peer_name != NULL) {
        ring->certificates.peer_name = copy_text(&at, peer_name, strlen(peer_name));
    }
    vector_registers_wipe();
    *created = ring;
    return HAUL_OK;
}

const struct key_certificates *key_ring_certificates(const struct haul_keys *keys)
{
    return keys->certificate_id != NULL ? &keys->certificates : NULL;
}

/* --- both ------------------------------------------------------------------------------------- */

void haul_keys_destroy(struct haul_keys *keys)
{
    if (keys != NULL) {
        size_t size_bytes = keys->size_bytes;
        explicit_bzero(keys, size_bytes);
        (void)munmap(keys, size_bytes);
    }
}

size_t haul_keys_count(const struct haul_keys *keys)
{
    return keys->certificate_id != NULL ? 1 : keys->count;
}

const char *haul_keys_id(const struct haul_keys *keys, size_t index)
{
    return keys->certificate_id != NULL ? keys->certificate_id : keys->keys[index].id;
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
