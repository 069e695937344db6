/* SPDX-License-Identifier: Apache-2.0 */
/* move_overlap.c — sorts the ranges of each column family by their starts: if any two overlap, two
 * neighbours do. A move without families belongs to each, and to those that no move names. */
#include "move_overlap.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANGE_TEXT_BYTES_MAX = 48 };

struct piece {
    size_t move;
    struct haul_range range;
};

struct pieces {
    struct piece *items;
    size_t count;
};

static int compare_keys(struct haul_slice a, struct haul_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left;
    const struct piece *b = right;
    int order = compare_keys(a->range.start, b->range.start);
    return order != 0 ? order : (a->move > b->move) - (a->move < b->move);
}

static bool has_name(const struct name_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* `family` "": those that no move names. */
static bool moves_family(const struct send_move *move, const char *family)
{
    return move->families.count == 0 || (family[0] != '\0' && has_name(&move->families, family));
}

static void gather(const struct send_plan *plan, const char *family, struct pieces *pieces)
{
    static const struct haul_range everything;
    pieces->count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct range_list *ranges = &plan->moves[i].ranges;
        size_t count = ranges->count == 0 ? 1 : ranges->count;
        for (size_t j = 0; j < count && moves_family(&plan->moves[i], family); j++) {
            pieces->items[pieces->count++] = (struct piece){
                .move = i, .range = ranges->count == 0 ? everything : ranges->ranges[j]};
        }
    }
    qsort(pieces->items, pieces->count, sizeof(*pieces->items), compare_pieces);
}

static void format(const struct haul_range *range, char text[RANGE_TEXT_BYTES_MAX])
{
    if (range->start.size == 0 && range->end.size == 0) {
        (void)snprintf(text, RANGE_TEXT_BYTES_MAX, "all keys");
    } else {
        range_option_format(range, text, RANGE_TEXT_BYTES_MAX);
    }
}

static enum haul_status refuse(const struct piece *a, const struct piece *b, const char *family,
                               struct haul_error *error)
{
    char first[RANGE_TEXT_BYTES_MAX];
    char second[RANGE_TEXT_BYTES_MAX];
    bool in_order = a->move <= b->move;
    format(in_order ? &a->range : &b->range, first);
    format(in_order ? &b->range : &a->range, second);
    haul_error_set(error, HAUL_INVALID, NULL, 0,
                   "moves[%zu] and moves[%zu] overlap%s%.40s: %s and %s",
                   in_order ? a->move : b->move, in_order ? b->move : a->move,
                   family[0] == '\0' ? "" : " in column family ", family, first, second);
    haul_error_hint(error, "cover each key by one range or prefix of one move; the end of a range "
                           "is exclusive");
    return HAUL_INVALID;
}

static enum haul_status check_family(const struct send_plan *plan, const char *family,
                                     struct pieces *pieces, struct haul_error *error)
{
    gather(plan, family, pieces);
    for (size_t i = 1; i < pieces->count; i++) {
        const struct piece *before = &pieces->items[i - 1];
        const struct piece *piece = &pieces->items[i];
        if (before->range.end.size == 0 ||
            compare_keys(piece->range.start, before->range.end) < 0) {
            return refuse(before, piece, family, error);
        }
    }
    return HAUL_OK;
}

/* The names of all moves, each once. Errors: INVALID (too many). */
static enum haul_status collect(const struct send_plan *plan, struct name_list *names,
                                struct haul_error *error)
{
    names->count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct name_list *families = &plan->moves[i].families;
        for (size_t j = 0; j < families->count; j++) {
            if (has_name(names, families->names[j])) {
                continue;
            }
            if (names->count == HAUL_FAMILY_COUNT_MAX) {
                return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                      "the moves name more than %d column families",
                                      HAUL_FAMILY_COUNT_MAX);
            }
            names->names[names->count++] = families->names[j];
        }
    }
    return HAUL_OK;
}

static size_t count_ranges(const struct send_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        count += plan->moves[i].ranges.count == 0 ? 1 : plan->moves[i].ranges.count;
    }
    return count;
}

enum haul_status move_overlap_check(const struct send_plan *plan, struct haul_error *error)
{
    struct name_list names;
    struct pieces pieces = {.items = calloc(count_ranges(plan) + 1, sizeof(*pieces.items))};
    if (pieces.items == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a plan");
    }
    enum haul_status status = collect(plan, &names, error);
    if (status == HAUL_OK) {
        status = check_family(plan, "", &pieces, error);
    }
    for (size_t i = 0; i < names.count && status == HAUL_OK; i++) {
        status = check_family(plan, names.names[i], &pieces, error);
    }
    free(pieces.items);
    return status;
}
