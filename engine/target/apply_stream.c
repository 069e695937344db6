/* SPDX-License-Identifier: Apache-2.0 */
/* apply_stream.c — runs the checks A1..A5, then hands records to the lane. */
#include "apply_stream.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "planted_bug.h"
#include "raw_batch.h"

/* --- life ------------------------------------------------------------------------------------- */

void apply_limits_init(struct apply_limits *limits)
{
    memory_budget_init(&limits->fragments, FRAGMENT_SESSION_BYTES_MAX);
    memory_budget_init(&limits->tables, APPLY_TABLE_COUNT_MAX);
}

static enum haul_status remember_key(struct apply_stream *stream, struct haul_slice key)
{
    stream->last_key_is_cut = key.size > POSITION_KEY_BYTES_MAX;
    key.size = stream->last_key_is_cut ? POSITION_KEY_BYTES_MAX : key.size;
    if (key.size > stream->last_key_capacity) {
        size_t capacity = key.size * 2;
        uint8_t *memory = realloc(stream->last_key, capacity);
        if (memory == NULL) {
            return HAUL_NO_MEMORY;
        }
        stream->last_key = memory;
        stream->last_key_capacity = capacity;
    }
    if (key.size > 0) {
        memcpy(stream->last_key, key.data, key.size);
    }
    stream->last_key_size = key.size;
    stream->has_key = true;
    return HAUL_OK;
}

static enum haul_status init_delta(struct apply_stream *stream, uint64_t ledger_bytes_max,
                                   struct haul_error *error)
{
    stream->base = (struct ledger_base){.store = stream->store};
    struct digest_ledger_base base = ledger_base_callbacks(&stream->base);
    base.key = &stream->plan->digest_key;
    enum haul_status status = digest_ledger_create(&base, ledger_bytes_max, &stream->ledger);
    return status == HAUL_OK
               ? status
               : haul_error_set(error, status, NULL, 0, "no memory for the delta stream");
}

enum haul_status apply_stream_init(struct apply_stream *stream,
                                   const struct apply_stream_options *options,
                                   struct haul_error *error)
{
    memset(stream, 0, sizeof(*stream));
    stream->store = options->store;
    stream->plan = options->plan;
    stream->stream = options->stream;
    struct apply_limits *limits = options->limits;
    stream->fragments.budget = limits == NULL ? NULL : &limits->fragments;
    const struct stream_position *position = options->position;
    if (position != NULL) {
        stream->next_batch = position->next_batch;
        stream->finished = position->finished;
        stream->digest = position->digest;
        struct haul_slice key = position->last_key;
        if (stream_position_has_key(position) && remember_key(stream, key) != HAUL_OK) {
            return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a stream");
        }
    }
    struct apply_lane_options lane = {.store = stream->store,
                                      .table_size_bytes = options->table_size_bytes,
                                      .staging_stem = options->staging_stem,
                                      .tables = limits == NULL ? NULL : &limits->tables};
    if (stream->stream == NULL) {
        enum haul_status status = init_delta(stream, options->ledger_bytes_max, error);
        return status == HAUL_OK ? options->lane->create(&lane, &stream->lane, error) : status;
    }
    const struct plan_family *family = &stream->plan->families[stream->stream->family];
    bool reverse = strcmp(family->family.comparator, HAUL_COMPARATOR_REVERSE) == 0;
    bool bytewise = strcmp(family->family.comparator, HAUL_COMPARATOR_BYTEWISE) == 0;
    stream->order = bytewise ? 1 : reverse ? -1 : 0;
    lane.family_id = family->target_id;
    lane.hooks = options->hooks;
    lane.family = family->family.name;
    return options->lane->create(&lane, &stream->lane, error);
}

void apply_stream_fini(struct apply_stream *stream)
{
    if (stream->lane != NULL) {
        stream->lane->ops->destroy(stream->lane);
    }
    fragment_assembly_reset(&stream->fragments);
    digest_ledger_destroy(stream->ledger);
    ledger_base_fini(&stream->base);
    free(stream->last_key);
    memset(stream, 0, sizeof(*stream));
}

