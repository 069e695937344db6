/* SPDX-License-Identifier: Apache-2.0 */
/* sim_cells.c — spans, cells and requests. */
#include "sim_cells.h"

#include <stdio.h>
#include <string.h>

#include "sim_gates.h"

enum { SHORT_KEY_BYTES = 8, LONG_KEY_BYTES_MIN = 4000 };

static const char *const names[SIM_FAMILY_COUNT] = {"default", "alpha", "beta"};

/* Where the spans begin. One edge lies inside a letter, one needs a zero byte. */
static const struct haul_slice edges[SIM_SPAN_COUNT] = {
    {.data = (const uint8_t *)"", .size = 0},      {.data = (const uint8_t *)"c", .size = 1},
    {.data = (const uint8_t *)"e5", .size = 2},    {.data = (const uint8_t *)"h", .size = 1},
    {.data = (const uint8_t *)"m\x00", .size = 2}, {.data = (const uint8_t *)"q", .size = 1},
};

/* First letters of a span's keys: from ... to. */
static const char letters[SIM_SPAN_COUNT][2] = {{'a', 'b'}, {'c', 'e'}, {'e', 'g'},
                                                {'h', 'm'}, {'m', 'p'}, {'q', 't'}};

const char *sim_family_name(uint32_t family)
{
    return names[family];
}

uint32_t sim_family_number(const char *name)
{
    uint32_t number = 0;
    while (number < SIM_FAMILY_COUNT && strcmp(names[number], name) != 0) {
        number++;
    }
    return number;
}

struct haul_slice sim_span_start(uint32_t span)
{
    return edges[span];
}

struct haul_slice sim_span_end(uint32_t span)
{
    return span + 1 < SIM_SPAN_COUNT ? edges[span + 1] : (struct haul_slice){0};
}

static uint32_t span_of(struct haul_slice key)
{
    uint32_t span = SIM_SPAN_COUNT - 1;
    while (span > 0 && slice_compare(key, edges[span]) < 0) {
        span--;
    }
    return span;
}

uint32_t sim_cell_index(uint32_t family, uint32_t span)
{
    return family * SIM_SPAN_COUNT + span;
}

uint32_t sim_cells_of_family(uint32_t family)
{
    return ((UINT32_C(1) << SIM_SPAN_COUNT) - 1) << sim_cell_index(family, 0);
}

uint32_t sim_cell_of(uint32_t family, struct haul_slice key)
{
    return UINT32_C(1) << sim_cell_index(family, span_of(key));
}

uint32_t sim_cells_of_range(uint32_t family, struct haul_slice begin, struct haul_slice end)
{
    uint32_t cells = 0;
    for (uint32_t span = 0; span < SIM_SPAN_COUNT; span++) {
        struct haul_slice span_end = sim_span_end(span);
        bool starts = end.size == 0 || slice_compare(edges[span], end) < 0;
        bool ends = span_end.size == 0 || slice_compare(begin, span_end) < 0;
        cells |= starts && ends ? UINT32_C(1) << sim_cell_index(family, span) : 0;
    }
    return cells;
}

uint32_t sim_cell_count(uint32_t cells)
{
    return (uint32_t)__builtin_popcount(cells);
}

uint32_t sim_cell_pick(struct sim_random *random, uint32_t cells)
{
    uint32_t skip = sim_random_below(random, sim_cell_count(cells));
    while (skip-- > 0) {
        cells &= cells - 1;
    }
    return (uint32_t)__builtin_ctz(cells);
}

