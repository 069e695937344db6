/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c — scans for digests, and compares them. */
#include "haul/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "digest.h"
#include "key_range.h"
#include "sized_options.h"

/* Records between two checks for cancellation. */
enum { CANCEL_INTERVAL = 4096 };
/* The average size of a piece. */
enum { PIECE_RECORDS = 64 };

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

/* Runs before anything is read. */
static enum haul_status check_orders(const struct haul_verify_options *options,
                                     const struct haul_family *families, size_t count,
                                     struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count; i++) {
        bool wanted = is_wanted(options, families[i].name);
        for (size_t j = 0; j < options->range_count && wanted && status == HAUL_OK; j++) {
            status = key_range_check_order(options->ranges[j].start, options->ranges[j].end,
                                           families[i].name, families[i].comparator, error);
        }
    }
    return status;
}

/* One scan of one store. */
struct scan_run {
    struct haul_store *store;
    const struct haul_verify_options *options;
    const char *family; /* its name */
    uint64_t records;   /* of all families */
    uint64_t bytes;
    struct digest piece;
    struct digest_key digest_key;
};

static enum haul_status end_piece(struct scan_run *run, struct haul_slice last_key,
                                  struct haul_error *error)
{
    struct haul_verify_piece piece = {
        .family = run->family, .last_key = last_key, .records = run->piece.count};
    if (run->options->on_piece == NULL) {
        return HAUL_OK;
    }
    digest_format(&run->piece, piece.digest);
    return run->options->on_piece(run->options->context, &piece, error);
}

/* After a record: end its piece if it is complete, and check for cancellation. */
static enum haul_status look_up(struct scan_run *run, const struct haul_record *record,
                                struct digest *digest, struct haul_error *error)
{
    const struct haul_verify_options *options = run->options;
    enum haul_status status = HAUL_OK;
    if (run->piece.low % PIECE_RECORDS == 0) {
        status = end_piece(run, record->key, error);
        digest_join(digest, &run->piece);
        run->piece = (struct digest){0};
    }
    if (status == HAUL_OK && run->records % CANCEL_INTERVAL == 0) {
        if (options->on_progress != NULL) {
            options->on_progress(options->context, run->records, run->bytes);
        }
        if (options->is_cancelled != NULL && options->is_cancelled(options->context)) {
            status = haul_error_set(error, HAUL_STOPPED, NULL, 0, "verification stopped");
        }
    }
    return status;
}

static enum haul_status scan_range(struct scan_run *run, uint32_t family_id,
                                   const struct haul_range *range, struct digest *digest,
                                   struct haul_error *error)
{
    const struct haul_store_ops *ops = run->store->ops;
    struct haul_scan *scan = NULL;
    enum haul_status status =
        ops->scan_open(run->store, NULL, family_id, range->start, range->end, &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_record record;
    run->piece = (struct digest){0};
    while (status == HAUL_OK && (status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
        digest_add(&run->piece, &run->digest_key, record.key, record.value);
        run->records++;
        run->bytes += record.key.size + record.value.size;
        status = look_up(run, &record, digest, error);
    }
    ops->scan_close(scan);
    if (status == HAUL_NOT_FOUND) { /* the rest of the range; the range's end is its last key */
        status = run->piece.count > 0 ? end_piece(run, range->end, error) : HAUL_OK;
        digest_join(digest, &run->piece);
    }
    return status;
}

static enum haul_status scan_family(struct scan_run *run, const struct haul_family *family,
                                    struct haul_family_result *result, struct haul_error *error)
{
    static const struct haul_range everything = {{NULL, 0}, {NULL, 0}};
    const struct haul_verify_options *options = run->options;
    const struct haul_range *ranges = options->range_count == 0 ? &everything : options->ranges;
    size_t count = options->range_count == 0 ? 1 : options->range_count;
    struct digest digest = {0};
    enum haul_status status = HAUL_OK;
    run->family = family->name;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = scan_range(run, family->id, &ranges[i], &digest, error);
    }
    (void)snprintf(result->name, sizeof(result->name), "%s", family->name);
    result->records = digest.count;
    result->bytes = digest.bytes;
    digest_format(&digest, result->digest);
    return status;
}

enum haul_status haul_verify_scan(struct haul_store *store, const struct haul_verify_options *given,
                                  struct haul_family_result *results, size_t *result_count,
                                  struct haul_error *error)
{
    struct haul_verify_options options;
    enum haul_status status =
        sized_options_take(&options, sizeof(options),
                           SIZED_OPTIONS_END(struct haul_verify_options, context), given, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to verify");
    }
    size_t count = 0;
    size_t done = 0;
    struct scan_run run = {.store = store, .options = &options};
    if (options.digest_key.size != 0 && options.digest_key.size != HAUL_DIGEST_KEY_BYTES) {
        free(families);
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a digest key has %d bytes",
                              HAUL_DIGEST_KEY_BYTES);
    }
    if (options.digest_key.size > 0) {
        digest_key_init(&run.digest_key, options.digest_key.data);
    }
    status = store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    if (status == HAUL_OK) {
        status = check_names(&options, families, count, error);
    }
    if (status == HAUL_OK) {
        status = check_orders(&options, families, count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (is_wanted(&options, families[i].name)) {
            status = scan_family(&run, &families[i], &results[done], error);
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

/* Families of `a` that `b` lacks or has with a different digest. */
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
