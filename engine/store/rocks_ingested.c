/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_ingested.c — checks that ingested table files are live with all their entries. RocksDB
 * returned OK when it took them, but only its present state counts.
 *
 * A table is noted when it is finished, and looked up right after its ingestion: it must be live,
 * with exactly as many entries, and gets a file number. Later, a live number proves that the table
 * is unchanged. A number that is not live means that the table was compacted or lost: then the live
 * tables in its place must hold at least as many entries, otherwise only a scan can decide. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rocks_store.h"

/* Longer keys are not kept after the proof, because the sender chooses their length. */
enum { KEY_BYTES_KEPT_MAX = 1 << 10 };

struct rocks_ingested {
    char *path; /* malloc'ed; NULL: ingested */
    uint32_t family_id;
    struct rocks_table_facts facts; /* once ingested, keys beyond the limit are empty */
    bool has_keys;
    uint64_t number; /* of the file in the database; 0: unknown */
};

static void free_entry(struct rocks_ingested *entry)
{
    free(entry->path);
    rocks_free_key(entry->facts.first);
    rocks_free_key(entry->facts.last);
}

static void remove_entry(struct rocks_store *store, size_t index)
{
    free_entry(&store->ingested[index]);
    store->ingested[index] = store->ingested[--store->ingested_count];
}

void rocks_ingested_free(struct rocks_store *store)
{
    while (store->ingested_count > 0) {
        remove_entry(store, store->ingested_count - 1);
    }
    free(store->ingested);
}

/* --- before and at the ingestion -------------------------------------------------------------- */

static bool reserve(struct rocks_store *store)
{
    if (store->ingested_count < store->ingested_capacity) {
        return true;
    }
    size_t capacity = store->ingested_capacity == 0 ? 16 : 2 * store->ingested_capacity;
    void *larger = realloc(store->ingested, capacity * sizeof(*store->ingested));
    if (larger != NULL) {
        store->ingested = larger;
        store->ingested_capacity = capacity;
    }
    return larger != NULL;
}

enum haul_status rocks_ingested_note(struct rocks_store *store, uint32_t family_id,
                                     const char *path, const struct rocks_table_facts *facts,
                                     struct haul_error *error)
{
    struct rocks_ingested entry = {
        .path = strdup(path), .family_id = family_id, .facts = *facts, .has_keys = true};
    bool whole = entry.path != NULL && facts->first.data != NULL && facts->last.data != NULL;
    (void)pthread_mutex_lock(&store->ingest_lock);
    bool noted = whole && reserve(store);
    if (noted) {
        store->ingested[store->ingested_count++] = entry;
    }
    (void)pthread_mutex_unlock(&store->ingest_lock);
    if (!noted) {
        free_entry(&entry);
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a table file");
    }
    return HAUL_OK;
}

/* With the lock held. */
static struct rocks_ingested *find_path(struct rocks_store *store, const char *path)
{
    for (size_t i = store->ingested_count; i-- > 0;) {
        const char *noted = store->ingested[i].path;
        if (noted != NULL && strcmp(noted, path) == 0) {
            return &store->ingested[i];
        }
    }
    return NULL;
}

void rocks_ingested_drop(struct rocks_store *store, const char *path)
{
    (void)pthread_mutex_lock(&store->ingest_lock);
    const struct rocks_ingested *entry = find_path(store, path);
    if (entry != NULL) {
        remove_entry(store, (size_t)(entry - store->ingested));
    }
    (void)pthread_mutex_unlock(&store->ingest_lock);
}

static void shed_long_keys(struct rocks_ingested *entry)
{
    struct rocks_table_facts *facts = &entry->facts;
    if (facts->first.size > KEY_BYTES_KEPT_MAX || facts->last.size > KEY_BYTES_KEPT_MAX) {
        rocks_free_key(facts->first);
        rocks_free_key(facts->last);
        facts->first = facts->last = (struct haul_slice){NULL, 0};
        entry->has_keys = false;
    }
}

