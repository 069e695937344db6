/* SPDX-License-Identifier: Apache-2.0 */
/* sim_store.c — versions, log and table files in memory behind the store's table of operations. */
#include "sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "joined_pieces.h"
#include "raw_batch.h"
#include "sim_kernel.h"
#include "sim_report.h"
#include "sim_table.h"

enum { SIM_FAMILY_ID_NEXT = 40, STALL_MS_MAX = 400 };

struct haul_snapshot {
    uint64_t sequence;
};

struct haul_scan {
    struct sim_store *store;
    uint64_t sequence;
    uint32_t family_id;
    bool begun;
    struct haul_slice start;
    struct haul_slice end;
    struct haul_slice key; /* the last one assigned; versions live as long as the simulation */
};

struct haul_wal_reader {
    struct sim_store *store;
    uint64_t position;
};

struct sim_store *sim_store_of(struct haul_store *store)
{
    return (struct sim_store *)store;
}

static const struct sim_store *sim_of_const(const struct haul_store *store)
{
    return (const struct sim_store *)store;
}

bool sim_store_has_family(const struct sim_store *store, uint32_t family_id)
{
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->families[i].id == family_id) {
            return true;
        }
    }
    return false;
}

/* --- failures --------------------------------------------------------------------------------- */

enum haul_status sim_store_try(struct sim_store *store, const char *call, struct haul_error *error)
{
    if (sim_process_current() == NULL) {
        return HAUL_OK; /* a client */
    }
    sim_yield();
    if (sim_random_chance(store->random, store->stall_parts)) {
        store->stalls++;
        uint64_t stall_ns = (uint64_t)NS_PER_MS * sim_random_below(store->random, STALL_MS_MAX);
        sim_say("the database of %s stalls for %llu ms", store->path,
                (unsigned long long)(stall_ns / NS_PER_MS));
        sim_sleep(stall_ns);
        store->stalled_ns += stall_ns;
    }
    if (store->fail_in == 0 || --store->fail_in > 0) {
        return HAUL_OK;
    }
    store->failures++;
    return haul_error_set(error, store->fail_status, call, 0, SIM_STORE_FAILURE);
}

/* For calls that write: after a disk failure none succeeds before a restart. */
enum haul_status sim_store_try_write(struct sim_store *store, const char *call,
                                     struct haul_error *error)
{
    const struct sim_process *process = sim_process_current();
    haul_assert(process == NULL || !process->reads_only); /* I10 */
    if (store->dead && process != NULL) {
        return haul_error_set(error, HAUL_IO, call, 0, "the database takes no writes any more");
    }
    enum haul_status status = sim_store_try(store, call, error);
    store->dead = store->dead || (status != HAUL_OK && status != HAUL_NO_SPACE);
    return status;
}

void sim_store_tell(const struct sim_store *store, uint32_t family_id, struct haul_slice begin,
                    struct haul_slice end, bool is_key)
{
    if (store->watch != NULL && sim_process_current() != NULL) {
        store->watch(store->watch_context, family_id, begin, end, is_key);
    }
}

