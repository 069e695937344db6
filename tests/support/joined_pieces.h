/* SPDX-License-Identifier: Apache-2.0 */
/* joined_pieces.h — a batch of pieces in one place, for stores that are written to in pieces. */
#ifndef HAUL_TESTS_JOINED_PIECES_H
#define HAUL_TESTS_JOINED_PIECES_H

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* The caller frees the data. NULL: no memory. */
static inline struct haul_slice joined_pieces(const struct haul_slice *pieces, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].size;
    }
    uint8_t *whole = malloc(size + 1);
    size = 0;
    for (size_t i = 0; whole != NULL && i < count; i++) {
        memcpy(whole + size, pieces[i].data, pieces[i].size);
        size += pieces[i].size;
    }
    return slice_of(whole, size);
}

#endif
