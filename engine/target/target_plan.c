/* SPDX-License-Identifier: Apache-2.0 */
/* target_plan.c — checks and prepares the target's store for a plan. */
#include "target_plan.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "call_steps.h"
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
    haul_error_hint(error, "both databases need the same one, with the same name");
    return HAUL_MISMATCH;
}

static enum haul_status check_names(const struct plan_family *wanted,
                                    const struct haul_family *found, struct haul_error *error)
{
    enum haul_status status =
        check_name(wanted, "comparator", wanted->family.comparator, found->comparator, error);
    return status == HAUL_OK ? check_name(wanted, "merge operator", wanted->family.merge_operator,
                                          found->merge_operator, error)
                             : status;
}

/* All families of the store. Ownership: the caller's (free). */
static enum haul_status list_families(struct haul_store *store, struct haul_family **families,
                                      size_t *count, struct haul_error *error)
{
    *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(**families));
    if (*families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the plan");
    }
    return store->ops->families(store, *families, HAUL_FAMILY_COUNT_MAX, count, error);
}

static const struct haul_family *find_family(const struct haul_family *families, size_t count,
                                             const char *name)
{
    const struct haul_family *found = NULL;
    for (size_t i = 0; i < count; i++) {
        found = strcmp(families[i].name, name) == 0 ? &families[i] : found;
    }
    return found;
}

/* The family that a new store is created with may be created again as the source has it: see
 * make_unwritten. */
static bool may_be_made_anew(const struct haul_store *store, const struct plan *plan, size_t index)
{
    return store->ops->family_create_like != NULL && plan_options_of(plan, index) != NULL &&
           strcmp(plan->families[index].family.name, "default") == 0;
}

/* Fill in ids; with `checks`, compare the names of existing families. `alone`: one that may be
 * created again need not fit. */
static enum haul_status find_all(struct haul_store *store, struct plan *plan, bool checks,
                                 bool alone, struct haul_error *error)
{
    struct haul_family *families = NULL;
    size_t count = 0;
    size_t missing = 0;
    enum haul_status status = list_families(store, &families, &count, error);
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        struct plan_family *wanted = &plan->families[i];
        const struct haul_family *found = find_family(families, count, wanted->family.name);
        wanted->target_id = found == NULL ? TARGET_PLAN_NO_FAMILY : found->id;
        missing += found == NULL ? 1 : 0;
        bool anew = alone && may_be_made_anew(store, plan, i);
        if (checks && found != NULL && !anew) {
            status = check_names(wanted, found, error);
        }
    }
    free(families);
    if (status == HAUL_OK && checks && count + missing > HAUL_FAMILY_COUNT_MAX) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "with the plan's column families the target would have more than %d",
                       HAUL_FAMILY_COUNT_MAX);
        haul_error_hint(error, "send fewer with --cf, or take another target for the rest");
        status = HAUL_UNSUPPORTED;
    }
    return status;
}

enum haul_status target_plan_find(struct haul_store *store, struct plan *plan,
                                  struct haul_error *error)
{
    return find_all(store, plan, false, false, error);
}

/* A search for a record that blocks a range; `status` is not OK once one is found. */
struct obstacle {
    struct haul_store *store;
    const struct plan_family *family;
    const struct plan *others; /* whose records do not block */
    size_t other_count;
};

/* The range of another plan that has the key, or NULL. */
static const struct key_range *find_other(const struct obstacle *look, struct haul_slice key)
{
    for (size_t i = 0; i < look->other_count; i++) {
        const struct plan *other = &look->others[i];
        for (size_t j = 0; j < other->family_count; j++) {
            if (strcmp(other->families[j].family.name, look->family->family.name) != 0) {
                continue;
            }
            for (size_t k = 0; k < other->range_count; k++) {
                if (key_range_contains(&other->ranges[k], key)) {
                    return &other->ranges[k];
                }
            }
        }
    }
    return NULL;
}

