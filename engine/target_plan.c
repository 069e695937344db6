/* SPDX-License-Identifier: Apache-2.0 */
/* target_plan.c — is the target fit for the plan? */
#include "target_plan.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "plan_options.h"
#include "planted_bug.h"
#include "raw_batch.h"
#include "target_fit.h"

static enum haul_status check_name(const struct plan_family *wanted, const char *what,
                                   const char *theirs, const char *ours, struct haul_error *error)
{
    if (strcmp(theirs, ours) == 0) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "column family '%s': the source's %s is '%s', the target's '%s'",
                   wanted->family.name, what, theirs[0] == '\0' ? "none" : theirs,
                   ours[0] == '\0' ? "none" : ours);
    haul_error_hint(error, "both databases need the same one, by name");
    return HAUL_MISMATCH;
}

static enum haul_status match_family(struct haul_store *store, const struct plan *plan,
                                     size_t index, const struct haul_family *families, size_t count,
                                     struct haul_error *error)
{
    struct plan_family *wanted = &plan->families[index];
    const struct haul_family *found = NULL;
    for (size_t i = 0; i < count; i++) {
        found = strcmp(families[i].name, wanted->family.name) == 0 ? &families[i] : found;
    }
    struct haul_family created;
    enum haul_status status = HAUL_OK;
    if (found == NULL) {
        status = target_fit_make(store, plan, index, &created, error);
        found = &created;
    }
    if (status == HAUL_OK) {
        status =
            check_name(wanted, "comparator", wanted->family.comparator, found->comparator, error);
    }
    if (status == HAUL_OK) {
        status = check_name(wanted, "merge operator", wanted->family.merge_operator,
                            found->merge_operator, error);
    }
    if (status == HAUL_OK) {
        wanted->target_id = found->id;
    }
    return status;
}

enum haul_status target_plan_match(struct haul_store *store, struct plan *plan,
                                   struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    size_t count = 0;
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        status = match_family(store, plan, i, families, count, error);
    }
    free(families);
    return status;
}

