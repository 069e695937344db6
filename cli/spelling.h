/* SPDX-License-Identifier: Apache-2.0 */
/* spelling.h — the edit distance of two words, for "did you mean". */
#ifndef HAUL_SPELLING_H
#define HAUL_SPELLING_H

#include <stddef.h>

/* The smallest number of letters to add, remove, replace or swap with a neighbour that turns `a`
 * into `b`. Words longer than 63 bytes are SIZE_MAX apart. */
size_t spelling_distance(const char *a, const char *b);

/* The largest distance at which `given` still counts as a mistyped `word`: a third of its
 * length. */
size_t spelling_distance_max(const char *given);

#endif
