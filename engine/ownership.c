/* SPDX-License-Identifier: Apache-2.0 */
/* ownership.c — the list of handed-over ranges in memory and its compare-and-swap on disk. The
 * bytes are in ownership_format.c.
 *
 *   ownership_swap: lock -> read -> compare -> write beside -> fsync -> rename -> fsync directory
 *
 * The lock is on a file of its own, since the file itself is replaced at every swap. */
#include "ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "durable_file.h"

void ownership_init(struct ownership *ownership)
{
    memset(ownership, 0, sizeof(*ownership));
}

static void entry_fini(struct ownership_entry *entry)
{
    key_range_fini(&entry->range);
    free(entry->families);
}

void ownership_fini(struct ownership *ownership)
{
    for (size_t i = 0; i < ownership->entry_count; i++) {
        entry_fini(&ownership->entries[i]);
    }
    free(ownership->entries);
    ownership_init(ownership);
}

const char *ownership_state_name(enum ownership_state state)
{
    switch (state) {
#define STATE_NAME(name, value, sentence) \
    case OWNERSHIP_##name:                \
        return #name;
        OWNERSHIP_STATE_LIST(STATE_NAME)
#undef STATE_NAME
    }
    return "UNKNOWN";
}

/* --- the list --------------------------------------------------------------------------------- */

static bool names_are_valid(const struct ownership_entry *entry)
{
    for (size_t i = 0; i < entry->family_count; i++) {
        size_t size = strnlen(entry->families[i], HAUL_NAME_BYTES_MAX);
        if (size == 0 || size == HAUL_NAME_BYTES_MAX) {
            return false;
        }
    }
    return entry->family_count <= HAUL_FAMILY_COUNT_MAX;
}

/* Into storage that was not initialised. Errors: NO_MEMORY, INVALID. */
static enum haul_status entry_copy(struct ownership_entry *copy,
                                   const struct ownership_entry *entry)
{
    *copy = *entry;
    copy->families = NULL;
    enum haul_status status =
        key_range_init(&copy->range, key_range_start(&entry->range), key_range_end(&entry->range));
    if (status != HAUL_OK || entry->family_count == 0) {
        return status;
    }
    copy->families = calloc(entry->family_count, sizeof(*copy->families));
    if (copy->families == NULL) {
        key_range_fini(&copy->range);
        return HAUL_NO_MEMORY;
    }
    memcpy(copy->families, entry->families, entry->family_count * sizeof(*copy->families));
    return HAUL_OK;
}

enum haul_status ownership_add(struct ownership *ownership, const struct ownership_entry *entry)
{
    if (!names_are_valid(entry)) {
        return HAUL_INVALID;
    }
    if (ownership->entry_count == OWNERSHIP_ENTRY_COUNT_MAX) {
        return HAUL_LIMIT;
    }
    struct ownership_entry *larger =
        realloc(ownership->entries, (ownership->entry_count + 1) * sizeof(*larger));
    if (larger == NULL) {
        return HAUL_NO_MEMORY;
    }
    ownership->entries = larger;
    enum haul_status status = entry_copy(&larger[ownership->entry_count], entry);
    if (status == HAUL_OK) {
        ownership->entry_count++;
    }
    return status;
}

void ownership_drop(struct ownership *ownership, const uint8_t job_id[OWNERSHIP_JOB_ID_BYTES])
{
    size_t kept = 0;
    for (size_t i = 0; i < ownership->entry_count; i++) {
        struct ownership_entry *entry = &ownership->entries[i];
        if (memcmp(entry->job_id, job_id, sizeof(entry->job_id)) == 0) {
            entry_fini(entry);
        } else {
            ownership->entries[kept++] = *entry;
        }
    }
    ownership->entry_count = kept;
}

static bool entry_has_family(const struct ownership_entry *entry, const char *family)
{
    if (entry->family_count == 0 || family == NULL) {
        return true;
    }
    for (size_t i = 0; i < entry->family_count; i++) {
        if (strcmp(entry->families[i], family) == 0) {
            return true;
        }
    }
    return false;
}

const struct ownership_entry *ownership_find(const struct ownership *ownership, const char *family,
                                             const struct key_range *range)
{
    for (size_t i = ownership->entry_count; i > 0; i--) {
        const struct ownership_entry *entry = &ownership->entries[i - 1];
        if (entry_has_family(entry, family) && key_range_overlaps(&entry->range, range)) {
            return entry;
        }
    }
    return NULL;
}

/* --- the file --------------------------------------------------------------------------------- */

static const struct file_calls *calls_or_system(const struct file_calls *calls)
{
    return calls == NULL ? &file_calls_system : calls;
}

