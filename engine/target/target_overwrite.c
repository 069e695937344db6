/* SPDX-License-Identifier: Apache-2.0 */
/* target_overwrite.c — looks for records between the ranges that were given away. */
#include "target_overwrite.h"

#include <stdio.h>

#include "config_version.h"
#include "target_plan.h"

/* Errors: NO_MEMORY. */
static enum haul_status put_given(struct range_map *given, const struct range_map *map)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; map != NULL && i < map->count && status == HAUL_OK; i++) {
        const struct range_map_part *part = &map->parts[i];
        if (part->mark.state == OWNERSHIP_RELEASED) {
            status = range_map_put(given, &part->range, 1, &part->mark);
        }
    }
    return status;
}

static bool brings_back(const struct ownership *ownership, const struct plan *plan)
{
    bool any = false;
    for (size_t i = 0; i < plan->family_count && !any; i++) {
        const struct range_map *map = ownership_map(ownership, plan->families[i].family.name);
        for (size_t j = 0; j < plan->range_count && map != NULL && !any; j++) {
            any = range_map_find(map, &plan->ranges[j], OWNERSHIP_RELEASED) != NULL;
        }
    }
    return any;
}

/* The plan's records that are looked for. */
struct search {
    struct haul_store *store;
    const struct plan *plan;
    const struct plan *others;
    size_t other_count;
};

/* Errors: NOT_EMPTY, NO_MEMORY, those of the store. */
static enum haul_status check_gap(const struct search *search, size_t family,
                                  struct haul_slice start, struct haul_slice end,
                                  struct haul_error *error)
{
    struct key_range gap;
    enum haul_status status = key_range_init(&gap, start, end);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "malloc", 0, "no memory for a range");
    }
    const struct plan part = {.families = &search->plan->families[family],
                              .family_count = 1,
                              .ranges = &gap,
                              .range_count = 1};
    status =
        target_plan_check_empty(search->store, &part, search->others, search->other_count, error);
    key_range_fini(&gap);
    return status;
}

static enum haul_status check_family(const struct search *search, const struct ownership *ownership,
                                     size_t family, struct haul_error *error)
{
    const char *name = search->plan->families[family].family.name;
    struct range_map given = {.count = 0};
    enum haul_status status = put_given(&given, ownership_map(ownership, name));
    if (status != HAUL_OK) {
        haul_error_set(error, status, "malloc", 0, "no memory for the ranges");
    }
    for (size_t i = 0; i < search->plan->range_count && status == HAUL_OK; i++) {
        const struct key_range *range = &search->plan->ranges[i];
        struct haul_slice from = key_range_start(range);
        struct haul_slice start;
        struct haul_slice end;
        bool more = range_map_gap(&given, range, from, &start, &end);
        while (more && status == HAUL_OK) {
            status = check_gap(search, family, start, end, error);
            more = end.size > 0 && range_map_gap(&given, range, end, &start, &end);
        }
    }
    range_map_fini(&given);
    return status;
}

static enum haul_status refuse(struct haul_error *error)
{
    char found[HAUL_ERROR_TEXT_BYTES_MAX];
    (void)snprintf(found, sizeof(found), "%s", error->text);
    haul_error_set(error, HAUL_NOT_EMPTY, NULL, 0,
                   "the target gave away a part of these ranges and owns the rest, which "
                   "--overwrite would delete: %s",
                   found);
    haul_error_hint(error, "select what is to come back with `--range`, `--prefix` or `--cf` "
                           "(`haul owner` there lists what it gave away)");
    return HAUL_NOT_EMPTY;
}

enum haul_status target_overwrite_check(const struct haul_target_options *target,
                                        const struct plan *plan, const struct plan *others,
                                        size_t other_count, struct haul_error *error)
{
    const struct search search = {
        .store = target->store, .plan = plan, .others = others, .other_count = other_count};
    struct ownership ownership;
    if (!plan->overwrite || target->hooks.version_get != NULL) {
        return HAUL_OK;
    }
    enum haul_status status = config_version_read(target->store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t count = brings_back(&ownership, plan) ? plan->family_count : 0;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = check_family(&search, &ownership, i, error);
    }
    ownership_fini(&ownership);
    return status == HAUL_NOT_EMPTY ? refuse(error) : status;
}
