/* SPDX-License-Identifier: Apache-2.0 */
/* verify_difference.c — reads two stores side by side, up to the first record that differs. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "haul/verify.h"
#include "key_range.h"
#include "sized_options.h"

/* Records between two checks for cancellation. */
enum { CANCEL_INTERVAL = 4096 };

struct side {
    struct haul_store *store;
    struct haul_family family;
    struct haul_scan *scan;
    struct haul_record record;
    bool ended;
};

static enum haul_status find_family(struct side *side, const char *name, struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    size_t count = 0;
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to compare");
    }
    enum haul_status status =
        side->store->ops->families(side->store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    bool found = false;
    for (size_t i = 0; status == HAUL_OK && i < count && !found; i++) {
        found = strcmp(families[i].name, name) == 0;
        side->family = families[i];
    }
    free(families);
    return status == HAUL_OK && !found ? HAUL_NOT_FOUND : status;
}

/* 1: bytes ascend, -1: they descend, 0: another order. */
static int direction_of(const struct side *a, const struct side *b)
{
    const char *name = a->family.comparator;
    if (strcmp(name, b->family.comparator) != 0) {
        return 0;
    }
    return strcmp(name, HAUL_COMPARATOR_BYTEWISE) == 0  ? 1
           : strcmp(name, HAUL_COMPARATOR_REVERSE) == 0 ? -1
                                                        : 0;
}

static enum haul_status step(struct side *side, struct haul_error *error)
{
    enum haul_status status = side->store->ops->scan_next(side->scan, &side->record, error);
    side->ended = status == HAUL_NOT_FOUND;
    return side->ended ? HAUL_OK : status;
}

static bool is_equal(struct haul_slice a, struct haul_slice b)
{
    return slice_compare(a, b) == 0;
}

/* Both are at a record, or at the end. False: they are equal here. */
static bool differ(const struct side *a, const struct side *b, int direction,
                   struct haul_verify_difference *difference)
{
    int order = a->ended || b->ended ? (a->ended ? 1 : 0) - (b->ended ? 1 : 0)
                                     : direction * slice_compare(a->record.key, b->record.key);
    difference->in_a = order <= 0 && !a->ended;
    difference->in_b = order >= 0 && !b->ended;
    if (order == 0) {
        return !a->ended && !is_equal(a->record.value, b->record.value);
    }
    return true;
}

static enum haul_status keep_key(const struct side *a, const struct side *b,
                                 struct haul_verify_difference *difference,
                                 struct haul_error *error)
{
    struct haul_slice key = difference->in_a ? a->record.key : b->record.key;
    uint8_t *copy = malloc(key.size + 1);
    if (copy == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
    }
    memcpy(copy, key.size > 0 ? key.data : (const uint8_t *)"", key.size);
    difference->key = slice_of(copy, key.size);
    return HAUL_OK;
}

static enum haul_status walk(struct side *a, struct side *b, int direction,
                             const struct haul_verify_options *options,
                             struct haul_verify_difference *difference, struct haul_error *error)
{
    for (uint64_t i = 1;; i++) {
        enum haul_status status = step(a, error);
        if (status == HAUL_OK) {
            status = step(b, error);
        }
        if (status != HAUL_OK) {
            return status;
        }
        if (differ(a, b, direction, difference)) {
            return keep_key(a, b, difference, error);
        }
        if (a->ended && b->ended) {
            return HAUL_NOT_FOUND;
        }
        if (i % CANCEL_INTERVAL == 0 && options->is_cancelled != NULL &&
            options->is_cancelled(options->context)) {
            return haul_error_set(error, HAUL_STOPPED, NULL, 0, "verification stopped");
        }
    }
}

static enum haul_status open_side(struct side *side, const struct haul_range *range,
                                  struct haul_error *error)
{
    enum haul_status status = key_range_check_order(range->start, range->end, side->family.name,
                                                    side->family.comparator, error);
    side->ended = false;
    if (status != HAUL_OK) {
        return status;
    }
    return side->store->ops->scan_open(side->store, NULL, side->family.id, range->start, range->end,
                                       &side->scan, error);
}

static void close_side(struct side *side)
{
    if (side->scan != NULL) {
        side->store->ops->scan_close(side->scan);
        side->scan = NULL;
    }
}

static enum haul_status first_difference(struct haul_store *a_store, struct haul_store *b_store,
                                         const struct haul_verify_options *options,
                                         const char *family,
                                         struct haul_verify_difference *difference,
                                         struct haul_error *error)
{
    static const struct haul_range everything = {{NULL, 0}, {NULL, 0}};
    const struct haul_range *ranges = options->range_count == 0 ? &everything : options->ranges;
    size_t count = options->range_count == 0 ? 1 : options->range_count;
    struct side a = {.store = a_store};
    struct side b = {.store = b_store};
    enum haul_status status = find_family(&a, family, error);
    if (status == HAUL_OK) {
        status = find_family(&b, family, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    int direction = direction_of(&a, &b);
    if (direction == 0) {
        return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                              "column family '%s' has key orders that cannot be compared", family);
    }
    status = HAUL_NOT_FOUND;
    for (size_t i = 0; i < count && status == HAUL_NOT_FOUND; i++) {
        status = open_side(&a, &ranges[i], error);
        if (status == HAUL_OK) {
            status = open_side(&b, &ranges[i], error);
        }
        if (status == HAUL_OK) {
            status = walk(&a, &b, direction, options, difference, error);
        }
        close_side(&a);
        close_side(&b);
    }
    return status;
}

enum haul_status haul_verify_first_difference(struct haul_store *a, struct haul_store *b,
                                              const struct haul_verify_options *given,
                                              const char *family,
                                              struct haul_verify_difference *difference,
                                              struct haul_error *error)
{
    struct haul_verify_options options;
    enum haul_status status =
        sized_options_take(&options, sizeof(options),
                           SIZED_OPTIONS_END(struct haul_verify_options, context), given, error);
    return status == HAUL_OK ? first_difference(a, b, &options, family, difference, error) : status;
}