/* Errors: NOT_FOUND, LIMIT, NO_MEMORY, IO. */
static enum haul_status read_bytes(const struct file_calls *calls, const char *path,
                                   uint8_t **bytes, size_t *size, struct haul_error *error)
{
    int fd = -1;
    enum haul_status status = durable_file_open(calls, path, O_RDONLY, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_read(calls, fd, OWNERSHIP_FILE_BYTES_MAX, bytes, size);
    if (status != HAUL_OK) {
        int code = status == HAUL_IO ? errno : 0;
        status = haul_error_set(error, status, "pread", code, "cannot read %s", path);
    }
    (void)calls->close(calls->context, fd);
    return status;
}

enum haul_status ownership_read(const struct file_calls *calls, const char *directory,
                                struct ownership *ownership, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, "ownership", path, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    status = read_bytes(calls_or_system(calls), path, &bytes, &size, error);
    if (status == HAUL_NOT_FOUND) {
        ownership_init(ownership);
        return HAUL_OK;
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = ownership_decode(ownership, slice_of(bytes, size));
    free(bytes);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "%s cannot be understood", path);
    }
    return HAUL_OK;
}

/* Errors: NO_SPACE, IO, others of opening. */
static enum haul_status write_beside(const struct file_calls *calls, const char *path,
                                     struct haul_slice bytes, struct haul_error *error)
{
    int fd = -1;
    enum haul_status status =
        durable_file_open(calls, path, O_WRONLY | O_CREAT | O_TRUNC, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_write(calls, fd, bytes, 0);
    if (status != HAUL_OK) {
        status = haul_error_set(error, status, "pwrite", errno, "cannot write %s", path);
    } else if (calls->fsync(calls->context, fd) != 0) {
        int code = errno;
        status = haul_error_set(error, durable_file_status(code), "fsync", code, "cannot write %s",
                                path);
    }
    (void)calls->close(calls->context, fd);
    return status;
}

/* Errors: those of write_beside; IN_DOUBT. */
static enum haul_status replace(const struct file_calls *calls, const char *directory,
                                struct haul_slice bytes, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    char beside[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, "ownership", path, error);
    if (status == HAUL_OK) {
        status = durable_file_path(directory, "ownership.tmp", beside, error);
    }
    if (status == HAUL_OK) {
        status = write_beside(calls, beside, bytes, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (calls->rename(calls->context, beside, path) != 0) {
        int code = errno;
        return haul_error_set(error, durable_file_status(code), "rename", code, "cannot replace %s",
                              path);
    }
    struct haul_error cause;
    status = durable_file_sync_directory(calls, directory, &cause);
    if (status != HAUL_OK) {
        return haul_error_set(error, HAUL_IN_DOUBT, cause.call, cause.code,
                              "%s was replaced, but a crash might undo that", path);
    }
    return HAUL_OK;
}

/* The lock of the directory, held until `*fd` is closed. Errors: BUSY, NO_SPACE, IO. */
static enum haul_status lock_directory(const struct file_calls *calls, const char *directory,
                                       int *fd, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_make_directory(calls, directory, error);
    if (status == HAUL_OK) {
        status = durable_file_path(directory, "ownership.lock", path, error);
    }
    if (status == HAUL_OK) {
        status = durable_file_open(calls, path, O_RDWR | O_CREAT, fd, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_lock(calls, *fd, path, error);
    if (status != HAUL_OK) {
        (void)calls->close(calls->context, *fd);
    }
    return status;
}

/* Errors: FENCED, those of ownership_read. */
static enum haul_status compare(const struct file_calls *calls, const char *directory,
                                uint64_t expected, const struct ownership *next,
                                struct haul_error *error)
{
    struct ownership current;
    enum haul_status status = ownership_read(calls, directory, &current, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (current.config_version != expected) {
        status = haul_error_set(
            error, HAUL_FENCED, NULL, 0, "the config version is %llu, no longer %llu",
            (unsigned long long)current.config_version, (unsigned long long)expected);
    } else if (next->epoch < current.epoch) {
        status = haul_error_set(error, HAUL_FENCED, NULL, 0, "epoch %llu has taken over from %llu",
                                (unsigned long long)current.epoch, (unsigned long long)next->epoch);
    }
    ownership_fini(&current);
    return status;
}

enum haul_status ownership_swap(const struct file_calls *calls, const char *directory,
                                uint64_t expected, const struct ownership *next,
                                struct haul_error *error)
{
    const struct file_calls *used = calls_or_system(calls);
    if (next->config_version <= expected) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a config version must grow");
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = ownership_encode(next, &bytes, &size);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "the list of ranges is too large");
    }
    int lock_fd = -1;
    status = lock_directory(used, directory, &lock_fd, error);
    if (status == HAUL_OK) {
        status = compare(used, directory, expected, next, error);
        if (status == HAUL_OK) {
            status = replace(used, directory, slice_of(bytes, size), error);
        }
        (void)used->close(used->context, lock_fd);
    }
    free(bytes);
    return status;
}

enum haul_status ownership_settle(const struct file_calls *calls, const char *directory,
                                  struct haul_error *error)
{
    const struct file_calls *used = calls_or_system(calls);
    struct ownership current;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int lock_fd = -1;
    enum haul_status status = lock_directory(used, directory, &lock_fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = ownership_read(calls, directory, &current, error);
    if (status == HAUL_OK) {
        status = ownership_encode(&current, &bytes, &size);
        ownership_fini(&current);
    }
    if (status == HAUL_OK) {
        status = replace(used, directory, slice_of(bytes, size), error);
    }
    free(bytes);
    (void)used->close(used->context, lock_fd);
    return status;
}
