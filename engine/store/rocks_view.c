/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_view.c — snapshots, and iterators where a snapshot is not enough. */
#include "rocks_view.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "planted_bug.h"
#include "rocks_door.h"

/* If a compaction finishes while the iterators are created, all are created again. */
enum { TAKES_MAX = 64, PIN_SCANS = READ_AHEAD_SOURCES * ROCKS_VIEW_SCANS };

struct rocks_pin {
    uint32_t family_id;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    pthread_mutex_t look_up_lock;
    rocksdb_iterator_t *look_up;          /* only for rocks_pin_get */
    rocksdb_iterator_t *scans[PIN_SCANS]; /* ROCKS_VIEW_SCANS for each source to read from */
    bool lent[PIN_SCANS];
};

/* --- making ----------------------------------------------------------------------------------- */

static void release_iterators(struct rocks_pin *pin)
{
    for (size_t i = 0; i < PIN_SCANS; i++) {
        rocksdb_iter_destroy(pin->scans[i]);
    }
    rocksdb_iter_destroy(pin->look_up);
}

/* False: the iterators do not read the same files. */
static bool take_iterators(struct rocks_pin *pin, struct rocks_store *store,
                           const struct rocks_family *family, const rocksdb_snapshot_t *snapshot)
{
    rocksdb_readoptions_t *options[READ_AHEAD_SOURCES];
    for (enum read_ahead_source source = 0; source < READ_AHEAD_SOURCES; source++) {
        options[source] = rocks_scan_options(snapshot, source);
    }
    rocksdb_readoptions_t *single = rocks_scan_options(snapshot, READ_AHEAD_DISK);
    rocksdb_readoptions_set_readahead_size(single, 0); /* each look-up reads another place */
    pin->look_up = rocksdb_create_iterator_cf(store->db, single, family->handle);
    bool same = true;
    for (size_t i = 0; i < PIN_SCANS; i++) {
        pin->scans[i] =
            rocksdb_create_iterator_cf(store->db, options[i / ROCKS_VIEW_SCANS], family->handle);
        same =
            same && rocks_door_view_number(pin->scans[i]) == rocks_door_view_number(pin->look_up);
    }
    rocksdb_readoptions_destroy(single); /* the iterators have copied the options */
    for (enum read_ahead_source source = 0; source < READ_AHEAD_SOURCES; source++) {
        rocksdb_readoptions_destroy(options[source]);
    }
    if (!same) {
        release_iterators(pin);
    }
    return same;
}

static enum haul_status pin_family(struct rocks_pin *pin, struct rocks_store *store,
                                   const struct rocks_family *family,
                                   const rocksdb_snapshot_t *snapshot, struct haul_error *error)
{
    bool same = false;
    for (int take = 0; take < TAKES_MAX && !same; take++) {
        same = take_iterators(pin, store, family, snapshot);
    }
    if (!same) {
        return haul_error_set(error, HAUL_BUSY, NULL, 0,
                              "column family '%s' is compacted faster than a view of it is taken",
                              family->family.name);
    }
    pin->family_id = family->family.id;
    (void)pthread_mutex_init(&pin->lock, NULL);
    (void)pthread_mutex_init(&pin->look_up_lock, NULL);
    (void)pthread_cond_init(&pin->returned, NULL);
    return HAUL_OK;
}

static enum haul_status pin_families_locked(struct haul_snapshot *view, struct rocks_store *store,
                                            struct haul_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < store->family_count; i++) {
        bool drops = store->families[i].drops_records && !HAUL_PLANTED_BUG(FILTER_FORGOTTEN);
        count += drops ? 1 : 0;
    }
    if (count == 0) {
        return HAUL_OK;
    }
    view->pins = calloc(count, sizeof(*view->pins));
    if (view->pins == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a snapshot");
    }
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < store->family_count && status == HAUL_OK; i++) {
        const struct rocks_family *family = &store->families[i];
        if (family->drops_records) {
            status = pin_family(&view->pins[view->pin_count], store, family, view->snapshot, error);
            view->pin_count += status == HAUL_OK ? 1 : 0;
        }
    }
    return status;
}

static enum haul_status pin_families(struct haul_snapshot *view, struct rocks_store *store,
                                     struct haul_error *error)
{
    (void)pthread_rwlock_rdlock(&store->families_lock); /* none is dropped meanwhile */
    enum haul_status status = pin_families_locked(view, store, error);
    (void)pthread_rwlock_unlock(&store->families_lock);
    return status;
}

