/* SPDX-License-Identifier: Apache-2.0 */
/* owner_pieces.c — cuts the ranges that were handed over to a selection. */
#include "owner_pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool owner_selects(const struct haul_owner_selection *selection, const char *family)
{
    bool selected = selection->family_count == 0;
    for (size_t i = 0; i < selection->family_count; i++) {
        selected = selected || strcmp(selection->families[i], family) == 0;
    }
    return selected;
}

/* Errors: NO_MEMORY; INVALID when nothing is left between the two bounds. */
static enum haul_status add_piece(struct owner_pieces *pieces, const char *family,
                                  struct haul_slice start, struct haul_slice end)
{
    struct owner_piece piece = {.family = ""};
    enum haul_status status = key_range_init(&piece.range, start, end);
    if (status != HAUL_OK) {
        return status;
    }
    struct owner_piece *items =
        realloc(pieces->items, (pieces->count + 1) * sizeof(*pieces->items));
    if (items == NULL) {
        key_range_fini(&piece.range);
        return HAUL_NO_MEMORY;
    }
    (void)snprintf(piece.family, sizeof(piece.family), "%s", family);
    pieces->items = items;
    items[pieces->count++] = piece;
    return HAUL_OK;
}

/* Add the overlap of the part and the range, if any. */
static enum haul_status add_common(struct owner_pieces *pieces, const char *family,
                                   const struct key_range *part, const struct haul_range *range)
{
    struct haul_slice start = range->start;
    struct haul_slice end = range->end;
    return key_range_clip(part, &start, &end) ? add_piece(pieces, family, start, end) : HAUL_OK;
}

enum haul_status owner_pieces_add(struct owner_pieces *pieces, const struct ownership *ownership,
                                  const char *family, const struct haul_owner_selection *selection,
                                  struct haul_error *error)
{
    static const struct haul_range everything;
    const struct range_map *map = ownership_map(ownership, family);
    bool all = selection->range_count == 0;
    size_t range_count = all ? 1 : selection->range_count;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; map != NULL && i < map->count; i++) {
        for (size_t j = 0; j < range_count && status == HAUL_OK; j++) {
            const struct range_map_part *part = &map->parts[i];
            if (part->mark.state == OWNERSHIP_RELEASED) {
                status = add_common(pieces, family, &part->range,
                                    all ? &everything : &selection->ranges[j]);
            }
        }
    }
    return status == HAUL_OK
               ? HAUL_OK
               : haul_error_set(error, status, "malloc", 0, "no memory for the ranges");
}

enum haul_status owner_pieces_add_all(struct owner_pieces *pieces,
                                      const struct ownership *ownership,
                                      const struct haul_owner_selection *selection,
                                      struct haul_error *error)
{
    bool named = selection->family_count > 0;
    size_t count = named ? selection->family_count : ownership->family_count;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        const char *family = named ? selection->families[i] : ownership->families[i].name;
        status = owner_pieces_add(pieces, ownership, family, selection, error);
    }
    return status;
}

void owner_pieces_fini(struct owner_pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++) {
        key_range_fini(&pieces->items[i].range);
    }
    free(pieces->items);
    memset(pieces, 0, sizeof(*pieces));
}
