/* SPDX-License-Identifier: Apache-2.0 */
/* key_text.h — keys as the text of a key file (haul/key_file.h): pure. Thread: any. */
#ifndef HAUL_KEY_TEXT_H
#define HAUL_KEY_TEXT_H

#include <stddef.h>

#include "haul/key.h"
#include "haul/status.h"

enum { KEY_TEXT_BYTES_MAX = 512 }; /* of both keys, with the end */

/* Writes at most KEY_TEXT_BYTES_MAX bytes, with a NUL. Returns their number without it. */
size_t key_text_write(const struct haul_key *keys, size_t count, char to[KEY_TEXT_BYTES_MAX]);
/* `text` is not terminated. Errors: CORRUPT, VERSION. `keys` may then hold parts of keys. */
enum haul_status key_text_read(const char *text, size_t size, struct haul_key keys[HAUL_KEYS_MAX],
                               size_t *count) HAUL_MUST_CHECK;

#endif
