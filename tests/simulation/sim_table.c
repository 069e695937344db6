/* SPDX-License-Identifier: Apache-2.0 */
/* sim_table.c — table files in memory. */
#include "sim_table.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assertion.h"
#include "sim_kernel.h"

struct haul_table {
    struct sim_store *store;
    struct sim_table_file *file;
};

static struct sim_store *served[SIM_HOST_COUNT_MAX];
static int served_count;

enum haul_status sim_table_create(struct haul_store *base, uint32_t family_id, const char *path,
                                  struct haul_table **out, struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try(store, "create table", error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_table *table = malloc(sizeof(*table));
    if (table == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a table");
    }
    *table = (struct haul_table){.store = store};
    for (int i = 0; i < SIM_STORE_TABLE_COUNT_MAX; i++) {
        bool fits = !store->files[i].used || strcmp(store->files[i].path, path) == 0;
        table->file = fits && table->file == NULL ? &store->files[i] : table->file;
    }
    haul_assert(table->file != NULL && sim_store_has_family(store, family_id));
    memset(table->file, 0, sizeof(*table->file));
    table->file->used = true;
    table->file->family_id = family_id;
    (void)snprintf(table->file->path, sizeof(table->file->path), "%s", path);
    store->open_tables++;
    *out = table;
    return HAUL_OK;
}

enum haul_status sim_table_put(struct haul_table *table, struct haul_slice key,
                               struct haul_slice value, struct haul_error *error)
{
    struct sim_table_file *file = table->file;
    enum haul_status status = sim_store_try(table->store, "table put", error);
    if (status != HAUL_OK) {
        return status;
    }
    if (file->records.count > 0) {
        const struct sim_version *last = &file->records.at[file->records.count - 1];
        haul_assert(slice_compare(sim_version_key(last), key) < 0);
    }
    sim_store_tell(table->store, file->family_id, key, key, true);
    struct sim_version about = {.family_id = file->family_id, .ingested = true};
    sim_versions_put(&file->records, &about, key, &value);
    file->size_bytes += key.size + value.size;
    return HAUL_OK;
}

uint64_t sim_table_size(const struct haul_table *table)
{
    return table->file->size_bytes;
}

void sim_table_abandon(struct haul_table *table)
{
    table->store->open_tables--;
    table->file->used = false;
    free(table);
}

enum haul_status sim_table_finish(struct haul_table *table, struct haul_error *error)
{
    enum haul_status status = sim_store_try(table->store, "finish table", error);
    if (status != HAUL_OK) {
        sim_table_abandon(table);
        return status;
    }
    table->store->open_tables--;
    table->file->finished = true;
    free(table);
    return HAUL_OK;
}

static struct sim_table_file *find_file(struct sim_store *store, const char *path)
{
    for (int i = 0; i < SIM_STORE_TABLE_COUNT_MAX; i++) {
        if (store->files[i].used && strcmp(store->files[i].path, path) == 0) {
            return &store->files[i];
        }
    }
    haul_unreachable();
}

enum haul_status sim_table_ingest(struct haul_store *base, uint32_t family_id,
                                  const char *const *paths, size_t path_count,
                                  struct haul_error *error)
{
    struct sim_store *store = sim_store_of(base);
    enum haul_status status = sim_store_try_write(store, "ingest", error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < path_count; i++) {
        struct sim_table_file *file = find_file(store, paths[i]);
        haul_assert(file->finished && file->family_id == family_id);
        struct sim_version about = {
            .family_id = family_id, .ingested = true, .sequence = store->sequence};
        for (size_t j = 0; j < file->records.count; j++) {
            struct haul_slice value = sim_version_value(&file->records.at[j]);
            if (sim_store_lies(store, &store->drop_in, "drops")) {
                continue;
            }
            sim_versions_put(&store->versions, &about, sim_version_key(&file->records.at[j]),
                             &value);
        }
        file->used = false;
    }
    return HAUL_OK;
}

/* --- the directory ---------------------------------------------------------------------------- */

struct sim_directory {
    struct dirent entry;
    struct sim_store *store;
    int next;
};

/* An open table is identified by the number of its database. */
enum { DIRECTORY_FD_FIRST = 1 << 24 };

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rmdir(const char *path);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir(DIR *directory);
int __wrap_closedir(DIR *directory);
int __wrap_dirfd(DIR *opened);
int __wrap_unlinkat(int fd, const char *name, int flags);

void sim_tables_init(void)
{
    served_count = 0;
}

void sim_tables_serve(struct sim_store *store)
{
    haul_assert(served_count < SIM_HOST_COUNT_MAX);
    served[served_count++] = store;
}

/* The database below whose directory the path lies. */
static struct sim_store *store_at(const char *path)
{
    for (int i = 0; i < served_count; i++) {
        size_t size = strlen(served[i]->path);
        if (strncmp(served[i]->path, path, size) == 0 && path[size] == '/') {
            return served[i];
        }
    }
    haul_unreachable();
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return 0;
}

int __wrap_rmdir(const char *path)
{
    (void)path;
    return 0;
}

DIR *__wrap_opendir(const char *path)
{
    struct sim_directory *directory = calloc(1, sizeof(*directory));
    if (directory != NULL) {
        directory->store = store_at(path);
    }
    return (DIR *)(void *)directory;
}

static const char *name_of(const struct sim_table_file *file)
{
    const char *slash = strrchr(file->path, '/');
    return slash == NULL ? file->path : slash + 1;
}

struct dirent *__wrap_readdir(DIR *opened)
{
    struct sim_directory *directory = (struct sim_directory *)(void *)opened;
    while (directory->next < SIM_STORE_TABLE_COUNT_MAX) {
        const struct sim_table_file *file = &directory->store->files[directory->next++];
        if (file->used) {
            (void)snprintf(directory->entry.d_name, sizeof(directory->entry.d_name), "%s",
                           name_of(file));
            return &directory->entry;
        }
    }
    return NULL;
}

int __wrap_closedir(DIR *directory)
{
    free(directory);
    return 0;
}

int __wrap_dirfd(DIR *opened)
{
    const struct sim_directory *directory = (struct sim_directory *)(void *)opened;
    int number = 0;
    while (served[number] != directory->store) {
        number++;
    }
    return DIRECTORY_FD_FIRST + number;
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
    struct sim_store *store = served[fd - DIRECTORY_FD_FIRST];
    (void)flags;
    for (int i = 0; i < SIM_STORE_TABLE_COUNT_MAX; i++) {
        if (store->files[i].used && strcmp(name_of(&store->files[i]), name) == 0) {
            store->files[i].used = false;
            return 0;
        }
    }
    errno = ENOENT;
    return -1;
}