static enum haul_status check_empty(struct haul_store *store, const struct plan_family *family,
                                    const struct key_range *range, struct haul_error *error)
{
    struct haul_scan *scan = NULL;
    enum haul_status status = store->ops->scan_open(
        store, NULL, family->target_id, key_range_start(range), key_range_end(range), &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_record record;
    status = store->ops->scan_next(scan, &record, error);
    if (status == HAUL_OK) {
        char key[96];
        key_format(record.key, key, sizeof(key));
        haul_error_set(error, HAUL_NOT_EMPTY, NULL, 0,
                       "column family '%s' of the target already holds records of the range, for "
                       "example %s",
                       family->family.name, key);
        haul_error_hint(error, "--overwrite clears them first");
        status = HAUL_NOT_EMPTY;
    }
    store->ops->scan_close(scan);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status target_plan_clear(struct haul_store *store, const struct plan *plan,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    size_t family_count = HAUL_PLANTED_BUG(CLEAR_ONE_FAMILY) ? 1 : plan->family_count;
    for (size_t i = 0; i < family_count; i++) {
        for (size_t j = 0; j < plan->range_count && status == HAUL_OK; j++) {
            status = store->ops->range_clear(store, plan->families[i].target_id,
                                             key_range_start(&plan->ranges[j]),
                                             key_range_end(&plan->ranges[j]), error);
        }
    }
    return status;
}

/* The families that a new store was born with, as the source has them. One that cannot be made so
 * stays as it is, and the match is the judge of it. */
static void make_unwritten(struct haul_store *store, const struct plan *plan)
{
    for (size_t i = 0; store->ops->family_create_like != NULL && i < plan->family_count; i++) {
        struct haul_family made;
        struct haul_error ignored;
        if (plan_options_of(plan, i) != NULL &&
            strcmp(plan->families[i].family.name, "default") == 0) {
            (void)!target_fit_make(store, plan, i, &made, &ignored);
        }
    }
}

/* A copy of the first key of the span that is not its start. Errors: NOT_FOUND (there is none). */
static enum haul_status next_key(struct haul_store *store, const struct target_span *span,
                                 struct haul_slice *key, struct haul_error *error)
{
    struct haul_scan *scan = NULL;
    struct haul_record record;
    enum haul_status status =
        store->ops->scan_open(store, NULL, span->family, span->start, span->end, &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = store->ops->scan_next(scan, &record, error);
    if (status == HAUL_OK && slice_compare(record.key, span->start) == 0) {
        status = store->ops->scan_next(scan, &record, error);
    }
    if (status == HAUL_OK) {
        uint8_t *copy = malloc(record.key.size + 1);
        if (copy == NULL) {
            status = haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
        } else if (record.key.size > 0) {
            memcpy(copy, record.key.data, record.key.size);
        }
        *key = slice_of(copy, record.key.size);
    }
    store->ops->scan_close(scan);
    return status;
}

/* The empty key is no bound: as a start it would mean the beginning of the family. */
static enum haul_status delete_empty_key(struct haul_store *store, uint32_t family,
                                         struct haul_error *error)
{
    uint8_t memory[RAW_BATCH_HEADER_BYTES + 1 + 2 * VARINT32_BYTES_MAX];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    bool fits = raw_batch_delete(&writer, family, slice_of(NULL, 0));
    haul_assert(fits);
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    return store->ops->write(store, batch, HAUL_WRITE_SYNC, error);
}

enum haul_status target_plan_clear_behind(struct haul_store *store, const struct target_span *span,
                                          struct haul_error *error)
{
    struct haul_slice next = {NULL, 0};
    enum haul_status status = next_key(store, span, &next, error);
    while (status == HAUL_OK && next.size == 0) { /* where keys are not ordered by bytes */
        free((void *)(uintptr_t)next.data);
        status = delete_empty_key(store, span->family, error);
        if (status == HAUL_OK) {
            status = next_key(store, span, &next, error);
        }
    }
    if (status == HAUL_OK) {
        status = store->ops->range_clear(store, span->family, next, span->end, error);
        free((void *)(uintptr_t)next.data);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status target_plan_check(struct haul_store *store, struct plan *plan,
                                   struct haul_error *error)
{
    enum haul_status status = target_fit_check(store, plan, error);
    if (status == HAUL_OK) {
        make_unwritten(store, plan);
        status = target_plan_match(store, plan, error);
    }
    if (status == HAUL_OK && plan->overwrite) {
        status = target_plan_clear(store, plan, error);
    }
    for (size_t i = 0; i < plan->family_count; i++) {
        for (size_t j = 0; j < plan->range_count && status == HAUL_OK; j++) {
            status = check_empty(store, &plan->families[i], &plan->ranges[j], error);
        }
    }
    return status;
}

enum haul_status target_plan_digest(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, struct digest *digest,
                                    struct haul_error *error)
{
    const struct haul_store_ops *ops = store->ops;
    enum haul_status status = HAUL_NOT_FOUND;
    memset(digest, 0, sizeof(*digest));
    for (size_t i = 0; i < plan->range_count && status == HAUL_NOT_FOUND; i++) {
        struct haul_scan *scan = NULL;
        struct haul_record record;
        status = ops->scan_open(store, NULL, plan->families[family].target_id,
                                key_range_start(&plan->ranges[i]), key_range_end(&plan->ranges[i]),
                                &scan, error);
        while (status == HAUL_OK && (status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
            digest_add(digest, record.key, record.value);
        }
        if (scan != NULL) {
            ops->scan_close(scan);
        }
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status target_plan_lane(const struct haul_store *store, enum haul_lane source,
                                  enum haul_lane target, enum haul_lane *lane,
                                  struct haul_error *error)
{
    uint32_t features = store->ops->features(store);
    bool safe = (features & HAUL_STORE_INGEST) != 0 && (features & HAUL_STORE_FOLLOWERS) == 0;
    enum haul_lane wanted = target != HAUL_LANE_AUTO ? target : source;
    if (wanted == HAUL_LANE_INGEST && !safe) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the target cannot ingest table files: its followers read the log");
        haul_error_hint(error, "use --lane auto or writebatch");
        return HAUL_UNSUPPORTED;
    }
    *lane = wanted == HAUL_LANE_AUTO ? (safe ? HAUL_LANE_INGEST : HAUL_LANE_WRITE_BATCH) : wanted;
    return HAUL_OK;
}
