/* SPDX-License-Identifier: Apache-2.0 */
/* record_limit.c — refuses records that are larger than the wire can carry. */
#include "record_limit.h"

#include <inttypes.h>

#include "bytes.h"
#include "haul/store.h"
#include "key_range.h"

enum {
    KEY_BEGINNING_BYTES = 16,
    KEY_TEXT_BYTES = 3 * KEY_BEGINNING_BYTES,
};

static enum haul_status refuse(struct haul_slice key, const char *what, size_t size, uint64_t most,
                               struct haul_error *error)
{
    char text[KEY_TEXT_BYTES];
    bool long_key = key.size > KEY_BEGINNING_BYTES;
    key_format(slice_of(key.data, long_key ? KEY_BEGINNING_BYTES : key.size), text, sizeof(text));
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "%s of %zu bytes; at most %" PRIu64 "; key %s%s", what, size, most, text,
                   long_key ? "..." : "");
    haul_error_hint(error, "delete the record, or leave its range or column family out of the job");
    return HAUL_UNSUPPORTED;
}

enum haul_status record_limit_check(struct haul_slice key, struct haul_slice value,
                                    struct haul_error *error)
{
    if (key.size > HAUL_KEY_BYTES_MAX) {
        return refuse(key, "a key", key.size, HAUL_KEY_BYTES_MAX, error);
    }
    return value.size > HAUL_RECORD_BYTES_MAX
               ? refuse(key, "a value", value.size, HAUL_RECORD_BYTES_MAX, error)
               : HAUL_OK;
}
