/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c — scanning for digests, and comparing them. */
#include "haul/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "digest.h"

/* Records between two questions whether to go on. */
enum { CANCEL_INTERVAL = 4096 };

static bool is_wanted(const struct haul_verify_options *options, const char *name)
{
    bool wanted = options->family_count == 0;
    for (size_t i = 0; i < options->family_count; i++) {
        wanted = wanted || strcmp(options->families[i], name) == 0;
    }
    return wanted;
}

static enum haul_status check_names(const struct haul_verify_options *options,
                                    const struct haul_family *families, size_t count,
                                    struct haul_error *error)
{
    for (size_t i = 0; i < options->family_count; i++) {
        bool found = false;
        for (size_t j = 0; j < count; j++) {
            found = found || strcmp(options->families[i], families[j].name) == 0;
        }
        if (!found) {
            return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family named '%s'",
                                  options->families[i]);
        }
    }
    return HAUL_OK;
}

static enum haul_status scan_range(struct haul_store *store, uint32_t family_id,
                                   const struct haul_range *range,
                                   const struct haul_verify_options *options, struct digest *digest,
                                   struct haul_error *error)
{
    struct haul_scan *scan = NULL;
    enum haul_status status =
        store->ops->scan_open(store, NULL, family_id, range->start, range->end, &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_record record;
    while ((status = store->ops->scan_next(scan, &record, error)) == HAUL_OK) {
        digest_add(digest, record.key, record.value);
        if (digest->count % CANCEL_INTERVAL == 0 && options->is_cancelled != NULL &&
            options->is_cancelled(options->context)) {
            status = haul_error_set(error, HAUL_STOPPED, NULL, 0, "verification stopped");
            break;
        }
    }
    store->ops->scan_close(scan);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static enum haul_status scan_family(struct haul_store *store, const struct haul_family *family,
                                    const struct haul_verify_options *options,
                                    struct haul_family_result *result, struct haul_error *error)
{
    static const struct haul_range everything = {{NULL, 0}, {NULL, 0}};
    const struct haul_range *ranges = options->range_count == 0 ? &everything : options->ranges;
    size_t count = options->range_count == 0 ? 1 : options->range_count;
    struct digest digest = {0};
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = scan_range(store, family->id, &ranges[i], options, &digest, error);
    }
    (void)snprintf(result->name, sizeof(result->name), "%s", family->name);
    result->records = digest.count;
    result->bytes = digest.bytes;
    digest_format(&digest, result->digest);
    return status;
}

enum haul_status haul_verify_scan(struct haul_store *store,
                                  const struct haul_verify_options *options,
                                  struct haul_family_result *results, size_t *result_count,
                                  struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to verify");
    }
    size_t count = 0;
    size_t done = 0;
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    if (status == HAUL_OK) {
        status = check_names(options, families, count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (is_wanted(options, families[i].name)) {
            status = scan_family(store, &families[i], options, &results[done], error);
            done++;
        }
    }
    free(families);
    *result_count = done;
    return status;
}

static const struct haul_family_result *find(const struct haul_family_result *results, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(results[i].name, name) == 0) {
            return &results[i];
        }
    }
    return NULL;
}

/* Families of `a` that `b` does not have, or has otherwise. */
static size_t count_differences(const struct haul_family_result *a, size_t a_count,
                                const struct haul_family_result *b, size_t b_count,
                                bool only_missing, const char **name)
{
    size_t differences = 0;
    for (size_t i = 0; i < a_count; i++) {
        const struct haul_family_result *other = find(b, b_count, a[i].name);
        bool differs = other == NULL ? a[i].records > 0
                                     : !only_missing && (other->records != a[i].records ||
                                                         strcmp(other->digest, a[i].digest) != 0);
        if (differs && differences++ == 0 && name != NULL && *name == NULL) {
            *name = a[i].name;
        }
    }
    return differences;
}

size_t haul_verify_differences(const struct haul_family_result *a, size_t a_count,
                               const struct haul_family_result *b, size_t b_count,
                               const char **name)
{
    if (name != NULL) {
        *name = NULL;
    }
    return count_differences(a, a_count, b, b_count, false, name) +
           count_differences(b, b_count, a, a_count, true, name);
}
