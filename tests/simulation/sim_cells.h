/* SPDX-License-Identifier: Apache-2.0 */
/* sim_cells.h — the key space of a simulated world, cut into cells.
 *
 * A cell is one span of keys in one column family. Every range that a job moves begins and ends at
 * the edge of a span, so a set of cells, one bit each, says exactly what a job, a record or a
 * database is about. The first span begins with the empty key, the last one has no end. */
#ifndef HAUL_SIM_CELLS_H
#define HAUL_SIM_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "haul/migration.h"
#include "sim_random.h"

enum {
    SIM_FAMILY_COUNT = 3,
    SIM_SPAN_COUNT = 6,
    SIM_CELL_COUNT = SIM_FAMILY_COUNT * SIM_SPAN_COUNT,
    SIM_KEY_BYTES_MAX = 6000,
};

#define SIM_CELLS_ALL ((UINT32_C(1) << SIM_CELL_COUNT) - 1)

const char *sim_family_name(uint32_t family);
/* The number of the family of that name; SIM_FAMILY_COUNT if there is none. */
uint32_t sim_family_number(const char *name);

struct haul_slice sim_span_start(uint32_t span);
/* Of size 0 for the last one: to the end of the family. */
struct haul_slice sim_span_end(uint32_t span);

uint32_t sim_cell_index(uint32_t family, uint32_t span);
uint32_t sim_cells_of_family(uint32_t family);
/* The set with only the key's cell. */
uint32_t sim_cell_of(uint32_t family, struct haul_slice key);
/* The cells that [begin, end) touches; `end` of size 0: to the end of the family. */
uint32_t sim_cells_of_range(uint32_t family, struct haul_slice begin, struct haul_slice end);

uint32_t sim_cell_count(uint32_t cells);
/* The index of a random member of `cells`, which is not empty. */
uint32_t sim_cell_pick(struct sim_random *random, uint32_t cells);
/* Write a random key of the cell to `memory` (SIM_KEY_BYTES_MAX); `long_parts` of ten thousand are
 * long. */
struct haul_slice sim_cell_key(struct sim_random *random, uint32_t index, uint32_t long_parts,
                               uint8_t *memory);

/* A request to move every cell of some families and some spans. */
struct sim_request {
    uint32_t cells;
    bool everything; /* the request names no families or ranges */
    const char *families[SIM_FAMILY_COUNT];
    uint32_t family_count;
    struct haul_range ranges[SIM_SPAN_COUNT];
    uint32_t range_count;
};

/* A random part of `cells`, which is not empty: a product of families and spans. `whole_parts` of
 * ten thousand take as much as possible. */
void sim_request_draw(struct sim_request *request, struct sim_random *random, uint32_t cells,
                      uint32_t whole_parts);

/* "default c..h, m..q; alpha ...", for messages. */
void sim_cells_format(uint32_t cells, char *text, size_t size_bytes);

#endif
