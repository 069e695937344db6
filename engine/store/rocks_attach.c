/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_attach.c — a store over a database that the embedder has open. */
#include <stdio.h>
#include <string.h>

#include "haul_folder.h"
#include "rocks_store.h"
#include "sized_options.h"

/* NULL `name`: `otherwise` is copied. */
static bool copy_name(char to[HAUL_NAME_BYTES_MAX], const char *name, const char *otherwise)
{
    const char *from = name == NULL ? otherwise : name;
    int length = snprintf(to, HAUL_NAME_BYTES_MAX, "%s", from);
    return length >= 0 && length < HAUL_NAME_BYTES_MAX;
}

static enum haul_status attach_family(struct rocks_store *store,
                                      const struct haul_rocks_family *given,
                                      struct haul_error *error)
{
    struct rocks_family *family = &store->families[store->family_count];
    bool fits = given->name != NULL && given->handle != NULL && given->options != NULL &&
                copy_name(family->family.name, given->name, "") &&
                copy_name(family->family.comparator, given->comparator, HAUL_COMPARATOR_BYTEWISE) &&
                copy_name(family->family.merge_operator, given->merge_operator, "");
    if (!fits) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "column family %zu has no handle, no options, or too long a name",
                              store->family_count);
    }
    family->handle = given->handle;
    family->options = given->options;
    family->family.id = rocksdb_column_family_handle_get_id(given->handle);
    store->family_count++;
    return HAUL_OK;
}

static enum haul_status attach(const struct haul_rocks_database *database, struct haul_store **out,
                               struct haul_error *error)
{
    if (database->db == NULL || database->path == NULL ||
        strlen(database->path) > ROCKS_PATH_BYTES_MAX - 512) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "no database, or no path that fits");
    }
    if (database->family_count > HAUL_FAMILY_COUNT_MAX) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "%zu column families; at most %d",
                              database->family_count, HAUL_FAMILY_COUNT_MAX);
    }
    struct rocks_store *store = rocks_store_create(database->path);
    if (store == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a store");
    }
    store->attached = true;
    rocks_place_follow(store);
    rocks_place_note(store);
    store->db = database->db;
    store->features = database->features;
    store->features_context = database->context;
    store->log_data = database->log_data;
    enum haul_status status = haul_folder_check(store->path, error);
    haul_folder_close(store->path);
    for (size_t i = 0; i < database->family_count && status == HAUL_OK; i++) {
        status = attach_family(store, &database->families[i], error);
    }
    if (status == HAUL_OK) {
        status = rocks_note_families(store, error);
    }
    if (status == HAUL_OK) {
        status = rocks_read_identity(store, error);
    }
    if (status != HAUL_OK) {
        haul_store_close(&store->base);
        return status;
    }
    *out = &store->base;
    return HAUL_OK;
}

enum haul_status haul_rocks_store_attach(const struct haul_rocks_database *given,
                                         struct haul_store **out, struct haul_error *error)
{
    struct haul_rocks_database database;
    enum haul_status status =
        sized_options_take(&database, sizeof(database),
                           SIZED_OPTIONS_END(struct haul_rocks_database, context), given, error);
    return status == HAUL_OK ? attach(&database, out, error) : status;
}
