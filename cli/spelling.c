/* SPDX-License-Identifier: Apache-2.0 */
/* spelling.c — computes the optimal string alignment distance. */
#include "spelling.h"

#include <stdint.h>
#include <string.h>

enum { WORD_BYTES_MAX = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t spelling_distance(const char *a, const char *b)
{
    /* The table's rows for the last three prefixes of `a`. */
    size_t rows[3][WORD_BYTES_MAX];
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size >= WORD_BYTES_MAX || b_size >= WORD_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_size; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_size % 3][b_size];
}

size_t spelling_distance_max(const char *given)
{
    size_t third = strlen(given) / 3;
    return third < 1 ? 1 : third;
}