bool sim_store_lies(const struct sim_store *store, uint32_t *count, const char *what)
{
    if (*count == 0 || sim_process_current() == NULL || --*count > 0) {
        return false;
    }
    sim_say("the database of %s %s a record", store->path, what);
    return true;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void apply_record(struct sim_store *store, const struct raw_record *record,
                         uint64_t sequence)
{
    struct sim_version about = {.family_id = record->family_id, .sequence = sequence};
    haul_assert(sim_store_has_family(store, record->family_id));
    sim_store_tell(store, record->family_id, record->key, record->value,
                   record->kind != RAW_DELETE_RANGE);
    if (sim_store_lies(store, &store->drop_in, "drops")) {
        return;
    }
    if (record->kind == RAW_PUT) {
        sim_versions_put(&store->versions, &about, record->key, &record->value);
    } else if (record->kind == RAW_DELETE_RANGE) {
        haul_assert(slice_compare(record->key, record->value) <= 0);
        if (slice_compare(record->key, record->value) < 0) {
            (void)sim_versions_delete_range(&store->versions, &about, record->key, record->value);
        }
    } else {
        haul_assert(record->kind == RAW_DELETE || record->kind == RAW_SINGLE_DELETE);
        sim_versions_put(&store->versions, &about, record->key, NULL);
    }
}

/* Apply the records; returns their number. */
static uint32_t apply_batch(struct sim_store *store, struct haul_slice batch)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    uint32_t count = 0;
    while (status == HAUL_OK && (status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        if (record.kind != RAW_LOG_DATA && record.kind != RAW_NOOP) {
            apply_record(store, &record, store->sequence + ++count);
        }
    }
    haul_assert(status == HAUL_NOT_FOUND);
    return count;
}

static enum haul_status store_write(struct haul_store *base, struct haul_slice batch,
                                    unsigned flags, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try_write(store, "write", error);
    if (status != HAUL_OK) {
        return status;
    }
    haul_assert((flags & HAUL_WRITE_NO_WAL) == 0);
    uint32_t count = apply_batch(store, batch);
    sim_log_append(&store->log, batch, store->sequence + 1, count);
    store->sequence += count;
    store->log.synced = (flags & HAUL_WRITE_SYNC) != 0 ? store->sequence : store->log.synced;
    store->written += sim_process_current() == NULL ? 0 : count;
    return HAUL_OK;
}

static enum haul_status store_write_pieces(struct haul_store *base, const struct haul_slice *pieces,
                                           size_t piece_count, unsigned flags,
                                           struct haul_error *error)
{
    struct haul_slice batch = joined_pieces(pieces, piece_count);
    if (batch.data == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a batch");
    }
    enum haul_status status = store_write(base, batch, flags, error);
    free((void *)(uintptr_t)batch.data);
    return status;
}

static enum haul_status store_sync(struct haul_store *base, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    if (store->dead) {
        return haul_error_set(error, HAUL_IO, "sync", 0, "the database takes no writes any more");
    }
    uint64_t sequence = store->sequence;
    enum haul_status status = sim_store_try(store, "sync", error);
    store->dead = store->dead || status != HAUL_OK;
    store->log.synced =
        status == HAUL_OK && sequence > store->log.synced ? sequence : store->log.synced;
    return status;
}

static enum haul_status store_range_clear(struct haul_store *base, uint32_t family_id,
                                          struct haul_slice start, struct haul_slice end,
                                          const struct haul_steps *steps, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try_write(store, "clear range", error);
    (void)steps;
    if (status != HAUL_OK) {
        return status;
    }
    haul_assert(sim_store_has_family(store, family_id));
    sim_store_tell(store, family_id, start, end, false);
    struct sim_version about = {.family_id = family_id, .sequence = store->sequence + 1};
    if (sim_versions_delete_range(&store->versions, &about, start, end)) {
        /* The log has its tombstones, too, but nobody reads the log of this range. */
        uint8_t empty[RAW_BATCH_HEADER_BYTES] = {0};
        sim_log_append(&store->log, slice_of(empty, sizeof(empty)), store->sequence + 1, 1);
        store->sequence++;
        store->written++;
    }
    store->log.synced = store->sequence;
    return HAUL_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a handle");
}

static enum haul_status store_snapshot_open(struct haul_store *base,
                                            struct haul_snapshot **snapshot, uint64_t *sequence,
                                            struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try(store, "snapshot", error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_snapshot *made = malloc(sizeof(*made));
    if (made == NULL) {
        return no_memory(error);
    }
    made->sequence = store->sequence;
    *snapshot = made;
    *sequence = store->sequence;
    store->snapshots++;
    return HAUL_OK;
}

static void store_snapshot_close(struct haul_store *base, struct haul_snapshot *snapshot)
{
    sim_store_of(base)->snapshots--;
    /* A reader that uses it after this reads other data. */
    snapshot->sequence = 0;
    free(snapshot);
}

static enum haul_status store_scan_open(struct haul_store *base,
                                        const struct haul_snapshot *snapshot, uint32_t family_id,
                                        struct haul_slice start, struct haul_slice end,
                                        struct haul_scan **out, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try(store, "scan", error);
    if (status != HAUL_OK) {
        return status;
    }
    haul_assert(sim_store_has_family(store, family_id));
    struct haul_scan *scan = calloc(1, sizeof(*scan));
    if (scan == NULL) {
        return no_memory(error);
    }
    scan->store = store;
    scan->sequence = snapshot == NULL ? store->sequence : snapshot->sequence;
    scan->family_id = family_id;
    scan->start = start;
    scan->end = end;
    store->scans++;
    *out = scan;
    return HAUL_OK;
}

/* The index after the last key returned; versions may have been inserted meanwhile. */
static size_t scan_position(const struct haul_scan *scan)
{
    const struct sim_versions *versions = &scan->store->versions;
    if (!scan->begun) {
        return sim_versions_find(versions, scan->family_id, scan->start);
    }
    size_t at = sim_versions_find(versions, scan->family_id, scan->key);
    bool there = at < versions->count && versions->at[at].family_id == scan->family_id &&
                 slice_compare(sim_version_key(&versions->at[at]), scan->key) == 0;
    return there ? sim_versions_behind(versions, at) : at;
}

static enum haul_status store_scan_next(struct haul_scan *scan, struct haul_record *record,
                                        struct haul_error *error)
{
    struct sim_store *store = scan->store;
    const struct sim_versions *versions = &store->versions;
    enum haul_status status = sim_store_try(store, "scan", error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t at = scan_position(scan);
    while (
        at < versions->count && versions->at[at].family_id == scan->family_id &&
        (scan->end.size == 0 || slice_compare(sim_version_key(&versions->at[at]), scan->end) < 0)) {
        const struct sim_version *found = sim_versions_newest(versions, at, scan->sequence, &at);
        if (found != NULL && !sim_store_lies(store, &store->hide_in, "hides")) {
            scan->begun = true;
            scan->key = sim_version_key(found);
            *record = (struct haul_record){.key = scan->key, .value = sim_version_value(found)};
            return HAUL_OK;
        }
    }
    return HAUL_NOT_FOUND;
}

static void store_scan_close(struct haul_scan *scan)
{
    scan->store->scans--;
    free(scan);
}

static enum haul_status store_get(struct haul_store *base, const struct haul_snapshot *snapshot,
                                  uint32_t family_id, struct haul_slice key, uint8_t **value,
                                  size_t *value_size, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    const struct sim_versions *versions = &store->versions;
    enum haul_status status = sim_store_try(store, "get", error);
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t sequence = snapshot == NULL ? store->sequence : snapshot->sequence;
    size_t at = sim_versions_find(versions, family_id, key);
    const struct sim_version *found = NULL;
    if (at < versions->count && versions->at[at].family_id == family_id &&
        slice_compare(sim_version_key(&versions->at[at]), key) == 0) {
        found = sim_versions_newest(versions, at, sequence, &at);
    }
    if (found == NULL) {
        return HAUL_NOT_FOUND;
    }
    *value = malloc(found->value_size + 1);
    if (*value == NULL) {
        return no_memory(error);
    }
    memcpy(*value, sim_version_value(found).data, found->value_size);
    *value_size = found->value_size;
    return HAUL_OK;
}

/* The n-th live key of the span now, or NULL; `*count`: the number of live keys. */
static const struct sim_version *live_key(const struct sim_store *store, uint32_t family_id,
                                          const struct haul_slice span[2], size_t n, size_t *count)
{
    const struct sim_versions *versions = &store->versions;
    const struct sim_version *found = NULL;
    size_t at = sim_versions_find(versions, family_id, span[0]);
    *count = 0;
    while (at < versions->count && versions->at[at].family_id == family_id &&
           (span[1].size == 0 || slice_compare(sim_version_key(&versions->at[at]), span[1]) < 0)) {
        const struct sim_version *live = sim_versions_newest(versions, at, store->sequence, &at);
        found = live != NULL && *count == n ? live : found;
        *count += live != NULL;
    }
    return found;
}

static enum haul_status store_range_size(struct haul_store *base, uint32_t family_id,
                                         struct haul_slice start, struct haul_slice end,
                                         uint64_t *bytes, struct haul_error *error)
{
    (void)error;
    const struct haul_slice span[2] = {start, end};
    size_t count;
    (void)live_key(sim_of_const(base), family_id, span, 0, &count);
    *bytes = count * sim_of_const(base)->record_bytes;
    return HAUL_OK;
}

static enum haul_status store_range_split(struct haul_store *base, uint32_t family_id,
                                          struct haul_slice start, struct haul_slice end,
                                          struct haul_slice *keys, size_t capacity, size_t *count,
                                          struct haul_error *error)
{
    const struct haul_slice span[2] = {start, end};
    size_t live;
    *count = 0;
    (void)live_key(sim_of_const(base), family_id, span, 0, &live);
    for (size_t i = 1; i <= capacity && live > capacity; i++) {
        size_t ignored;
        const struct sim_version *cut =
            live_key(sim_of_const(base), family_id, span, i * live / (capacity + 1), &ignored);
        uint8_t *copy = malloc(cut->key_size + 1);
        if (copy == NULL) {
            return no_memory(error);
        }
        memcpy(copy, cut->bytes, cut->key_size);
        keys[(*count)++] = slice_of(copy, cut->key_size);
    }
    return HAUL_OK;
}

/* --- log -------------------------------------------------------------------------------------- */

static enum haul_status store_wal_pin(struct haul_store *base, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try(store, "pin log", error);
    store->pins += status == HAUL_OK;
    return status;
}

static void store_wal_unpin(struct haul_store *base)
{
    haul_assert(sim_store_of(base)->pins > 0);
    sim_store_of(base)->pins--;
}

static enum haul_status store_wal_open(struct haul_store *base, uint64_t sequence,
                                       struct haul_wal_reader **out, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try(store, "open log", error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_wal_reader *reader = malloc(sizeof(*reader));
    if (reader == NULL) {
        return no_memory(error);
    }
    *reader = (struct haul_wal_reader){.store = store, .position = sequence};
    store->readers++;
    *out = reader;
    return HAUL_OK;
}

static enum haul_status store_wal_next(struct haul_wal_reader *reader, struct haul_log_batch *batch,
                                       struct haul_error *error)
{
    struct sim_store *store = reader->store;
    enum haul_status status = sim_store_try(store, "read log", error);
    if (status != HAUL_OK) {
        return status;
    }
    if (reader->position == store->sequence + 1) {
        return HAUL_AGAIN;
    }
    const struct sim_log_entry *entry = sim_log_find(&store->log, reader->position);
    if (entry == NULL) {
        return haul_error_set(error, HAUL_GAP, NULL, 0, "the log has a hole at %llu",
                              (unsigned long long)reader->position);
    }
    reader->position = entry->sequence + entry->count;
    *batch = (struct haul_log_batch){.sequence = entry->sequence,
                                     .data = slice_of(entry->bytes, entry->size)};
    return HAUL_OK;
}

static uint64_t store_wal_position(const struct haul_wal_reader *reader)
{
    return reader->position;
}

static void store_wal_close(struct haul_wal_reader *reader)
{
    reader->store->readers--;
    free(reader);
}

static uint64_t store_foreign_ingests(struct haul_store *base)
{
    return sim_of_const(base)->foreign_ingests;
}

/* --- families and facts ----------------------------------------------------------------------- */

static void store_close(struct haul_store *base)
{
    (void)base; /* it lives as long as its host */
}

static uint32_t store_features(const struct haul_store *base)
{
    return sim_of_const(base)->features;
}

static const char *store_identity(const struct haul_store *base)
{
    return sim_of_const(base)->identity;
}

static const char *store_directory(const struct haul_store *base)
{
    return sim_of_const(base)->path;
}

static const void *store_files(const struct haul_store *base)
{
    return &sim_of_const(base)->disk->calls;
}

static enum haul_status store_families(struct haul_store *base, struct haul_family *families,
                                       size_t capacity, size_t *count, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    (void)error;
    haul_assert(capacity >= store->family_count);
    memcpy(families, store->families, store->family_count * sizeof(*families));
    *count = store->family_count;
    return HAUL_OK;
}

static enum haul_status store_family_create(struct haul_store *base, const char *name,
                                            struct haul_family *family, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try_write(store, "create column family", error);
    uint32_t id = SIM_FAMILY_ID_NEXT;
    for (size_t i = 0; i < store->family_count; i++) {
        id = store->families[i].id >= id ? store->families[i].id + 1 : id;
    }
    if (status == HAUL_OK) {
        sim_store_add_family(store, id, name);
        *family = store->families[store->family_count - 1];
    }
    return status;
}

static enum haul_status store_family_drop(struct haul_store *base, const char *name,
                                          struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try_write(store, "drop column family", error);
    for (size_t i = 0; status == HAUL_OK && i < store->family_count; i++) {
        if (strcmp(store->families[i].name, name) == 0) {
            store->family_count--;
            memmove(&store->families[i], &store->families[i + 1],
                    (store->family_count - i) * sizeof(store->families[0]));
            return HAUL_OK;
        }
    }
    return status == HAUL_OK ? HAUL_NOT_FOUND : status;
}

static uint64_t store_sequence(struct haul_store *base)
{
    return sim_store_of(base)->sequence;
}

static const struct haul_store_ops sim_store_ops = {
    .close = store_close,
    .features = store_features,
    .identity = store_identity,
    .directory = store_directory,
    .files = store_files,
    .families = store_families,
    .family_create = store_family_create,
    .family_drop = store_family_drop,
    .sequence = store_sequence,
    .snapshot_open = store_snapshot_open,
    .snapshot_close = store_snapshot_close,
    .scan_open = store_scan_open,
    .scan_next = store_scan_next,
    .scan_close = store_scan_close,
    .get = store_get,
    .write = store_write,
    .write_pieces = store_write_pieces,
    .sync = store_sync,
    .flush = store_sync,
    .range_clear = store_range_clear,
    .range_size = store_range_size,
    .range_split = store_range_split,
    .wal_pin = store_wal_pin,
    .wal_unpin = store_wal_unpin,
    .wal_open = store_wal_open,
    .wal_next = store_wal_next,
    .wal_position = store_wal_position,
    .wal_close = store_wal_close,
    .foreign_ingests = store_foreign_ingests,
    .table_create = sim_table_create,
    .table_put = sim_table_put,
    .table_size = sim_table_size,
    .table_finish = sim_table_finish,
    .table_abandon = sim_table_abandon,
    .table_ingest = sim_table_ingest,
};

/* --- life ------------------------------------------------------------------------------------- */

void sim_store_init(struct sim_store *store, const struct sim_store_options *options)
{
    memset(store, 0, sizeof(*store));
    store->base.ops = &sim_store_ops;
    store->disk = options->disk;
    store->random = options->random;
    store->path = options->path;
    store->identity = options->identity;
    store->record_bytes = options->record_bytes;
    store->features = options->features;
    store->log.first = 1;
}

void sim_store_add_family(struct sim_store *store, uint32_t id, const char *name)
{
    haul_assert(store->family_count < SIM_STORE_FAMILY_COUNT_MAX);
    struct haul_family *family = &store->families[store->family_count++];
    *family = (struct haul_family){.id = id};
    (void)snprintf(family->name, sizeof(family->name), "%s", name);
    (void)snprintf(family->comparator, sizeof(family->comparator), "leveldb.BytewiseComparator");
}

void sim_store_fail(struct sim_store *store, uint32_t in_calls, enum haul_status status)
{
    store->fail_in = in_calls;
    store->fail_status = status;
}

void sim_store_purge(struct sim_store *store, uint64_t sequence)
{
    store->log.first = sequence + 1 > store->log.first ? sequence + 1 : store->log.first;
}

void sim_store_kill(struct sim_store *store)
{
    store->pins = 0;
    store->snapshots = 0;
    store->scans = 0;
    store->readers = 0;
    store->open_tables = 0;
    for (int i = 0; i < SIM_STORE_TABLE_COUNT_MAX; i++) {
        store->files[i].finished = false; /* an earlier process's file */
    }
    store->foreign_ingests = 0; /* counted since the store was opened */
    store->fail_in = 0;
    store->drop_in = 0;
    store->hide_in = 0;
    store->dead = false;
}

void sim_store_power_failure(struct sim_store *store)
{
    sim_store_kill(store);
    uint64_t last = sim_log_power_failure(&store->log, store->random);
    sim_versions_cut(&store->versions, last);
    /* Ingested files keep the number that they got. */
    for (size_t i = 0; i < store->versions.count; i++) {
        uint64_t sequence = store->versions.at[i].sequence;
        last = sequence > last ? sequence : last;
    }
    store->sequence = last;
    store->log.synced = last;
}

/* The elements never change, so copies share what they point to; the arrays do change. */
static void copy_arrays(struct sim_versions *versions, struct sim_log *log)
{
    versions->at = sim_host_grow(versions->at, versions->count * sizeof(*versions->at),
                                 (versions->count + 1) * sizeof(*versions->at));
    versions->capacity = versions->count;
    log->at =
        sim_host_grow(log->at, log->count * sizeof(*log->at), (log->count + 1) * sizeof(*log->at));
    log->capacity = log->count;
}

void sim_store_save(const struct sim_store *store, struct sim_store_state *state)
{
    *state = (struct sim_store_state){.family_count = store->family_count,
                                      .versions = store->versions,
                                      .log = store->log,
                                      .sequence = store->sequence};
    memcpy(state->families, store->families, sizeof(state->families));
    copy_arrays(&state->versions, &state->log);
}

void sim_store_restore(struct sim_store *store, const struct sim_store_state *state)
{
    sim_store_kill(store);
    memset(store->files, 0, sizeof(store->files));
    memcpy(store->families, state->families, sizeof(store->families));
    store->family_count = state->family_count;
    store->versions = state->versions;
    store->log = state->log;
    copy_arrays(&store->versions, &store->log);
    store->sequence = state->sequence;
    store->log.synced = state->sequence;
}

uint32_t sim_store_handles(const struct sim_store *store)
{
    return store->pins + store->snapshots + store->scans + store->readers + store->open_tables;
}

uint32_t sim_store_file_count(const struct sim_store *store)
{
    uint32_t count = 0;
    for (int i = 0; i < SIM_STORE_TABLE_COUNT_MAX; i++) {
        count += store->files[i].used;
    }
    return count;
}