/* --- checks ----------------------------------------------------------------------------------- */

static uint32_t stream_number(const struct apply_stream *stream)
{
    return stream->stream == NULL ? PLAN_DELTA_STREAM : stream->stream->id;
}

static enum haul_status refuse(const struct apply_stream *stream, enum haul_status status,
                               const char *why, const struct raw_record *record,
                               struct haul_error *error)
{
    char key[96] = "";
    if (record != NULL) {
        key_format(record->key, key, sizeof(key));
    }
    return haul_error_set(error, status, NULL, 0, "batch %llu of stream %u refused: %s%s%s",
                          (unsigned long long)stream->next_batch, stream_number(stream), why,
                          record == NULL ? "" : ", key ", key);
}

static bool is_too_large(const struct raw_record *record)
{
    bool two_keys = record->kind == RAW_DELETE_RANGE;
    uint64_t value_bytes_max = two_keys ? HAUL_KEY_BYTES_MAX : HAUL_RECORD_BYTES_MAX;
    return record->key.size > HAUL_KEY_BYTES_MAX || record->value.size > value_bytes_max;
}

/* A5. Where the order is unknown, every key counts as behind the last one. */
static bool is_behind(const struct apply_stream *stream, struct haul_slice key,
                      struct haul_slice before)
{
    int order = slice_compare(key, before);
    if (stream->last_key_is_cut && before.data == stream->last_key) {
        size_t size = key.size < before.size ? key.size : before.size;
        order = slice_compare(slice_of(key.data, size), before);
        return stream->order == 0 || order == 0 || (stream->order > 0) == (order > 0);
    }
    return stream->order == 0 || (stream->order > 0 ? order > 0 : order < 0);
}

/* A4 and A5 for one record of a snapshot stream; `before` NULL: this is the first record. */
static const char *check_snapshot_record(const struct apply_stream *stream,
                                         const struct raw_record *record,
                                         const struct haul_slice *before)
{
    const struct plan_stream *planned = stream->stream;
    if (record->kind != RAW_PUT) {
        return "a record kind that a snapshot cannot contain";
    }
    if (record->family_id != stream->plan->families[planned->family].target_id) {
        return "a record of another column family";
    }
    if (is_too_large(record)) {
        return "a record that is too large";
    }
    if (!key_range_contains(&planned->range, record->key)) {
        return "a key outside the announced range";
    }
    if (before != NULL && !is_behind(stream, record->key, *before)) {
        return "keys that are not in the order of the column family";
    }
    return NULL;
}

/* NULL: not in the plan. */
static const struct plan_family *find_family(const struct plan *plan, uint32_t target_id)
{
    for (size_t i = 0; i < plan->family_count; i++) {
        if (plan->families[i].target_id == target_id) {
            return &plan->families[i];
        }
    }
    return NULL;
}

/* Does [begin, end) run forward, in byte order and in the family's own order? RocksDB logs a
 * DeleteRange that runs backward in the family's order before it refuses it, and accepts no write
 * after that. The digests cannot follow one that runs forward in only one of the two orders. */
static bool runs_forward(const struct plan_family *family, struct haul_slice begin,
                         struct haul_slice end)
{
    const char *comparator = family->family.comparator;
    bool bytewise = strcmp(comparator, HAUL_COMPARATOR_BYTEWISE) == 0;
    bool reverse = strcmp(comparator, HAUL_COMPARATOR_REVERSE) == 0;
    int order = slice_compare(begin, end);
    return (order < 0 && bytewise) || (order == 0 && (bytewise || reverse));
}

/* Does one range of the plan hold all of [begin, end)? */
static bool holds_range(const struct plan *plan, struct haul_slice begin, struct haul_slice end)
{
    bool held = false;
    for (size_t i = 0; i < plan->range_count && !held; i++) {
        struct haul_slice limit = key_range_end(&plan->ranges[i]);
        held = key_range_contains(&plan->ranges[i], begin) &&
               (limit.size == 0 || slice_compare(end, limit) <= 0);
    }
    return held;
}

