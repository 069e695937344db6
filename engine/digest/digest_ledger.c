/* SPDX-License-Identifier: Apache-2.0 */
/* digest_ledger.c — touched keys, removed spans, and the difference that results from both. */
#include "digest_ledger.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "haul/store.h"
#include "planted_bug.h"
#include "raw_batch.h"
#include "touched_keys.h"

struct ledger_family {
    uint32_t family_id;
    struct digest difference; /* modulo 2^64 and 2^128: may be negative */
};

struct digest_ledger {
    struct digest_ledger_base base;
    struct memory_budget budget;
    enum haul_status broken; /* OK while sound */
    struct touched_keys keys;
    struct span_set removed; /* spans of DeleteRanges, except for touched keys */
    size_t family_count;
    struct ledger_family families[HAUL_FAMILY_COUNT_MAX];
};

static const struct digest absent;

/* --- digests ---------------------------------------------------------------------------------- */

/* The digest that subtracts `digest` when it is joined. */
static struct digest negative(const struct digest *digest)
{
    struct digest result;
    result.count = 0 - digest->count;
    result.bytes = 0 - digest->bytes;
    result.low = 0 - digest->low;
    result.high = ~digest->high + (digest->low == 0);
    return result;
}

static struct digest digest_of(const struct digest_ledger *ledger, struct haul_slice key,
                               struct haul_slice value)
{
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    digest_add(&digest, ledger->base.key, key, value);
    return digest;
}

/* The difference of a family; NULL: too many families. */
static struct digest *difference_of(struct digest_ledger *ledger, uint32_t family_id)
{
    for (size_t i = 0; i < ledger->family_count; i++) {
        if (ledger->families[i].family_id == family_id) {
            return &ledger->families[i].difference;
        }
    }
    if (ledger->family_count == HAUL_FAMILY_COUNT_MAX) {
        return NULL;
    }
    struct ledger_family *family = &ledger->families[ledger->family_count++];
    memset(family, 0, sizeof(*family));
    family->family_id = family_id;
    return &family->difference;
}

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status digest_ledger_create(const struct digest_ledger_base *base,
                                      uint64_t memory_bytes_max, struct digest_ledger **out)
{
    struct digest_ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        return HAUL_NO_MEMORY;
    }
    ledger->base = *base;
    memory_budget_init(&ledger->budget, memory_bytes_max == 0 ? DIGEST_LEDGER_MEMORY_BYTES_DEFAULT
                                                              : memory_bytes_max);
    touched_keys_init(&ledger->keys, &ledger->budget);
    span_set_init(&ledger->removed, &ledger->budget);
    *out = ledger;
    return HAUL_OK;
}

static void forget_keys(struct digest_ledger *ledger)
{
    touched_keys_clear(&ledger->keys);
    span_set_clear(&ledger->removed);
}

void digest_ledger_destroy(struct digest_ledger *ledger)
{
    if (ledger != NULL) {
        forget_keys(ledger);
        free(ledger);
    }
}

/* --- deltas ----------------------------------------------------------------------------------- */

static enum haul_status break_ledger(struct digest_ledger *ledger, enum haul_status status,
                                     struct haul_error *error)
{
    ledger->broken = status; /* L3 */
    forget_keys(ledger);
    if (status == HAUL_NO_MEMORY) {
        return haul_error_set(error, status, NULL, 0, "cannot hold the digest ledger");
    }
    if (status == HAUL_LIMIT) {
        return haul_error_set(error, status, NULL, 0,
                              "the digest ledger has reached its limit of %llu bytes",
                              (unsigned long long)ledger->budget.bytes_max);
    }
    return status;
}

