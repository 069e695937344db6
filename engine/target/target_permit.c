/* SPDX-License-Identifier: Apache-2.0 */
/* target_permit.c — compares families and ranges with those that the receiver takes. */
#include "target_permit.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "key_range.h"

/* Is [.., a) a part of [.., b)? Size 0: unbounded. */
static bool ends_by(struct haul_slice a, struct haul_slice b)
{
    return b.size == 0 || (a.size > 0 && slice_compare(a, b) <= 0);
}

/* An allowed range that has the key `start`; NULL: none. */
static const struct haul_range *find_allowed(const struct haul_target_options *target,
                                             struct haul_slice start)
{
    for (size_t i = 0; i < target->only_range_count; i++) {
        const struct haul_range *range = &target->only_ranges[i];
        bool begins = slice_compare(range->start, start) <= 0;
        if (begins && (range->end.size == 0 || slice_compare(range->end, start) > 0)) {
            return range;
        }
    }
    return NULL;
}

static bool is_covered(const struct haul_target_options *target, const struct haul_range *range)
{
    const struct haul_range *allowed = find_allowed(target, range->start);
    while (allowed != NULL && !ends_by(range->end, allowed->end)) {
        allowed = find_allowed(target, allowed->end); /* touches or overlaps it */
    }
    return allowed != NULL;
}

bool target_permit_takes(const struct haul_target_options *target, const char *family)
{
    bool found = target->only_family_count == 0;
    for (size_t i = 0; i < target->only_family_count && !found; i++) {
        found = strcmp(target->only_families[i], family) == 0;
    }
    return found;
}

static enum haul_status check_family(const struct haul_target_options *target, const char *family,
                                     struct haul_error *error)
{
    bool found = target_permit_takes(target, family);
    if (!found) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the receiver does not take column family '%s'", family);
        haul_error_hint(error, "select others with `--cf`, or start the receiver with `--only-cf` "
                               "for it as well");
    }
    return found ? HAUL_OK : HAUL_UNSUPPORTED;
}

static enum haul_status check_range(const struct haul_target_options *target,
                                    const struct haul_range *range, struct haul_error *error)
{
    char start[96] = "its beginning";
    char end[96] = "its end";
    if (target->only_range_count == 0 || is_covered(target, range)) {
        return HAUL_OK;
    }
    if (range->start.size > 0) {
        key_format(range->start, start, sizeof(start));
    }
    if (range->end.size > 0) {
        key_format(range->end, end, sizeof(end));
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "the receiver does not take all keys from %s to %s", start, end);
    haul_error_hint(error, "select less with `--range` or `--prefix`, or start the receiver with "
                           "`--only-range` for them as well");
    return HAUL_UNSUPPORTED;
}

enum haul_status target_permit_check(const struct haul_target_options *target,
                                     const struct plan *plan, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        status = check_family(target, plan->families[i].family.name, error);
    }
    for (size_t i = 0; i < plan->range_count && status == HAUL_OK; i++) {
        const struct haul_range range = {.start = key_range_start(&plan->ranges[i]),
                                         .end = key_range_end(&plan->ranges[i])};
        status = check_range(target, &range, error);
    }
    return status;
}

enum haul_status target_permit_check_family(const struct haul_target_options *target,
                                            const char *family, const struct haul_range *ranges,
                                            size_t range_count, struct haul_error *error)
{
    static const struct haul_range all = {.start = {NULL, 0}};
    enum haul_status status = check_family(target, family, error);
    if (status == HAUL_OK && range_count == 0) {
        status = check_range(target, &all, error);
    }
    for (size_t i = 0; i < range_count && status == HAUL_OK; i++) {
        status = check_range(target, &ranges[i], error);
    }
    return status;
}

void target_permit_explain(struct haul_error *error)
{
    char found[HAUL_ERROR_TEXT_BYTES_MAX];
    (void)snprintf(found, sizeof(found), "%s", error->text);
    haul_error_set(error, HAUL_NOT_EMPTY, NULL, 0, "the receiver does not allow --overwrite: %s",
                   found);
    haul_error_hint(error, "if these records may be replaced: start the receiver with "
                           "`--allow-overwrite`");
}

enum haul_status target_permit_check_options(const struct haul_target_options *target,
                                             struct haul_error *error)
{
    for (size_t i = 0; i < target->only_family_count; i++) {
        const char *name = target->only_families[i];
        if (name == NULL || name[0] == '\0') {
            return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                  "a column family that the target takes has no name");
        }
    }
    for (size_t i = 0; i < target->only_range_count; i++) {
        const struct haul_range *range = &target->only_ranges[i];
        if (!(range->end.size == 0 || slice_compare(range->start, range->end) < 0)) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                  "a range that the target takes has no key");
        }
    }
    return HAUL_OK;
}