static const char *check_delta_record(const struct apply_stream *stream,
                                      const struct raw_record *record)
{
    if (record->kind == RAW_LOG_DATA) {
        return is_too_large(record) ? "log data that is too large" : NULL;
    }
    bool known =
        record->kind == RAW_PUT || record->kind == RAW_DELETE || record->kind == RAW_DELETE_RANGE;
    if (!known) {
        return "a record kind that a delta may not carry";
    }
    const struct plan_family *family = find_family(stream->plan, record->family_id);
    if (family == NULL) {
        return "a record of a column family that is not in the plan";
    }
    if (is_too_large(record)) {
        return "a record that is too large";
    }
    if (record->kind == RAW_DELETE_RANGE && !runs_forward(family, record->key, record->value)) {
        return "a range of keys that ends before it starts";
    }
    bool inside = record->kind == RAW_DELETE_RANGE
                      ? holds_range(stream->plan, record->key, record->value)
                      : plan_contains(stream->plan, record->key);
    return inside ? NULL : "a key outside the announced ranges";
}

/* A3: the result of a walk. */
static enum haul_status check_end(const struct apply_stream *stream, enum haul_status walked,
                                  const struct raw_batch_reader *reader, uint32_t record_count,
                                  struct haul_error *error)
{
    if (walked != HAUL_NOT_FOUND) {
        return refuse(stream, HAUL_CORRUPT, "not a sound write batch", NULL, error);
    }
    if (reader->seen != record_count) {
        return refuse(stream, HAUL_CORRUPT, "its record count is wrong", NULL, error);
    }
    return HAUL_OK;
}

/* --- batches ---------------------------------------------------------------------------------- */

/* Walk a snapshot batch: check every record, add it to the digest and pass it to the lane. A bad
 * record further on ends the job, which also discards what the lane holds. */
static enum haul_status walk_snapshot(struct apply_stream *stream, struct haul_slice batch,
                                      uint32_t record_count, struct digest *digest,
                                      struct haul_error *error)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    struct haul_slice last = slice_of(stream->last_key, stream->last_key_size);
    const struct haul_slice *before = stream->has_key ? &last : NULL;
    enum haul_status walked = raw_batch_open(&reader, batch);
    while (walked == HAUL_OK && (walked = raw_batch_next(&reader, &record)) == HAUL_OK) {
        const char *why = check_snapshot_record(stream, &record, before);
        if (why != NULL) {
            return refuse(stream, HAUL_PROTOCOL, why, &record, error);
        }
        digest_add(digest, &stream->plan->digest_key, record.key, record.value);
        enum haul_status status =
            stream->lane->ops->put(stream->lane, record.key, record.value, error);
        if (status != HAUL_OK) {
            return status;
        }
        last = record.key;
        before = &last;
    }
    enum haul_status status = check_end(stream, walked, &reader, record_count, error);
    if (status == HAUL_OK && record_count > 0 && remember_key(stream, last) != HAUL_OK) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a key");
    }
    return status;
}

static enum haul_status walk_delta(struct apply_stream *stream, struct haul_slice batch,
                                   uint32_t record_count, struct haul_error *error)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status walked = raw_batch_open(&reader, batch);
    while (walked == HAUL_OK && (walked = raw_batch_next(&reader, &record)) == HAUL_OK) {
        const char *why = check_delta_record(stream, &record);
        if (why != NULL) {
            return refuse(stream, HAUL_PROTOCOL, why, &record, error);
        }
    }
    return check_end(stream, walked, &reader, record_count, error);
}