enum haul_status rocks_snapshot_open(struct haul_store *base, struct haul_snapshot **out,
                                     uint64_t *sequence, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    struct haul_snapshot *view = calloc(1, sizeof(*view));
    if (view == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a snapshot");
    }
    atomic_store(&store->read_ahead.next, READ_AHEAD_DISK);
    /* Read before the snapshot is taken, the number is at or below the snapshot's. */
    *sequence = rocksdb_get_latest_sequence_number(store->db);
    view->snapshot = rocksdb_create_snapshot(store->db);
    if (HAUL_PLANTED_BUG(SEQUENCE_LATE)) {
        *sequence = rocksdb_get_latest_sequence_number(store->db);
    }
    enum haul_status status = pin_families(view, store, error);
    if (status != HAUL_OK) {
        rocks_snapshot_close(base, view);
        return status;
    }
    *out = view;
    return HAUL_OK;
}

void rocks_snapshot_close(struct haul_store *base, struct haul_snapshot *view)
{
    for (size_t i = 0; i < view->pin_count; i++) {
        struct rocks_pin *pin = &view->pins[i];
        release_iterators(pin);
        (void)pthread_cond_destroy(&pin->returned);
        (void)pthread_mutex_destroy(&pin->look_up_lock);
        (void)pthread_mutex_destroy(&pin->lock);
    }
    rocksdb_release_snapshot(rocks_of(base)->db, view->snapshot);
    free(view->pins);
    free(view);
}

/* --- lending ---------------------------------------------------------------------------------- */

struct rocks_pin *rocks_view_pin(const struct haul_snapshot *view, uint32_t family_id)
{
    size_t count = view == NULL ? 0 : view->pin_count;
    for (size_t i = 0; i < count; i++) {
        if (view->pins[i].family_id == family_id) {
            return &view->pins[i];
        }
    }
    return NULL;
}

/* The index of an iterator that reads from there; PIN_SCANS: all are lent. */
static size_t find_free(const struct rocks_pin *pin, enum read_ahead_source source)
{
    size_t first = (size_t)source * ROCKS_VIEW_SCANS;
    for (size_t i = first; i < first + ROCKS_VIEW_SCANS; i++) {
        if (!pin->lent[i]) {
            return i;
        }
    }
    return PIN_SCANS;
}

rocksdb_iterator_t *rocks_pin_borrow(struct rocks_pin *pin, enum read_ahead_source source)
{
    (void)pthread_mutex_lock(&pin->lock);
    size_t index;
    while ((index = find_free(pin, source)) == PIN_SCANS) {
        (void)pthread_cond_wait(&pin->returned, &pin->lock);
    }
    pin->lent[index] = true;
    (void)pthread_mutex_unlock(&pin->lock);
    return pin->scans[index];
}

void rocks_pin_return(struct rocks_pin *pin, rocksdb_iterator_t *iterator)
{
    (void)pthread_mutex_lock(&pin->lock);
    for (size_t i = 0; i < PIN_SCANS; i++) {
        pin->lent[i] = pin->lent[i] && pin->scans[i] != iterator;
    }
    (void)pthread_cond_broadcast(&pin->returned); /* who waits for the other source goes on */
    (void)pthread_mutex_unlock(&pin->lock);
}

/* A copy of the value of `key`, which the iterator should be at. */
static enum haul_status take_value(rocksdb_iterator_t *iterator, struct haul_slice key,
                                   uint8_t **value, size_t *value_size, struct haul_error *error)
{
    struct haul_slice found_key;
    struct haul_slice found;
    enum rocks_door_record record = rocks_door_current(iterator, &found_key, &found);
    if (record == ROCKS_DOOR_END) {
        char *message = NULL;
        rocksdb_iter_get_error(iterator, &message);
        enum haul_status status = rocks_error(message, "get", error);
        return status == HAUL_OK ? HAUL_NOT_FOUND : status;
    }
    if (slice_compare(found_key, key) != 0) {
        return HAUL_NOT_FOUND;
    }
    uint8_t *copy = malloc(found.size + 1);
    if (copy == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a value");
    }
    if (found.size > 0) {
        memcpy(copy, found.data, found.size);
    }
    *value = copy;
    *value_size = found.size;
    return HAUL_OK;
}

enum haul_status rocks_pin_get(struct rocks_pin *pin, struct haul_slice key, uint8_t **value,
                               size_t *value_size, struct haul_error *error)
{
    (void)pthread_mutex_lock(&pin->look_up_lock);
    rocksdb_iter_seek(pin->look_up, (const char *)key.data, key.size);
    enum haul_status status = take_value(pin->look_up, key, value, value_size, error);
    (void)pthread_mutex_unlock(&pin->look_up_lock);
    return status;
}
