/* SPDX-License-Identifier: Apache-2.0 */
/* owner_pieces.h — the pieces of key ranges that were handed over and that an operator selects.
 * Thread: one at a time. */
#ifndef HAUL_OWNER_PIECES_H
#define HAUL_OWNER_PIECES_H

#include <stdbool.h>

#include "haul/owner.h"
#include "ownership.h"

struct owner_piece {
    char family[HAUL_NAME_BYTES_MAX]; /* "": every family without an entry of its own */
    struct key_range range;
};

/* Zeroed: none. */
struct owner_pieces {
    struct owner_piece *items;
    size_t count;
};

bool owner_selects(const struct haul_owner_selection *selection, const char *family);
/* Append the RELEASED ranges of a family, within the selection. Errors: NO_MEMORY. */
enum haul_status owner_pieces_add(struct owner_pieces *pieces, const struct ownership *ownership,
                                  const char *family, const struct haul_owner_selection *selection,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* The same for every family that the selection names or, without a selection, the record. */
enum haul_status owner_pieces_add_all(struct owner_pieces *pieces,
                                      const struct ownership *ownership,
                                      const struct haul_owner_selection *selection,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void owner_pieces_fini(struct owner_pieces *pieces);

#endif
