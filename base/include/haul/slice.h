/* SPDX-License-Identifier: Apache-2.0 */
/* slice.h — borrowed bytes. */
#ifndef HAUL_SLICE_H
#define HAUL_SLICE_H

#include <stddef.h>
#include <stdint.h>

/* `size` bytes with another owner; `data` may be NULL when `size` is 0. */
struct haul_slice {
    const uint8_t *data;
    size_t size;
};

#endif
