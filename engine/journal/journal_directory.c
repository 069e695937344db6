/* SPDX-License-Identifier: Apache-2.0 */
/* journal_directory.c — the journals of a directory, found by their names. */
#include "journal_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "durable_file.h"

enum { ENTRY_CAPACITY_FIRST = 16 };

struct collector {
    struct journal_entry *entries;
    size_t count;
    size_t capacity;
    enum haul_status status;
};

static void visit_name(void *context, const char *name)
{
    struct collector *collector = context;
    struct journal_entry entry;
    if (collector->status != HAUL_OK || !journal_name_parse(name, &entry.role, entry.job_id)) {
        return;
    }
    if (collector->count == collector->capacity) {
        size_t capacity = collector->capacity == 0 ? ENTRY_CAPACITY_FIRST : collector->capacity * 2;
        struct journal_entry *larger = realloc(collector->entries, capacity * sizeof(*larger));
        if (larger == NULL) {
            collector->status = HAUL_NO_MEMORY;
            return;
        }
        collector->entries = larger;
        collector->capacity = capacity;
    }
    collector->entries[collector->count++] = entry;
}

static int compare_entries(const void *left, const void *right)
{
    const struct journal_entry *a = left;
    const struct journal_entry *b = right;
    int order = memcmp(a->job_id, b->job_id, sizeof(a->job_id));
    return order != 0 ? order : (int)a->role - (int)b->role;
}

enum haul_status journal_directory_list(const struct file_calls *calls, const char *directory,
                                        struct journal_entry **entries, size_t *count,
                                        struct haul_error *error)
{
    const struct file_calls *used = file_calls_or_system(calls);
    struct collector collector = {.entries = NULL, .count = 0, .capacity = 0, .status = HAUL_OK};
    if (used->list(used->context, directory, visit_name, &collector) != 0 && errno != ENOENT) {
        int code = errno;
        free(collector.entries);
        return haul_error_set(error, durable_file_status(code), "readdir", code,
                              "cannot list directory %s", directory);
    }
    if (collector.status != HAUL_OK) {
        free(collector.entries);
        return haul_error_set(error, collector.status, NULL, 0, "cannot list directory %s",
                              directory);
    }
    if (collector.count > 0) {
        qsort(collector.entries, collector.count, sizeof(*collector.entries), compare_entries);
    }
    *entries = collector.entries;
    *count = collector.count;
    return HAUL_OK;
}

/* --- what a crash left ------------------------------------------------------------------------ */

struct cleaner {
    const struct file_calls *calls;
    const char *directory;
};

/* Remove an unfinished journal whose creator is gone: nobody holds its lock. One that is being
 * created stays. */
static void clean_name(void *context, const char *name)
{
    static const char suffix[] = ".tmp";
    const struct cleaner *cleaner = context;
    struct journal_entry entry;
    struct haul_error ignored;
    char journal_name[JOURNAL_NAME_BYTES_MAX];
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    int fd = -1;
    size_t size = strlen(name);
    size_t kept = size < sizeof(suffix) ? 0 : size - (sizeof(suffix) - 1);
    if (kept == 0 || kept >= sizeof(journal_name) || strcmp(name + kept, suffix) != 0) {
        return;
    }
    memcpy(journal_name, name, kept);
    journal_name[kept] = '\0';
    if (!journal_name_parse(journal_name, &entry.role, entry.job_id) ||
        durable_file_path(cleaner->directory, name, path, &ignored) != HAUL_OK ||
        durable_file_open(cleaner->calls, path, O_RDWR, &fd, &ignored) != HAUL_OK) {
        return;
    }
    if (durable_file_lock(cleaner->calls, fd, path, &ignored) == HAUL_OK) {
        (void)cleaner->calls->unlink(cleaner->calls->context, path);
    }
    (void)cleaner->calls->close(cleaner->calls->context, fd);
}

void journal_directory_clean(const struct file_calls *calls, const char *directory)
{
    struct cleaner cleaner = {.calls = file_calls_or_system(calls), .directory = directory};
    (void)cleaner.calls->list(cleaner.calls->context, directory, clean_name, &cleaner);
}