static enum haul_status refuse_record(const struct obstacle *look, struct haul_slice found,
                                      struct haul_error *error)
{
    char key[96];
    key_format(found, key, sizeof(key));
    haul_error_set(error, HAUL_NOT_EMPTY, NULL, 0,
                   "column family '%s' of the target already holds records of the range, for "
                   "example %s",
                   look->family->family.name, key);
    haul_error_hint(error,
                    "--overwrite, where the receiver has --allow-overwrite, first clears the "
                    "whole range, whoever owns it: select only what it should replace "
                    "(`--cf`, `--range`)");
    return HAUL_NOT_EMPTY;
}

/* Look from `*start` for the first record that blocks. Moves `*start` to the end of a range of
 * others, from where to look again. Errors: NOT_FOUND (no more records in the range), NOT_EMPTY. */
static enum haul_status look_from(const struct obstacle *look, struct haul_slice *start,
                                  struct haul_slice end, struct haul_error *error)
{
    struct haul_scan *scan = NULL;
    struct haul_record record;
    const struct haul_store_ops *ops = look->store->ops;
    enum haul_status status =
        ops->scan_open(look->store, NULL, look->family->target_id, *start, end, &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = ops->scan_next(scan, &record, error);
    if (status == HAUL_OK) {
        const struct key_range *other = find_other(look, record.key);
        *start = other == NULL ? *start : key_range_end(other);
        status = other == NULL      ? refuse_record(look, record.key, error)
                 : start->size == 0 ? HAUL_NOT_FOUND
                                    : HAUL_OK;
    }
    ops->scan_close(scan);
    return status;
}

static enum haul_status check_empty(const struct obstacle *look, const struct key_range *range,
                                    struct haul_error *error)
{
    struct haul_slice start = key_range_start(range);
    struct haul_slice end = key_range_end(range);
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && (end.size == 0 || slice_compare(start, end) < 0)) {
        status = look_from(look, &start, end, error);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status target_plan_check_empty(struct haul_store *store, const struct plan *plan,
                                         const struct plan *others, size_t other_count,
                                         struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->family_count; i++) {
        const struct obstacle look = {.store = store,
                                      .family = &plan->families[i],
                                      .others = others,
                                      .other_count = other_count};
        bool is_there = plan->families[i].target_id != TARGET_PLAN_NO_FAMILY;
        for (size_t j = 0; is_there && j < plan->range_count && status == HAUL_OK; j++) {
            status = check_empty(&look, &plan->ranges[j], error);
        }
    }
    return status;
}

enum haul_status target_plan_look(struct haul_store *store, struct plan *plan,
                                  const struct plan *others, size_t other_count, bool alone,
                                  struct haul_error *error)
{
    enum haul_status status = target_fit_check(store, plan, error);
    if (status == HAUL_OK) {
        status = find_all(store, plan, true, alone, error);
    }
    return status == HAUL_OK && !plan->overwrite
               ? target_plan_check_empty(store, plan, others, other_count, error)
               : status;
}

/* Create the families that a new store has by default again, as the source has them. One that
 * cannot be created so stays as it is; the comparison of names decides then. */
static void make_unwritten(struct haul_store *store, const struct plan *plan)
{
    for (size_t i = 0; i < plan->family_count; i++) {
        struct haul_family made;
        struct haul_error ignored;
        if (may_be_made_anew(store, plan, i)) {
            (void)!target_fit_make(store, plan, i, &made, &ignored);
        }
    }
}

enum haul_status target_plan_check_names(struct haul_store *store, const struct plan *plan,
                                         struct haul_error *error)
{
    struct haul_family *families = NULL;
    size_t count = 0;
    enum haul_status status = list_families(store, &families, &count, error);
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        const struct plan_family *wanted = &plan->families[i];
        const struct haul_family *found = find_family(families, count, wanted->family.name);
        status = found == NULL ? HAUL_OK : check_names(wanted, found, error);
    }
    free(families);
    return status;
}

enum haul_status target_plan_make(struct haul_store *store, struct plan *plan,
                                  const struct haul_steps *steps, bool alone,
                                  struct haul_error *error)
{
    struct haul_family *families = NULL;
    size_t count = 0;
    if (alone) {
        make_unwritten(store, plan);
    }
    enum haul_status status = list_families(store, &families, &count, error);
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        struct plan_family *wanted = &plan->families[i];
        const struct haul_family *found = find_family(families, count, wanted->family.name);
        struct haul_family made;
        if (found == NULL) {
            status = steps_next(steps) ? target_fit_make(store, plan, i, &made, error)
                                       : target_plan_given_up(error);
            found = &made;
        }
        if (status == HAUL_OK) {
            status = check_names(wanted, found, error);
        }
        wanted->target_id = status == HAUL_OK ? found->id : TARGET_PLAN_NO_FAMILY;
    }
    free(families);
    return status;
}

