/* SPDX-License-Identifier: Apache-2.0 */
/* log_look.c — walks over the log files of a closed database. */
#include "log_look.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_range.h"
#include "log_file.h"
#include "log_unpack.h"
#include "raw_batch.h"

/* Names of the transactions that are prepared at this point of the log. */
struct prepared {
    char **names;
    size_t count;
};

struct looking {
    struct log_look *look;
    struct prepared prepared;
    uint64_t next_sequence; /* after the last complete record; 0: none yet */
    struct log_unpack unpack;
    bool broken; /* there was damage or a torn end before this point */
};

/* --- files ------------------------------------------------------------------------------------ */

bool log_look_is_log(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits > 0 && strcmp(name + digits, ".log") == 0;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Numbers of the log files, ascending; malloc'ed. Errors: IO, NO_MEMORY. */
static enum haul_status list_files(const char *directory, uint64_t **out, size_t *count,
                                   struct haul_error *error)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return haul_error_set(error, HAUL_IO, "opendir", errno, "cannot read %s", directory);
    }
    enum haul_status status = HAUL_OK;
    uint64_t *numbers = NULL;
    const struct dirent *entry;
    *count = 0;
    while (status == HAUL_OK && (entry = readdir(entries)) != NULL) {
        if (!log_look_is_log(entry->d_name)) {
            continue;
        }
        uint64_t *grown = realloc(numbers, (*count + 1) * sizeof(*grown));
        if (grown == NULL) {
            status = haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a list");
        } else {
            numbers = grown;
            numbers[(*count)++] = strtoull(entry->d_name, NULL, 10);
        }
    }
    (void)closedir(entries);
    if (status != HAUL_OK) {
        free(numbers);
        return status;
    }
    if (*count > 0) {
        qsort(numbers, *count, sizeof(*numbers), compare_numbers);
    }
    *out = numbers;
    return HAUL_OK;
}

/* --- transactions ----------------------------------------------------------------------------- */

static void forget(struct prepared *prepared, const char *name)
{
    for (size_t i = 0; i < prepared->count; i++) {
        if (strcmp(prepared->names[i], name) == 0) {
            free(prepared->names[i]);
            prepared->names[i] = prepared->names[--prepared->count];
            return;
        }
    }
}

static bool remember(struct prepared *prepared, const char *name)
{
    char **names = realloc(prepared->names, (prepared->count + 1) * sizeof(*names));
    if (names == NULL) {
        return false;
    }
    prepared->names = names;
    char *copy = strdup(name);
    if (copy != NULL) {
        names[prepared->count++] = copy;
    }
    return copy != NULL;
}

static void note_merge(struct log_look *look, uint32_t family_id)
{
    bool noted = look->merge_family_count == LOG_LOOK_FAMILIES_MAX;
    for (size_t i = 0; i < look->merge_family_count && !noted; i++) {
        noted = look->merge_families[i] == family_id;
    }
    if (!noted) {
        look->merge_families[look->merge_family_count++] = family_id;
    }
}

/* False: no memory. */
static bool look_at_record(struct looking *looking, const struct raw_record *record)
{
    char name[LOG_LOOK_TEXT_BYTES_MAX];
    switch (record->kind) {
    case RAW_BEGIN_PERSISTED_PREPARE:
    case RAW_BEGIN_UNPREPARE:
        looking->look->has_persisted_prepare = true;
        return true;
    case RAW_END_PREPARE:
        key_format(record->value, name, sizeof(name));
        forget(&looking->prepared, name); /* the name is reused */
        return remember(&looking->prepared, name);
    case RAW_COMMIT:
    case RAW_ROLLBACK:
    case RAW_COMMIT_WITH_TIMESTAMP:
        key_format(record->value, name, sizeof(name));
        forget(&looking->prepared, name);
        return true;
    case RAW_BLOB_INDEX:
        looking->look->has_blob_index = true;
        return true;
    case RAW_MERGE:
        note_merge(looking->look, record->family_id);
        return true;
    default:
        return true;
    }
}

/* --- records ---------------------------------------------------------------------------------- */

