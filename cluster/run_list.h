/* SPDX-License-Identifier: Apache-2.0 */
/* run_list.h — the runs of hash slots with one owner, and how to cut a piece from them. */
#ifndef HAUL_CLUSTER_RUN_LIST_H
#define HAUL_CLUSTER_RUN_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "topology.h"

/* Slots `first` to `end` - 1 belong to `owner`. */
struct slot_run {
    uint32_t first;
    uint32_t end;
    uint32_t owner;
};

/* All slots in order; neighbours have different owners. */
struct run_list {
    struct slot_run runs[CLUSTER_SLOT_COUNT];
    size_t count;
    /* Sums over the slots before each one, `slot_count` + 1 of each. */
    const uint64_t *load_sums;
    const uint64_t *byte_sums;
};

/* What a piece must be like. A load is what is balanced: a number of slots or of bytes. */
struct piece_request {
    uint32_t from;
    uint32_t to;
    uint64_t load;      /* wanted, to the nearest slot */
    uint64_t bytes_max; /* a piece of one slot may be larger */
    uint32_t slots_max;
};

/* `sums` are borrowed. */
void run_list_init(struct run_list *list, const uint16_t *owners, size_t slot_count,
                   const uint64_t *load_sums, const uint64_t *byte_sums);

/* The piece that a giver should hand over next: a whole run, or one end of a run; a piece from the
 * middle only if none of these comes near enough. Prefers, in this order: the run that has just
 * this load; the piece that joins slots of the receiver; the shortest run that has enough; the
 * longest that has not. False: less than half of a slot is wanted, or `from` has none. */
bool run_list_piece(const struct run_list *list, const struct piece_request *request,
                    struct slot_run *piece);

/* Change the owner of `piece`, which lies in one run. */
void run_list_give(struct run_list *list, const struct slot_run *piece, uint32_t owner);

uint64_t run_list_load(const struct run_list *list, const struct slot_run *run);
uint64_t run_list_bytes(const struct run_list *list, const struct slot_run *run);

#endif