/* With the lock held. */
static enum haul_status prove(struct rocks_store *store, const struct rocks_family *family,
                              struct rocks_ingested *entry, struct haul_error *error)
{
    const struct rocks_table_facts *facts = &entry->facts;
    char *message = NULL;
    struct rocks_tables_there there = rocks_door_tables(store->db, family->handle, facts->first,
                                                        facts->last, facts->entries, &message);
    enum haul_status status = rocks_error(message, "look at ingested tables", error);
    if (status != HAUL_OK) {
        return status;
    }
    /* The table may have been compacted already. */
    if (there.number == 0 && there.entries < facts->entries) {
        haul_error_set(error, HAUL_CORRUPT, "ingest", 0,
                       "column family '%s': the database took the table file %s with %llu records, "
                       "and has only %llu there",
                       family->family.name, entry->path, (unsigned long long)facts->entries,
                       (unsigned long long)there.entries);
        haul_error_hint(error, "check the LOG file of the database; nothing was handed over");
        return HAUL_CORRUPT;
    }
    entry->number = there.number;
    free(entry->path);
    entry->path = NULL;
    shed_long_keys(entry);
    return HAUL_OK;
}

enum haul_status rocks_ingested_prove(struct rocks_store *store, const struct rocks_family *family,
                                      const char *const *paths, size_t path_count,
                                      struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    (void)pthread_mutex_lock(&store->ingest_lock);
    for (size_t i = 0; i < path_count && status == HAUL_OK; i++) {
        struct rocks_ingested *entry = find_path(store, paths[i]);
        status = entry == NULL ? HAUL_OK : prove(store, family, entry, error);
    }
    (void)pthread_mutex_unlock(&store->ingest_lock);
    return status;
}

/* --- after the ingestion ---------------------------------------------------------------------- */

/* A table without keys counts as inside. Bounds exist only where keys are in byte order. */
static bool is_inside(const struct rocks_ingested *entry, uint32_t family_id,
                      struct haul_slice start, struct haul_slice end)
{
    struct haul_slice first = entry->facts.first;
    return entry->path == NULL && entry->family_id == family_id &&
           (!entry->has_keys ||
            (slice_compare(first, start) >= 0 && (end.size == 0 || slice_compare(first, end) < 0)));
}

void rocks_ingested_forget(struct haul_store *base, uint32_t family_id, struct haul_slice start,
                           struct haul_slice end)
{
    struct rocks_store *store = rocks_of(base);
    (void)pthread_mutex_lock(&store->ingest_lock);
    for (size_t i = store->ingested_count; i-- > 0;) {
        if (is_inside(&store->ingested[i], family_id, start, end)) {
            remove_entry(store, i);
        }
    }
    (void)pthread_mutex_unlock(&store->ingest_lock);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The numbers of all live tables, ascending, malloc'ed. NULL: no memory. */
static uint64_t *live_numbers(struct rocks_store *store, size_t *count)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(store->db);
    *count = (size_t)rocksdb_livefiles_count(files);
    uint64_t *numbers = calloc(*count + 1, sizeof(*numbers));
    for (size_t i = 0; numbers != NULL && i < *count; i++) {
        const char *name = rocksdb_livefiles_name(files, (int)i);
        numbers[i] = strtoull(name[0] == '/' ? name + 1 : name, NULL, 10);
    }
    rocksdb_livefiles_destroy(files);
    if (numbers != NULL) {
        qsort(numbers, *count, sizeof(*numbers), compare_numbers);
    }
    return numbers;
}

/* With the lock held. */
static enum haul_status look_for(struct rocks_store *store, const struct rocks_family *family,
                                 const struct rocks_ingested *entry, bool *sure,
                                 struct haul_error *error)
{
    if (!entry->has_keys) {
        *sure = false;
        return HAUL_OK;
    }
    char *message = NULL;
    const struct rocks_table_facts *facts = &entry->facts;
    struct rocks_tables_there there = rocks_door_tables(store->db, family->handle, facts->first,
                                                        facts->last, facts->entries, &message);
    *sure = there.entries >= facts->entries;
    return rocks_error(message, "look at ingested tables", error);
}

enum haul_status rocks_ingested_check(struct haul_store *base, uint32_t family_id,
                                      struct haul_slice start, struct haul_slice end, bool *sure,
                                      struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    *sure = true;
    enum haul_status status = rocks_family(store, family_id, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t live_count = 0;
    uint64_t *live = live_numbers(store, &live_count);
    if (live == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for table numbers");
    }
    (void)pthread_mutex_lock(&store->ingest_lock);
    for (size_t i = 0; i < store->ingested_count && status == HAUL_OK && *sure; i++) {
        const struct rocks_ingested *entry = &store->ingested[i];
        if (is_inside(entry, family_id, start, end) &&
            bsearch(&entry->number, live, live_count, sizeof(*live), compare_numbers) == NULL) {
            status = look_for(store, family, entry, sure, error);
        }
    }
    (void)pthread_mutex_unlock(&store->ingest_lock);
    free(live);
    return status;
}
