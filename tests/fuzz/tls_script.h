/* SPDX-License-Identifier: Apache-2.0 */
/* tls_script.h — what the targets for TLS have in common: keys, and changes to bytes on the way.
 *
 *   changes: u8 count, then of each u16 place in the stream, u8 bits to turn over */
#ifndef HAUL_FUZZ_TLS_SCRIPT_H
#define HAUL_FUZZ_TLS_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "fuzz_target.h"
#include "haul/key.h"
#include "tls_stream.h"

enum { TLS_CHANGES_MAX = 8 };

struct tls_change {
    uint16_t at;
    uint8_t bits;
};

struct tls_changes {
    size_t count;
    struct tls_change items[TLS_CHANGES_MAX];
};

static inline struct tls_changes tls_changes_take(struct cursor *input)
{
    struct tls_changes changes = {.count = cursor_u8(input) % (TLS_CHANGES_MAX + 1)};
    for (size_t i = 0; i < changes.count; i++) {
        changes.items[i].at = cursor_u16(input);
        changes.items[i].bits = cursor_u8(input);
    }
    return changes;
}

/* Change the `size` bytes that are at `offset` of their stream. True: they are different now. */
static inline bool tls_changes_apply(const struct tls_changes *changes, size_t offset,
                                     uint8_t *bytes, size_t size)
{
    bool changed = false;
    for (size_t i = 0; i < changes->count; i++) {
        const struct tls_change *change = &changes->items[i];
        if (change->at >= offset && change->at - offset < size && change->bits != 0) {
            bytes[change->at - offset] ^= change->bits;
            changed = true; /* two changes at one place may cancel out: that is no harm */
        }
    }
    return changed;
}

static inline struct haul_keys *tls_script_keys(const char *id, uint8_t fill)
{
    struct haul_key key;
    struct haul_keys *made = NULL;
    memset(&key, 0, sizeof(key));
    (void)snprintf(key.id, sizeof(key.id), "%s", id);
    memset(key.secret, fill, sizeof(key.secret));
    expect_status(haul_keys_create(&key, 1, &made, NULL), HAUL_OK);
    return made;
}

/* Do both ends derive the same, and so have had the same conversation? */
static inline bool tls_script_same(struct tls_stream *a, struct tls_stream *b)
{
    uint8_t of_a[32];
    uint8_t of_b[32];
    expect_status(tls_stream_export(a, "EXPERIMENTAL fuzz", slice_of("1", 1), of_a, sizeof(of_a)),
                  HAUL_OK);
    expect_status(tls_stream_export(b, "EXPERIMENTAL fuzz", slice_of("1", 1), of_b, sizeof(of_b)),
                  HAUL_OK);
    return memcmp(of_a, of_b, sizeof(of_a)) == 0;
}

#endif