/* The contribution of an untouched key. Errors: the base's. */
static enum haul_status read_base(const struct digest_ledger *ledger, uint32_t family_id,
                                  struct haul_slice key, struct digest *now,
                                  struct haul_error *error)
{
    struct haul_slice value;
    *now = absent;
    if (span_set_contains(&ledger->removed, family_id, key)) {
        return HAUL_OK;
    }
    enum haul_status status =
        ledger->base.value(ledger->base.context, family_id, key, &value, error);
    if (status == HAUL_OK) {
        *now = digest_of(ledger, key, value);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* Errors: LIMIT, NO_MEMORY, the base's. */
static enum haul_status touch(struct digest_ledger *ledger, uint32_t family_id,
                              struct haul_slice key, struct touched_key **out,
                              struct haul_error *error)
{
    *out = touched_keys_find(&ledger->keys, family_id, key);
    if (*out != NULL) { /* L2 */
        return HAUL_OK;
    }
    struct digest now;
    enum haul_status status = read_base(ledger, family_id, key, &now, error);
    return status == HAUL_OK ? touched_keys_enter(&ledger->keys, family_id, key, &now, out)
                             : status;
}

static void replace(struct digest *difference, const struct digest *before,
                    const struct digest *next)
{
    struct digest less = negative(before);
    digest_join(difference, &less); /* L1 */
    digest_join(difference, next);
}

static enum haul_status touch_and_change(struct digest_ledger *ledger, uint32_t family_id,
                                         struct haul_slice key, const struct digest *next,
                                         struct haul_error *error)
{
    if (ledger->broken != HAUL_OK) {
        return haul_error_set(error, ledger->broken, NULL, 0, "the digest ledger failed earlier");
    }
    struct digest *difference = difference_of(ledger, family_id);
    struct touched_key *touched = NULL;
    enum haul_status status =
        difference == NULL ? HAUL_LIMIT : touch(ledger, family_id, key, &touched, error);
    if (status == HAUL_OK) {
        replace(difference, &touched->now, next);
        touched->ahead = false;
        status = touched_keys_set(&ledger->keys, touched, next);
    }
    return status == HAUL_OK ? HAUL_OK : break_ledger(ledger, status, error);
}

enum haul_status digest_ledger_put(struct digest_ledger *ledger, uint32_t family_id,
                                   struct haul_slice key, struct haul_slice value,
                                   struct haul_error *error)
{
    struct digest next = digest_of(ledger, key, value);
    return touch_and_change(ledger, family_id, key, &next, error);
}

enum haul_status digest_ledger_delete(struct digest_ledger *ledger, uint32_t family_id,
                                      struct haul_slice key, struct haul_error *error)
{
    return touch_and_change(ledger, family_id, key, &absent, error);
}

/* --- DeleteRange ------------------------------------------------------------------------------ */

struct removal {
    struct digest_ledger *ledger;
    uint32_t family_id;
    struct digest *difference;
};

/* Remove a record of the base that no delta has touched. */
static enum haul_status remove_untouched(void *context, struct haul_slice key,
                                         struct haul_slice value)
{
    const struct removal *removal = context;
    if (touched_keys_find(&removal->ledger->keys, removal->family_id, key) == NULL) {
        struct digest before = digest_of(removal->ledger, key, value);
        replace(removal->difference, &before, &absent);
    }
    return HAUL_OK;
}

static void remove_touched(void *context, struct touched_key *touched)
{
    const struct removal *removal = context;
    replace(removal->difference, &touched->now, &absent);
    touched->ahead = false;
}

/* Errors: LIMIT, NO_MEMORY, the base's. */
static enum haul_status remove_span(struct digest_ledger *ledger, const struct key_span *span,
                                    struct removal *removal, struct haul_error *error)
{
    struct key_span rest = *span;
    struct key_span gap;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && slice_compare(rest.begin, rest.end) < 0 &&
           span_set_gap(&ledger->removed, &rest, &gap)) {
        status = ledger->base.walk(ledger->base.context, &gap, remove_untouched, removal, error);
        rest.begin = gap.end;
    }
    if (status == HAUL_OK) {
        status = touched_keys_remove(&ledger->keys, span->family_id, span->begin, span->end,
                                     remove_touched, removal);
    }
    return status == HAUL_OK ? span_set_add(&ledger->removed, span) : status;
}

enum haul_status digest_ledger_delete_range(struct digest_ledger *ledger, uint32_t family_id,
                                            struct haul_slice begin, struct haul_slice end,
                                            struct haul_error *error)
{
    if (ledger->broken != HAUL_OK) {
        return haul_error_set(error, ledger->broken, NULL, 0, "the digest ledger failed earlier");
    }
    if (slice_compare(begin, end) >= 0) {
        return HAUL_OK;
    }
    struct removal removal = {
        .ledger = ledger, .family_id = family_id, .difference = difference_of(ledger, family_id)};
    struct key_span span = {.family_id = family_id, .begin = begin, .end = end};
    if (HAUL_PLANTED_BUG(REMOVAL_UNCOUNTED)) {
        return HAUL_OK;
    }
    enum haul_status status =
        removal.difference == NULL ? HAUL_LIMIT : remove_span(ledger, &span, &removal, error);
    return status == HAUL_OK ? HAUL_OK : break_ledger(ledger, status, error);
}

/* --- batches ---------------------------------------------------------------------------------- */

static enum haul_status take_record(struct digest_ledger *ledger, const struct raw_record *record,
                                    struct haul_error *error)
{
    switch (record->kind) {
    case RAW_LOG_DATA:
        return HAUL_OK;
    case RAW_PUT:
        return digest_ledger_put(ledger, record->family_id, record->key, record->value, error);
    case RAW_DELETE:
        return digest_ledger_delete(ledger, record->family_id, record->key, error);
    case RAW_DELETE_RANGE:
        return digest_ledger_delete_range(ledger, record->family_id, record->key, record->value,
                                          error);
    default:
        ledger->broken = HAUL_UNSUPPORTED;
        return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                              "the digest ledger cannot follow record 0x%02x",
                              (unsigned)record->tag);
    }
}