static enum haul_status apply_batch(struct apply_stream *stream, struct haul_slice batch,
                                    uint32_t record_count, struct haul_error *error)
{
    struct digest digest = {0};
    enum haul_status status = stream->stream == NULL
                                  ? walk_delta(stream, batch, record_count, error)
                                  : walk_snapshot(stream, batch, record_count, &digest, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (stream->ledger != NULL) {
        /* Before the store changes. A ledger that has given up returns the error when it is
         * queried. */
        struct haul_error ledger_error;
        if (digest_ledger_is_full(stream->ledger)) {
            digest_ledger_rebase(stream->ledger);
        }
        (void)!digest_ledger_batch(stream->ledger, batch, &ledger_error);
    }
    if (record_count > 0) {
        status = stream->lane->ops->commit(stream->lane, batch, record_count, error);
    }
    if (status == HAUL_OK) {
        digest_join(&stream->digest, &digest);
    }
    return status;
}

/* --- public ----------------------------------------------------------------------------------- */

bool apply_stream_awaits(const struct apply_stream *stream, const struct slot_header *header)
{
    return header->batch == stream->next_batch && !stream->finished;
}

enum haul_status apply_stream_take(struct apply_stream *stream, const struct slot_header *header,
                                   struct haul_slice payload, uint64_t *records,
                                   struct haul_error *error)
{
    *records = 0;
    if (header->batch < stream->next_batch) {
        stream->repeated_batches++;
        return HAUL_OK;
    }
    if (header->batch > stream->next_batch || stream->finished) {
        return refuse(stream, HAUL_PROTOCOL, "batch number out of order", NULL, error);
    }
    struct haul_slice batch = payload;
    bool complete = true;
    if ((header->flags & SLOT_FRAGMENT) != 0) {
        enum haul_status status =
            fragment_assembly_add(&stream->fragments, payload, &complete, &batch, error);
        if (status != HAUL_OK) {
            return status;
        }
    } else if (fragment_assembly_is_open(&stream->fragments)) {
        return refuse(stream, HAUL_PROTOCOL, "a fragment is missing", NULL, error);
    }
    if ((!complete || batch.size == 0) && header->record_count > 0) {
        return refuse(stream, HAUL_CORRUPT, "its record count is wrong", NULL, error);
    }
    if (complete && batch.size > 0) {
        enum haul_status status = apply_batch(stream, batch, header->record_count, error);
        fragment_assembly_reset(&stream->fragments);
        if (status != HAUL_OK) {
            return status;
        }
        *records = header->record_count;
    }
    stream->next_batch++;
    stream->dirty = true;
    if ((header->flags & SLOT_LAST) != 0) {
        if (!complete) {
            return refuse(stream, HAUL_PROTOCOL, "the stream ends inside a record", NULL, error);
        }
        stream->finished = true;
    }
    return HAUL_OK;
}

bool apply_stream_wants_flush(const struct apply_stream *stream, bool pauses)
{
    if (fragment_assembly_is_open(&stream->fragments)) {
        return false;
    }
    return stream->finished ? stream->dirty : stream->lane->ops->is_full(stream->lane, pauses);
}

enum haul_status apply_stream_flush(struct apply_stream *stream, struct haul_error *error)
{
    return stream->lane->ops->flush(stream->lane, error);
}

enum haul_status apply_stream_position(struct apply_stream *stream,
                                       struct stream_position *position)
{
    memset(position, 0, sizeof(*position));
    if (stream->finished) {
        /* The stream is finished: nothing resumes from its last key, and a long key does not fit a
         * journal. */
        free(stream->last_key);
        stream->last_key = NULL;
        stream->last_key_size = 0;
        stream->last_key_capacity = 0;
    }
    bool empty_key_is_first = stream->order > 0 || stream->stream == NULL;
    bool forgotten = stream->last_key_is_cut && HAUL_PLANTED_BUG(LONG_KEY_DROPPED);
    position->resumable =
        (stream->finished && !forgotten) ||
        (!stream->last_key_is_cut && (stream->last_key_size > 0 || empty_key_is_first));
    if (stream->last_key_size > 0 && position->resumable) {
        uint8_t *key = malloc(stream->last_key_size);
        if (key == NULL) {
            return HAUL_NO_MEMORY;
        }
        memcpy(key, stream->last_key, stream->last_key_size);
        position->last_key = slice_of(key, stream->last_key_size);
    }
    position->stream = stream_number(stream);
    position->next_batch = stream->next_batch;
    position->finished = stream->finished;
    position->digest = stream->digest;
    stream->dirty = false;
    return HAUL_OK;
}