struct haul_slice sim_cell_key(struct sim_random *random, uint32_t index, uint32_t long_parts,
                               uint8_t *memory)
{
    static const uint8_t bytes[] = {0x00, '0', '1', '5', '9', 0x80, 0xff};
    uint32_t span = index % SIM_SPAN_COUNT;
    bool is_long = sim_random_chance(random, long_parts);
    size_t size;
    if (SIM_GATE_EMPTY && span == 0 && sim_random_below(random, 12) == 0) {
        return slice_of(memory, 0);
    }
    do {
        uint32_t count = (uint32_t)(letters[span][1] - letters[span][0]) + 1;
        memory[0] = (uint8_t)((uint32_t)letters[span][0] + sim_random_below(random, count));
        size = 1;
        while (size < SHORT_KEY_BYTES && sim_random_below(random, 10) < (size < 3 ? 8 : 3)) {
            memory[size++] = bytes[sim_random_below(random, sizeof(bytes))];
        }
        if (is_long) {
            size_t wanted = LONG_KEY_BYTES_MIN +
                            sim_random_below(random, SIM_KEY_BYTES_MAX - LONG_KEY_BYTES_MIN);
            memset(memory + size, '7', wanted - size);
            size = wanted;
        }
    } while (span_of(slice_of(memory, size)) != span);
    return slice_of(memory, size);
}

/* --- requests --------------------------------------------------------------------------------- */

/* The spans of the family that `cells` contains, one bit each. */
static uint32_t spans_in(uint32_t cells, uint32_t family)
{
    return cells >> sim_cell_index(family, 0) & ((UINT32_C(1) << SIM_SPAN_COUNT) - 1);
}

/* Neighbours sometimes merge into one range. */
static void add_ranges(struct sim_request *request, struct sim_random *random, uint32_t spans)
{
    bool merges = sim_random_below(random, 4) != 0;
    for (uint32_t span = 0; span < SIM_SPAN_COUNT; span++) {
        if ((spans >> span & 1) == 0) {
            continue;
        }
        bool follows = span > 0 && (spans >> (span - 1) & 1) != 0;
        if (!merges || !follows) {
            request->ranges[request->range_count++].start = edges[span];
        }
        request->ranges[request->range_count - 1].end = sim_span_end(span);
    }
}

static void fill(struct sim_request *request, struct sim_random *random, uint32_t families,
                 uint32_t spans)
{
    memset(request, 0, sizeof(*request));
    for (uint32_t family = 0; family < SIM_FAMILY_COUNT; family++) {
        if ((families >> family & 1) != 0) {
            request->families[request->family_count++] = names[family];
            request->cells |= spans << sim_cell_index(family, 0);
        }
    }
    add_ranges(request, random, spans);
    request->everything = request->cells == SIM_CELLS_ALL && sim_random_below(random, 2) == 0;
}

void sim_request_draw(struct sim_request *request, struct sim_random *random, uint32_t cells,
                      uint32_t whole_parts)
{
    uint32_t first = sim_cell_pick(random, cells) / SIM_SPAN_COUNT;
    bool whole = sim_random_chance(random, whole_parts);
    uint32_t spans = spans_in(cells, first);
    while (!whole && sim_cell_count(spans) > 1 && sim_random_below(random, 3) != 0) {
        spans &= ~(UINT32_C(1) << sim_cell_pick(random, spans));
    }
    uint32_t families = UINT32_C(1) << first;
    for (uint32_t family = 0; family < SIM_FAMILY_COUNT; family++) {
        bool has = (spans_in(cells, family) & spans) == spans;
        bool wanted = whole || sim_random_below(random, 2) == 0;
        families |= has && wanted ? UINT32_C(1) << family : 0;
    }
    fill(request, random, families, spans);
}

void sim_cells_format(uint32_t cells, char *text, size_t size_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t family = 0; family < SIM_FAMILY_COUNT; family++) {
        uint32_t spans = spans_in(cells, family);
        char digits[SIM_SPAN_COUNT + 1] = "";
        for (uint32_t span = 0; span < SIM_SPAN_COUNT; span++) {
            digits[span] = (spans >> span & 1) != 0 ? (char)('0' + span) : '-';
        }
        if (spans != 0 && used < size_bytes) {
            int length = snprintf(text + used, size_bytes - used, "%s%s %s", used > 0 ? ", " : "",
                                  names[family], digits);
            used += length > 0 ? (size_t)length : 0;
        }
    }
}