enum haul_status digest_ledger_batch(struct digest_ledger *ledger, struct haul_slice batch,
                                     struct haul_error *error)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK) {
        status = raw_batch_next(&reader, &record);
        if (status != HAUL_OK) {
            break;
        }
        status = take_record(ledger, &record, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (status == HAUL_NOT_FOUND) {
        return HAUL_OK;
    }
    ledger->broken = status;
    return haul_error_set(error, status, NULL, 0, "the digest ledger read a torn batch");
}

/* --- a newer base ----------------------------------------------------------------------------- */

void digest_ledger_mark_ahead(struct digest_ledger *ledger, uint32_t family_id,
                              struct haul_slice key)
{
    struct touched_key *touched = touched_keys_find(&ledger->keys, family_id, key);
    if (touched != NULL) {
        touched->ahead = true;
    }
}

enum haul_status digest_ledger_status(const struct digest_ledger *ledger)
{
    return ledger->broken;
}

bool digest_ledger_is_full(const struct digest_ledger *ledger)
{
    return memory_budget_bytes(&ledger->budget) >
           ledger->budget.bytes_max / DIGEST_LEDGER_FULL_SHARE;
}

void digest_ledger_rebase(struct digest_ledger *ledger)
{
    forget_keys(ledger);
}

/* Corrects the keys of the older ledger that are ahead, by the newer ledger. */
struct succession {
    struct digest_ledger *ledger;
    struct digest_ledger *older;
    const atomic_bool *stop;
    struct haul_error *error;
    enum haul_status status;
};

static bool settle_key(void *context, struct touched_key *touched)
{
    struct succession *succession = context;
    const struct digest_ledger *ledger = succession->ledger;
    struct haul_slice key = slice_of(touched->key, touched->key_size);
    const struct touched_key *newer = touched_keys_find(&ledger->keys, touched->family_id, key);
    struct digest next = absent;
    if (newer != NULL) {
        next = newer->now;
    } else {
        succession->status = read_base(ledger, touched->family_id, key, &next, succession->error);
    }
    if (succession->status == HAUL_OK && atomic_load(succession->stop)) {
        succession->status = HAUL_CLOSED;
    }
    if (succession->status != HAUL_OK) {
        return false;
    }
    replace(difference_of(succession->older, touched->family_id), &touched->now, &next);
    touched->ahead = newer != NULL && newer->ahead;
    succession->status = touched_keys_set(&succession->older->keys, touched, &next);
    return succession->status == HAUL_OK;
}

enum haul_status digest_ledger_succeed(struct digest_ledger *ledger, struct digest_ledger *older,
                                       const atomic_bool *stop, struct haul_error *error)
{
    enum haul_status broken = ledger->broken != HAUL_OK ? ledger->broken : older->broken;
    if (broken != HAUL_OK) {
        return haul_error_set(error, broken, NULL, 0, "the digest ledger failed earlier");
    }
    struct succession succession = {
        .ledger = ledger, .older = older, .stop = stop, .error = error, .status = HAUL_OK};
    touched_keys_each_ahead(&older->keys, settle_key, &succession);
    if (succession.status == HAUL_OK) {
        memcpy(ledger->families, older->families, sizeof(ledger->families));
        ledger->family_count = older->family_count;
    }
    return succession.status;
}

/* --- results ---------------------------------------------------------------------------------- */

enum haul_status digest_ledger_join(const struct digest_ledger *ledger, uint32_t family_id,
                                    struct digest *digest)
{
    if (ledger->broken != HAUL_OK) {
        return ledger->broken;
    }
    for (size_t i = 0; i < ledger->family_count; i++) {
        if (ledger->families[i].family_id == family_id) {
            digest_join(digest, &ledger->families[i].difference);
        }
    }
    return HAUL_OK;
}

uint64_t digest_ledger_key_count(const struct digest_ledger *ledger)
{
    return ledger->keys.key_count;
}

uint64_t digest_ledger_memory_bytes(const struct digest_ledger *ledger)
{
    return memory_budget_bytes(&ledger->budget);
}
