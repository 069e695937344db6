/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_clear.c — removes every record of a range and frees its space.
 *
 * One tombstone removes any number of records at once; the following compaction takes the time. So
 * a large range is cut into pieces, each with its own tombstone, flush and compaction. A caller
 * that ends the steps stops this after a piece: one tombstone then removes the rest, without a
 * compaction. */
#include <stdlib.h>

#include "call_steps.h"
#include "rocks_size.h"

enum {
    PIECE_COUNT_MAX = 256,
    STYLE_LEVEL = 0, /* rocksdb::kCompactionStyleLevel */
};

/* [first, end); or up to `last`, including it, when `closed`. */
struct stretch {
    struct haul_slice first;
    struct haul_slice last;
    bool closed;
};

/* --- one stretch ------------------------------------------------------------------------------ */

static enum haul_status bury(struct rocks_store *store, const struct rocks_family *family,
                             const struct stretch *stretch, struct haul_error *error)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_delete_range_cf(batch, family->handle, (const char *)stretch->first.data,
                                       stretch->first.size, (const char *)stretch->last.data,
                                       stretch->last.size);
    if (stretch->closed) { /* no largest key exists that could end a tombstone */
        rocksdb_writebatch_delete_cf(batch, family->handle, (const char *)stretch->last.data,
                                     stretch->last.size);
    }
    rocks_close_batch(store, batch);
    enum haul_status status = rocks_write(store, store->write_options, batch, "clear range", error);
    rocksdb_writebatch_destroy(batch);
    return status == HAUL_OK ? rocks_flush_family(store, family, error) : status;
}

/* Leaves no tombstones, which would push later ingested files up in the tree and make them take
 * sequence numbers. Includes the bottommost level: otherwise a file of only tombstones would just
 * move there. */
static void compact(struct rocks_store *store, const struct rocks_family *family,
                    const struct stretch *stretch)
{
    enum { FORCE_OPTIMIZED = 3 }; /* rocksdb::BottommostLevelCompaction */
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
    rocksdb_compactoptions_set_bottommost_level_compaction(options, FORCE_OPTIMIZED);
    rocksdb_compact_range_cf_opt(store->db, family->handle, options,
                                 (const char *)stretch->first.data, stretch->first.size,
                                 (const char *)stretch->last.data, stretch->last.size);
    rocksdb_compactoptions_destroy(options);
}

/* --- pieces ----------------------------------------------------------------------------------- */

enum haul_status rocks_clear_pieces(struct rocks_store *store, const struct rocks_family *family,
                                    const struct haul_slice edges[2], const struct rocks_cuts *cuts,
                                    const struct haul_steps *steps, struct haul_error *error)
{
    struct stretch stretch = {.first = edges[0]};
    enum haul_status status = HAUL_OK;
    bool goes_on = cuts->compacts;
    for (size_t i = 0; i <= cuts->count && status == HAUL_OK; i++) {
        goes_on = goes_on && steps_next(steps);
        stretch.closed = i == cuts->count || !goes_on;
        stretch.last = stretch.closed ? edges[1] : cuts->keys[i];
        status = bury(store, family, &stretch, error);
        if (status != HAUL_OK || !goes_on) {
            break;
        }
        compact(store, family, &stretch);
        stretch.first = stretch.last;
    }
    return status;
}

/* Find the keys to cut at. On failure the range is one piece. */
static void find_cuts(struct rocks_store *store, const struct rocks_family *family,
                      const struct haul_slice edges[2], struct rocks_cuts *cuts)
{
    struct haul_error ignored;
    uint64_t bytes = 0;
    uint32_t id = family->family.id;
    bool level = rocksdb_options_get_compaction_style(family->options) == STYLE_LEVEL;
    /* An empty end would mean the family's end. */
    if (edges[1].size == 0 ||
        rocks_range_size(&store->base, id, edges[0], edges[1], &bytes, &ignored) != HAUL_OK) {
        bytes = 0;
    }
    /* Other styles compact the whole family, however small the range. */
    cuts->compacts = level || bytes <= ROCKS_CLEAR_PIECE_BYTES;
    size_t wanted = (size_t)(bytes / ROCKS_CLEAR_PIECE_BYTES);
    wanted = wanted < PIECE_COUNT_MAX ? wanted : PIECE_COUNT_MAX - 1;
    cuts->keys = level && wanted > 0 ? calloc(wanted, sizeof(*cuts->keys)) : NULL;
    if (cuts->keys != NULL && rocks_range_split(&store->base, id, edges[0], edges[1], cuts->keys,
                                                wanted, &cuts->count, &ignored) != HAUL_OK) {
        cuts->count = 0;
    }
}

enum haul_status rocks_range_clear(struct haul_store *base, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end,
                                   const struct haul_steps *steps, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    struct haul_slice edges[2];
    enum haul_status status = rocks_place_check(base, error);
    if (status == HAUL_OK) {
        status = rocks_family(store, family_id, &family, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    rocks_ingested_forget(base, family_id, start, end);
    status = rocks_edge_keys(store, family, start, end, edges, error);
    if (status == HAUL_NOT_FOUND) { /* leave no tombstone; but the emptiness must be durable */
        return rocks_flush_family(store, family, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct rocks_cuts cuts = {.keys = NULL};
    find_cuts(store, family, edges, &cuts);
    status = rocks_clear_pieces(store, family, edges, &cuts, steps, error);
    for (size_t i = 0; i < cuts.count; i++) {
        rocks_free_key(cuts.keys[i]);
    }
    free(cuts.keys);
    rocks_free_key(edges[0]);
    rocks_free_key(edges[1]);
    return status;
}
