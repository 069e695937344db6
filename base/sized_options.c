/* SPDX-License-Identifier: Apache-2.0 */
/* sized_options.c — reads option structs of other releases. */
#include "sized_options.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "haul/version.h"

/* No option struct is this large: a larger size was never initialized. */
enum { SIZE_BYTES_MAX = 64 << 10 };

static bool is_zero(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

enum haul_status sized_options_take(void *ours, size_t our_size_bytes, size_t first_size_bytes,
                                    const void *theirs, struct haul_error *error)
{
    size_t size = 0;
    memset(ours, 0, our_size_bytes);
    memcpy(&size, theirs, sizeof(size));
    if (size == 0) {
        size = first_size_bytes;
    }
    if (size < sizeof(size) || size > SIZE_BYTES_MAX) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "invalid size_bytes of options: %zu", size);
        haul_error_hint(error, "zero the struct first, then set size_bytes to its sizeof");
        return HAUL_INVALID;
    }
    size_t common = size < our_size_bytes ? size : our_size_bytes;
    if (!is_zero((const uint8_t *)theirs + common, size - common)) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "an option is set that libhaul %s does not have", haul_version_text());
        haul_error_hint(error, "run the program with the libhaul that it was compiled for");
        return HAUL_UNSUPPORTED;
    }
    memcpy(ours, theirs, common);
    memcpy(ours, &our_size_bytes, sizeof(our_size_bytes));
    return HAUL_OK;
}