static enum haul_status look_at_batch(struct looking *looking, struct haul_slice bytes,
                                      const char *path, struct haul_error *error)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, bytes);
    while (status == HAUL_OK && (status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        if (!look_at_record(looking, &record)) {
            return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a name");
        }
    }
    if (status != HAUL_NOT_FOUND) {
        /* Its checksum is right, so it is not damaged. */
        return haul_error_set(error, HAUL_VERSION, NULL, 0,
                              "%s holds records of a kind that haul does not know", path);
    }
    /* Replay continues after damage only where no record is missing. */
    bool follows = reader.sequence == looking->next_sequence;
    looking->look->loses_records = looking->look->loses_records || (looking->broken && !follows);
    looking->broken = looking->broken && !follows;
    looking->next_sequence = reader.sequence + reader.count;
    looking->look->last_sequence = looking->next_sequence - 1;
    looking->look->record_count++;
    return HAUL_OK;
}

static void note_damage(struct looking *looking, const char *text)
{
    if (looking->look->damage[0] == '\0') {
        (void)snprintf(looking->look->damage, LOG_LOOK_TEXT_BYTES_MAX, "%s", text);
    }
    looking->broken = true;
}

/* One step. Errors: NOT_FOUND (the end), VERSION, IO, NO_MEMORY. */
static enum haul_status look_on(struct looking *looking, struct log_file *file, const char *path,
                                struct haul_error *error)
{
    struct haul_slice record;
    enum haul_status status = log_file_next(file, &record, error);
    if (status == HAUL_CORRUPT) {
        note_damage(looking, error->text);
        looking->look->is_damaged_within = true;
        return HAUL_OK;
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (log_file_is_compressed(file)) {
        status = log_unpack(&looking->unpack, record, &record, error);
    }
    if (status != HAUL_CORRUPT) {
        return status == HAUL_OK ? look_at_batch(looking, record, path, error) : status;
    }
    looking->look->is_opaque = true;
    looking->look->loses_records = looking->look->loses_records || looking->broken;
    looking->look->record_count++;
    return HAUL_OK;
}

static enum haul_status look_at_file(struct looking *looking, const char *path,
                                     struct haul_error *error)
{
    struct log_file *file = NULL;
    enum haul_status status = log_file_open(path, &file, error);
    if (status != HAUL_OK) {
        return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* removed meanwhile */
    }
    while (status == HAUL_OK) {
        status = look_on(looking, file, path, error);
    }
    if (status == HAUL_NOT_FOUND && log_file_is_torn(file) && !looking->broken) {
        char text[LOG_LOOK_TEXT_BYTES_MAX];
        (void)snprintf(text, sizeof(text), "%.100s ends within a record", path);
        note_damage(looking, text);
    }
    log_file_close(file);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* A file that is replayed only for transactions: nothing else in it counts. */
static enum haul_status look_at_obsolete_file(struct looking *looking, const char *path,
                                              struct haul_error *error)
{
    struct log_look before = *looking->look;
    enum haul_status status = look_at_file(looking, path, error);
    before.has_persisted_prepare = looking->look->has_persisted_prepare;
    *looking->look = before;
    looking->broken = false;
    return status == HAUL_VERSION ? HAUL_OK : status;
}

enum haul_status log_look(const char *directory, uint64_t min_number, struct log_look *look,
                          struct haul_error *error)
{
    struct looking looking = {.look = look};
    uint64_t *numbers = NULL;
    size_t count = 0;
    memset(look, 0, sizeof(*look));
    enum haul_status status = list_files(directory, &numbers, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        char path[4096 + 32];
        (void)snprintf(path, sizeof(path), "%s/%06" PRIu64 ".log", directory, numbers[i]);
        look->file_count++;
        status = numbers[i] < min_number ? look_at_obsolete_file(&looking, path, error)
                                         : look_at_file(&looking, path, error);
    }
    look->has_prepared = looking.prepared.count > 0;
    for (size_t i = 0; i < looking.prepared.count; i++) {
        (void)snprintf(look->prepared, sizeof(look->prepared), "%s", looking.prepared.names[i]);
        free(looking.prepared.names[i]);
    }
    free(looking.prepared.names);
    log_unpack_fini(&looking.unpack);
    free(numbers);
    return status;
}