enum haul_status target_plan_clear(struct haul_store *store, const struct plan *plan,
                                   const struct haul_steps *steps, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    size_t family_count = HAUL_PLANTED_BUG(CLEAR_ONE_FAMILY) ? 1 : plan->family_count;
    for (size_t i = 0; i < family_count; i++) {
        bool is_there = plan->families[i].target_id != TARGET_PLAN_NO_FAMILY;
        for (size_t j = 0; is_there && j < plan->range_count && status == HAUL_OK; j++) {
            status = store->ops->range_clear(store, plan->families[i].target_id,
                                             key_range_start(&plan->ranges[j]),
                                             key_range_end(&plan->ranges[j]), steps, error);
        }
    }
    return status;
}

/* A copy of the first key of the span other than its start. Errors: NOT_FOUND (no such key). */
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

/* The empty key cannot be a bound: as a start it would mean the beginning of the family. */
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
                                          const struct haul_steps *steps, struct haul_error *error)
{
    struct haul_slice next = {NULL, 0};
    enum haul_status status = next_key(store, span, &next, error);
    while (status == HAUL_OK && next.size == 0) { /* possible where keys are not in byte order */
        free((void *)(uintptr_t)next.data);
        status = delete_empty_key(store, span->family, error);
        if (status == HAUL_OK) {
            status = next_key(store, span, &next, error);
        }
    }
    if (status == HAUL_OK) {
        status = store->ops->range_clear(store, span->family, next, span->end, steps, error);
        free((void *)(uintptr_t)next.data);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status target_plan_given_up(struct haul_error *error)
{
    return haul_error_set(error, HAUL_CLOSED, NULL, 0, "given up before its end");
}

enum haul_status target_plan_digest_span(struct haul_store *store, const struct target_span *span,
                                         struct digest *digest, const struct haul_steps *steps,
                                         struct haul_error *error)
{
    enum { RECORDS_PER_STEP = 4096 };
    const struct haul_store_ops *ops = store->ops;
    struct haul_scan *scan = NULL;
    struct haul_record record;
    enum haul_status status =
        ops->scan_open(store, NULL, span->family, span->start, span->end, &scan, error);
    while (status == HAUL_OK && (status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
        digest_add(digest, span->digest_key, record.key, record.value);
        if (digest->count % RECORDS_PER_STEP == 0 && !steps_next(steps)) {
            status = target_plan_given_up(error);
        }
    }
    if (scan != NULL) {
        ops->scan_close(scan);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status target_plan_digest(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, struct digest *digest,
                                    const struct haul_steps *steps, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    memset(digest, 0, sizeof(*digest));
    for (size_t i = 0; i < plan->range_count && status == HAUL_OK; i++) {
        const struct target_span span = {.family = plan->families[family].target_id,
                                         .start = key_range_start(&plan->ranges[i]),
                                         .end = key_range_end(&plan->ranges[i]),
                                         .digest_key = &plan->digest_key};
        status = target_plan_digest_span(store, &span, digest, steps, error);
    }
    return status;
}

enum haul_status target_plan_tables(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, bool *sure, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    *sure = true;
    for (size_t i = 0; i < plan->range_count && status == HAUL_OK && *sure; i++) {
        status = store->ops->tables_check(store, plan->families[family].target_id,
                                          key_range_start(&plan->ranges[i]),
                                          key_range_end(&plan->ranges[i]), sure, error);
    }
    return status;
}

void target_plan_forget_tables(struct haul_store *store, const struct plan *plan)
{
    for (size_t i = 0; i < plan->family_count && store->ops->tables_forget != NULL; i++) {
        for (size_t j = 0; j < plan->range_count; j++) {
            store->ops->tables_forget(store, plan->families[i].target_id,
                                      key_range_start(&plan->ranges[j]),
                                      key_range_end(&plan->ranges[j]));
        }
    }
}
