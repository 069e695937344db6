/* SPDX-License-Identifier: Apache-2.0 */
/* load_options.c — fills in and checks the options of a load. */
#include "load_options.h"

#include <stdlib.h>
#include <string.h>

#include "load_record.h"

static int compare(struct haul_slice a, struct haul_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static bool holds(const struct haul_range *range, struct haul_slice key)
{
    return compare(range->start, key) <= 0 &&
           (range->end.size == 0 || compare(key, range->end) < 0);
}

enum haul_status load_options_check(const struct load_options *options,
                                    const struct haul_range *ranges, size_t range_count,
                                    struct haul_error *error)
{
    char first[LOAD_KEY_BYTES_MAX + 16];
    char last[LOAD_KEY_BYTES_MAX + 16];
    struct haul_slice low = load_record_key(options->prefix, 0, first, sizeof(first));
    struct haul_slice high =
        load_record_key(options->prefix, options->key_count - 1, last, sizeof(last));
    bool inside = range_count == 0;
    for (size_t i = 0; i < range_count && !inside; i++) {
        inside = holds(&ranges[i], low) && holds(&ranges[i], high);
    }
    if (inside) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_INVALID, NULL, 0, "keys of the load lie outside the range: %s",
                   first);
    haul_error_hint(error, "choose a --load-prefix inside the range");
    return HAUL_INVALID;
}

enum haul_status load_options_family(const struct load_options *options, struct haul_store *store,
                                     uint32_t *id, struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    size_t count = 0;
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the families");
    }
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    bool found = false;
    for (size_t i = 0; status == HAUL_OK && i < count && !found; i++) {
        found = strcmp(families[i].name, options->family) == 0;
        *id = families[i].id;
    }
    free(families);
    if (status == HAUL_OK && !found) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family '%s'",
                                options->family);
    }
    return status;
}

void load_options_resolve(const struct load_options *given, struct load_options *options)
{
    *options = *given;
    options->prefix = given->prefix == NULL ? "load:" : given->prefix;
    options->family = given->family == NULL ? "default" : given->family;
    options->key_count = given->key_count == 0 ? (uint32_t)LOAD_KEYS_DEFAULT : given->key_count;
    options->value_bytes =
        given->value_bytes == 0 ? (uint32_t)LOAD_VALUE_BYTES_DEFAULT : given->value_bytes;
    options->lead_ms = given->lead_ms == 0 ? (uint32_t)LOAD_LEAD_MS_DEFAULT : given->lead_ms;
}
