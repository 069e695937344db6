/* SPDX-License-Identifier: Apache-2.0 */
/* version_record.c — version and ownership, from hooks or from the file beside the database. */
#include "version_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ownership.h"
#include "planted_bug.h"

enum { PATH_BYTES_MAX = 1024 };

bool haul_directory_of(const struct haul_store *store, char *path, size_t path_size_bytes)
{
    int length = snprintf(path, path_size_bytes, "%s/haul", store->ops->directory(store));
    return length > 0 && (size_t)length < path_size_bytes;
}

const struct file_calls *haul_files_of(const struct haul_store *store)
{
    return store->ops->files == NULL ? NULL : store->ops->files(store);
}

static enum haul_status read_file(struct haul_store *store, struct ownership *ownership,
                                  char *directory, struct haul_error *error)
{
    if (!haul_directory_of(store, directory, PATH_BYTES_MAX)) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "the database's path is too long");
    }
    return ownership_read(haul_files_of(store), directory, ownership, error);
}

enum haul_status version_record_get(struct haul_store *store, const struct haul_hooks *hooks,
                                    uint64_t *version, bool *known, struct haul_error *error)
{
    if (hooks->version_get != NULL) {
        *known = true;
        return hooks->version_get(hooks->context, version, error);
    }
    char directory[PATH_BYTES_MAX];
    struct ownership ownership;
    enum haul_status status = read_file(store, &ownership, directory, error);
    if (status == HAUL_OK) {
        *version = ownership.config_version;
        *known = ownership.config_version > 0;
        ownership_fini(&ownership);
    }
    return status;
}

enum haul_status version_record_check(struct haul_store *store, const struct haul_hooks *hooks,
                                      const struct plan *plan, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct ownership ownership;
    if (hooks->version_get != NULL) {
        return HAUL_OK;
    }
    enum haul_status status = read_file(store, &ownership, directory, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < plan->range_count * plan->family_count && status == HAUL_OK; i++) {
        const char *family = plan->families[i / plan->range_count].family.name;
        const struct ownership_entry *entry =
            ownership_find(&ownership, family, &plan->ranges[i % plan->range_count]);
        if (entry != NULL && entry->state == OWNERSHIP_RELEASED) {
            haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                           "the range in column family '%s' was handed over: another database "
                           "owns it since config version %" PRIu64,
                           family, ownership.config_version);
            haul_error_hint(error, "send from the database that has it; %s/ownership is the record",
                            directory);
            status = HAUL_MISMATCH;
        }
    }
    ownership_fini(&ownership);
    return status;
}

/* A journal that is gone may have ended well: the file remembers. */
static enum haul_status find_entry(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                   enum ownership_state state, bool *found,
                                   struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct ownership ownership;
    *found = false;
    enum haul_status status = read_file(store, &ownership, directory, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < ownership.entry_count && !*found; i++) {
        *found = ownership.entries[i].state == state &&
                 memcmp(ownership.entries[i].job_id, job, HAUL_JOB_BYTES) == 0;
    }
    ownership_fini(&ownership);
    return HAUL_OK;
}

enum haul_status version_record_released(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *released,
                                         struct haul_error *error)
{
    return find_entry(store, job, OWNERSHIP_RELEASED, released, error);
}

enum haul_status version_record_imported(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *imported,
                                         struct haul_error *error)
{
    return find_entry(store, job, OWNERSHIP_IMPORTED, imported, error);
}

enum haul_status version_record_settle(struct haul_store *store, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "the database's path is too long");
    }
    return HAUL_PLANTED_BUG(UNSETTLED_SWAP)
               ? HAUL_OK
               : ownership_settle(haul_files_of(store), directory, error);
}

/* An entry for each range of the plan. */
static enum haul_status add_entries(struct ownership *ownership, const struct version_swap *swap)
{
    const struct plan *plan = swap->plan;
    char(*families)[HAUL_NAME_BYTES_MAX] = calloc(plan->family_count, sizeof(*families));
    if (families == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < plan->family_count; i++) {
        (void)snprintf(families[i], sizeof(families[i]), "%s", plan->families[i].family.name);
    }
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->range_count && status == HAUL_OK; i++) {
        struct ownership_entry entry = {
            .state = swap->outcome == VERSION_RELEASED ? OWNERSHIP_RELEASED : OWNERSHIP_IMPORTED,
            .range = plan->ranges[i],
            .families = families,
            .family_count = plan->family_count,
        };
        memcpy(entry.job_id, swap->job, OWNERSHIP_JOB_ID_BYTES);
        status = ownership_add(ownership, &entry);
    }
    free(families);
    return status;
}

static enum haul_status swap_hook(const struct haul_hooks *hooks, const struct version_swap *swap,
                                  struct haul_error *error)
{
    uint64_t version = 0;
    enum haul_status status = hooks->version_get(hooks->context, &version, error);
    if (status == HAUL_OK && version != swap->expected) {
        status = haul_error_set(error, HAUL_FENCED, NULL, 0,
                                "the config version moved from %" PRIu64 " to %" PRIu64
                                " while the job ran",
                                swap->expected, version);
    }
    return status;
}

enum haul_status version_record_swap(struct haul_store *store, const struct haul_hooks *hooks,
                                     const struct version_swap *swap, struct haul_error *error)
{
    if (hooks->version_get != NULL) {
        return swap_hook(hooks, swap, error);
    }
    char directory[PATH_BYTES_MAX];
    struct ownership ownership;
    enum haul_status status = read_file(store, &ownership, directory, error);
    if (status != HAUL_OK) {
        return status;
    }
    ownership.config_version = swap->next;
    ownership.epoch = swap->epoch > ownership.epoch ? swap->epoch : ownership.epoch;
    status = add_entries(&ownership, swap);
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "no memory for the ownership record");
    } else {
        status = ownership_swap(haul_files_of(store), directory, swap->expected, &ownership, error);
    }
    ownership_fini(&ownership);
    return status;
}
