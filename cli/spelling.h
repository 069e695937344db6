/* SPDX-License-Identifier: Apache-2.0 */
/* spelling.h — how far two words are apart: for "did you mean". */
#ifndef HAUL_SPELLING_H
#define HAUL_SPELLING_H

#include <stddef.h>

/* The smallest number of letters to add, remove, replace or swap with their neighbour that makes
 * `b` of `a`. Words longer than 63 bytes are SIZE_MAX apart. */
size_t spelling_distance(const char *a, const char *b);

/* The larger distance at which `given` still looks like a mistyped `word`: a third of it. */
size_t spelling_distance_max(const char *given);

#endif
