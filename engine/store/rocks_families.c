/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_families.c — creates column families with their own options, and removes them.
 *
 * RocksDB creates the family "default" together with the database, so a new receiver has it with
 * RocksDB's options whatever the plan needs. As long as nothing was ever written and nobody has
 * chosen options, the database is therefore opened again with the wanted options. A comparator is
 * part of the MANIFEST: for another one the empty database is removed and created again, under the
 * same identity. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rocks_store.h"
#include "rocks_stored.h"

/* The place of a family; ROCKS_FAMILY_COUNT_MAX: it is not there. */
static size_t place_of(struct rocks_store *store, const char *name)
{
    size_t at = 0;
    (void)pthread_rwlock_rdlock(&store->families_lock);
    while (at < store->family_count && strcmp(store->families[at].family.name, name) != 0) {
        at++;
    }
    at = at < store->family_count ? at : ROCKS_FAMILY_COUNT_MAX;
    (void)pthread_rwlock_unlock(&store->families_lock);
    return at;
}

static bool is_there(struct rocks_store *store, const char *name)
{
    return place_of(store, name) < ROCKS_FAMILY_COUNT_MAX;
}

/* The first place without a family; with the lock held. */
static size_t free_place(const struct rocks_store *store)
{
    size_t at = 0;
    while (at < store->family_count && !rocks_family_is_gone(&store->families[at])) {
        at++;
    }
    return at;
}

static enum haul_status check_new_name(struct rocks_store *store, const char *name,
                                       struct haul_error *error)
{
    size_t size = strlen(name);
    if (store->lost) {
        return rocks_lost(store, error);
    }
    if (size == 0 || size >= HAUL_NAME_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "a column family's name has 1 to %d bytes", HAUL_NAME_BYTES_MAX - 1);
    }
    if (is_there(store, name)) {
        return haul_error_set(error, HAUL_EXISTS, NULL, 0, "column family '%s' exists", name);
    }
    (void)pthread_rwlock_rdlock(&store->families_lock);
    bool full = free_place(store) >= HAUL_FAMILY_COUNT_MAX; /* more: with RocksDB's own */
    (void)pthread_rwlock_unlock(&store->families_lock);
    if (full) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "more than %d column families",
                              HAUL_FAMILY_COUNT_MAX);
    }
    return HAUL_OK;
}

/* Takes `family` over, which has a name, classes and options. */
static enum haul_status create(struct rocks_store *store, struct rocks_family *family,
                               struct haul_family *created, struct haul_error *error)
{
    char *message = NULL;
    family->handle =
        rocksdb_create_column_family(store->db, family->options, family->family.name, &message);
    enum haul_status status = rocks_error(message, "create column family", error);
    if (status != HAUL_OK) {
        rocksdb_options_destroy(family->options);
        return status;
    }
    family->family.id = rocksdb_column_family_handle_get_id(family->handle);
    rocks_takeover_forget(store, false);
    (void)pthread_rwlock_wrlock(&store->families_lock);
    size_t at = free_place(store);
    store->families[at] = *family;
    store->family_count = at == store->family_count ? at + 1 : store->family_count;
    (void)pthread_rwlock_unlock(&store->families_lock);
    *created = family->family;
    return HAUL_OK;
}

static enum haul_status refuse_attached(const char *name, struct haul_error *error)
{
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                          "there is no column family '%s', and only its owner creates new ones",
                          name);
}

