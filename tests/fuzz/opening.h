/* SPDX-License-Identifier: Apache-2.0 */
/* opening.h — what the opening messages of a connection have in common, for the targets that test
 * them: a few bytes of fixed size with a checksum at their end.
 *
 *   u8 which of them | u8 flags (enum opening_flags) | the bytes */
#ifndef HAUL_FUZZ_OPENING_H
#define HAUL_FUZZ_OPENING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"

enum opening_flags { OPENING_MEND = 1 << 0 /* a valid magic and checksum */ };

struct opening {
    unsigned which;
    uint8_t *bytes; /* malloc'ed in exactly this size, so that sanitizers notice an overread */
    size_t size;
};

/* `magic` as it stands at the front; `crc_at` 0: no checksum. */
struct opening_form {
    size_t size;
    const char *magic;
    size_t crc_at;
};

/* Take the input; `forms` determines what to repair. The caller owns the bytes. */
static inline struct opening opening_take(const uint8_t *data, size_t size,
                                          const struct opening_form *forms, size_t form_count)
{
    struct cursor input = cursor_of(data, size);
    struct opening opening = {.which = cursor_u8(&input) % (unsigned)form_count};
    unsigned flags = cursor_u8(&input);
    opening.size = cursor_left(&input);
    opening.bytes = malloc(opening.size + (opening.size == 0));
    haul_assert(opening.bytes != NULL);
    if (opening.size > 0) {
        memcpy(opening.bytes, input.at, opening.size);
    }
    const struct opening_form *form = &forms[opening.which];
    if ((flags & OPENING_MEND) != 0 && opening.size >= form->size) {
        memcpy(opening.bytes, form->magic, strlen(form->magic));
        if (form->crc_at != 0) {
            put_u32(opening.bytes + form->crc_at, crc32c(opening.bytes, form->crc_at));
        }
    }
    return opening;
}

#endif