enum haul_status rocks_family_create(struct haul_store *base, const char *name,
                                     struct haul_family *created, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    enum haul_status status =
        store->attached ? refuse_attached(name, error) : check_new_name(store, name, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct rocks_family family;
    rocks_takeover_prepare(store, name, "", true, &family);
    return create(store, &family, created, error);
}

/* --- the default family ----------------------------------------------------------------------- */

bool rocks_is_unwritten(struct rocks_store *store)
{
    if (!store->unchosen || store->lost || store->family_count != 1 ||
        rocksdb_get_latest_sequence_number(store->db) != 0) {
        return false;
    }
    const rocksdb_livefiles_t *files = rocksdb_livefiles(store->db);
    int count = rocksdb_livefiles_count(files);
    rocksdb_livefiles_destroy(files);
    return count == 0;
}

static void close_only_family(struct rocks_store *store)
{
    rocksdb_column_family_handle_destroy(store->families[0].handle);
    store->families[0].handle = NULL;
    rocksdb_close(store->db);
    store->db = NULL;
}

/* `*removed`: was the old database removed? */
static enum haul_status make_anew(struct rocks_store *store, bool *removed,
                                  struct haul_error *error)
{
    char *message = NULL;
    enum haul_status status = rocks_identity_keep(store, error);
    *removed = status == HAUL_OK;
    if (status == HAUL_OK) {
        rocksdb_destroy_db(store->options, store->path, &message);
        status = rocks_error(message, "remove empty database", error);
    }
    if (status == HAUL_OK) {
        status = rocks_open_handles(store, error);
    }
    if (status == HAUL_OK) {
        close_only_family(store);
        status = rocks_identity_restore(store, error);
    }
    return status;
}

/* Takes the options of `family` over. */
static enum haul_status reopen(struct rocks_store *store, const struct rocks_family *family,
                               struct haul_error *error)
{
    struct rocks_family before = store->families[0];
    bool anew = strcmp(before.family.comparator, family->family.comparator) != 0;
    enum haul_status status = rocks_place_check(&store->base, error);
    if (status != HAUL_OK) {
        rocksdb_options_destroy(family->options);
        return status;
    }
    close_only_family(store);
    store->families[0] = *family;
    bool removed = false;
    status = anew ? make_anew(store, &removed, error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = rocks_open_handles(store, error);
    }
    if (status == HAUL_OK) {
        rocksdb_options_destroy(before.options);
        return HAUL_OK;
    }
    struct haul_error second; /* the first error is returned */
    rocksdb_options_destroy(family->options);
    store->families[0] = before;
    store->families[0].handle = NULL;
    /* With another comparator in it, it cannot be opened with its own options. */
    bool back = !removed || make_anew(store, &removed, &second) == HAUL_OK;
    store->lost = !back || rocks_open_handles(store, &second) != HAUL_OK;
    return status;
}

static enum haul_status remake(struct rocks_store *store, const char *name, const char *options,
                               struct haul_family *created, struct haul_error *error)
{
    struct rocks_family family;
    rocks_takeover_prepare(store, name, options, true, &family);
    (void)pthread_rwlock_wrlock(&store->families_lock);
    enum haul_status status = reopen(store, &family, error);
    if (status != HAUL_OK && !store->lost) {
        /* A compression that this RocksDB lacks shows only here. */
        rocks_takeover_prepare(store, name, options, false, &family);
        status = reopen(store, &family, error);
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    rocks_takeover_forget(store, status == HAUL_OK);
    if (status == HAUL_OK) {
        *created = store->families[0].family;
    }
    return status;
}

enum haul_status rocks_family_create_like(struct haul_store *base, const char *name,
                                          const char *options, struct haul_family *created,
                                          struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    if (!store->attached && is_there(store, name) && rocks_is_unwritten(store)) {
        return remake(store, name, options, created, error);
    }
    enum haul_status status =
        store->attached ? refuse_attached(name, error) : check_new_name(store, name, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct rocks_family family;
    rocks_takeover_prepare(store, name, options, true, &family);
    status = create(store, &family, created, error);
    if (status == HAUL_STORE) { /* a compression that this RocksDB lacks */
        rocks_takeover_prepare(store, name, options, false, &family);
        status = create(store, &family, created, error);
    }
    return status;
}

/* --- removing --------------------------------------------------------------------------------- */

/* The others keep their places: threads that work for other jobs point at them. */
static void leave_place(struct rocks_store *store, size_t index)
{
    memset(&store->families[index], 0, sizeof(store->families[index]));
    while (store->family_count > 0 &&
           rocks_family_is_gone(&store->families[store->family_count - 1])) {
        store->family_count--;
    }
}

enum haul_status rocks_family_drop(struct haul_store *base, const char *name,
                                   struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    char *message = NULL;
    if (store->attached) {
        return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                              "only its owner removes column family '%s'", name);
    }
    size_t index = place_of(store, name);
    if (index == ROCKS_FAMILY_COUNT_MAX) {
        return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family '%s'", name);
    }
    struct rocks_family family = store->families[index];
    rocksdb_drop_column_family(store->db, family.handle, &message);
    enum haul_status status = rocks_error(message, "drop column family", error);
    if (status != HAUL_OK) {
        return status;
    }
    (void)pthread_rwlock_wrlock(&store->families_lock);
    leave_place(store, index);
    (void)pthread_rwlock_unlock(&store->families_lock);
    rocksdb_column_family_handle_destroy(family.handle);
    rocksdb_options_destroy(family.options);
    rocks_door_domain_free(family.domain);
    rocks_takeover_forget(store, false);
    return HAUL_OK;
}
