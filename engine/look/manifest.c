/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c — reads RocksDB's version edits, one record of a log file each.
 *
 * An edit consists of fields: a varint32 tag, then the tag's value. It belongs to the family of its
 * COLUMN_FAMILY field, or to family 0. An unknown tag that is not marked as ignorable ends the
 * reading, because its effect is unknown. */
#include "manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "durable_file.h"
#include "log_file.h"
#include "plain_file.h"

enum edit_tag {
    EDIT_COMPARATOR = 1,
    EDIT_LOG_NUMBER = 2,
    EDIT_NEXT_FILE = 3,
    EDIT_LAST_SEQUENCE = 4,
    EDIT_COMPACT_CURSOR = 5,
    EDIT_DELETED_FILE = 6,
    EDIT_NEW_FILE = 7,
    EDIT_PREVIOUS_LOG = 9,
    EDIT_MIN_LOG = 10,
    EDIT_NEW_FILE2 = 100,
    EDIT_NEW_FILE3 = 102,
    EDIT_NEW_FILE4 = 103,
    EDIT_FAMILY = 200,
    EDIT_FAMILY_ADD = 201,
    EDIT_FAMILY_DROP = 202,
    EDIT_MAX_FAMILY = 203,
    EDIT_ATOMIC_GROUP = 300,
    EDIT_BLOB_FILE = 400,
    EDIT_BLOB_GARBAGE = 401,
    EDIT_IGNORABLE = 1 << 13, /* marks later tags that may be skipped; a string follows */
};

/* Fields after a NEW_FILE4. */
enum file_tag {
    FILE_END = 1,
    FILE_MIN_LOG = 3,
    FILE_PATH_ID = 65,
    FILE_MANDATORY = 1 << 6, /* marks tags that may not be skipped */
};

/* One edit, collected until all of it is read, because the family field may follow the family's
 * fields. */
struct edit {
    uint32_t family_id;
    struct manifest_file *files; /* new ones */
    size_t file_count;
    size_t file_capacity;
    bool adds;
    bool drops;
    bool has_log_number;
    uint64_t log_number;
    struct haul_slice name;
    struct haul_slice comparator;
    bool unknown_tag;
    uint32_t tag;
};

/* Table files by number: an open-addressing table. */
struct reading {
    struct manifest *manifest;
    struct manifest_file *slots; /* number 0: free */
    bool *dead;
    size_t slot_count;
    size_t used;
    bool has_edits;
};

/* --- files ------------------------------------------------------------------------------------ */

static size_t find_slot(const struct manifest_file *slots, size_t slot_count, uint64_t number)
{
    size_t at = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15)) & (slot_count - 1);
    while (slots[at].number != 0 && slots[at].number != number) {
        at = (at + 1) & (slot_count - 1);
    }
    return at;
}

static bool grow(struct reading *reading)
{
    size_t count = reading->slot_count == 0 ? 1024 : 2 * reading->slot_count;
    struct manifest_file *slots = calloc(count, sizeof(*slots));
    bool *dead = calloc(count, sizeof(*dead));
    if (slots == NULL || dead == NULL) {
        free(slots);
        free(dead);
        return false;
    }
    reading->used = 0;
    for (size_t i = 0; i < reading->slot_count; i++) {
        if (reading->slots[i].number != 0 && !reading->dead[i]) {
            slots[find_slot(slots, count, reading->slots[i].number)] = reading->slots[i];
            reading->used++;
        }
    }
    free(reading->slots);
    free(reading->dead);
    reading->slots = slots;
    reading->dead = dead;
    reading->slot_count = count;
    return true;
}

/* A file that moves within the tree is deleted and added again in one edit. */
static bool put_file(struct reading *reading, const struct manifest_file *file)
{
    if (file->number == 0) {
        return true; /* no file has this number, which is no error */
    }
    if (4 * (reading->used + 1) > 3 * reading->slot_count && !grow(reading)) {
        return false;
    }
    size_t at = find_slot(reading->slots, reading->slot_count, file->number);
    reading->used += reading->slots[at].number == 0 ? 1 : 0;
    reading->slots[at] = *file;
    reading->dead[at] = false;
    return true;
}

static void drop_file(struct reading *reading, uint64_t number)
{
    if (reading->slot_count > 0 && number != 0) {
        size_t at = find_slot(reading->slots, reading->slot_count, number);
        reading->dead[at] = reading->slots[at].number != 0;
    }
}

/* --- families --------------------------------------------------------------------------------- */

static char *copy_text(struct haul_slice text)
{
    char *copy = malloc(text.size + 1);
    if (copy != NULL) {
        if (text.size > 0) {
            memcpy(copy, text.data, text.size);
        }
        copy[text.size] = '\0';
    }
    return copy;
}

static struct manifest_family *find_family(struct manifest *manifest, uint32_t id)
{
    for (size_t i = 0; i < manifest->family_count; i++) {
        if (manifest->families[i].id == id) {
            return &manifest->families[i];
        }
    }
    return NULL;
}

static bool add_family(struct manifest *manifest, uint32_t id, struct haul_slice name)
{
    size_t count = manifest->family_count;
    struct manifest_family *families = realloc(manifest->families, (count + 1) * sizeof(*families));
    if (families == NULL) {
        return false;
    }
    manifest->families = families;
    families[count] =
        (struct manifest_family){.id = id, .name = copy_text(name), .name_size = name.size};
    families[count].comparator = copy_text(slice_of(NULL, 0));
    manifest->family_count++;
    return families[count].name != NULL && families[count].comparator != NULL;
}

static void drop_family(struct reading *reading, uint32_t id)
{
    struct manifest *manifest = reading->manifest;
    struct manifest_family *family = find_family(manifest, id);
    if (family == NULL) {
        return;
    }
    free(family->name);
    free(family->comparator);
    *family = manifest->families[--manifest->family_count];
    for (size_t i = 0; i < reading->slot_count; i++) {
        bool own = reading->slots[i].number != 0 && reading->slots[i].family_id == id;
        reading->dead[i] = reading->dead[i] || own;
    }
}

/* --- edits ------------------------------------------------------------------------------------ */

/* Fields after a table file of the newest form. */
static void read_file_fields(struct cursor *cursor, struct manifest_file *file,
                             struct manifest *manifest, struct edit *edit)
{
    uint32_t tag;
    while (!cursor->failed && (tag = cursor_varint32(cursor)) != FILE_END) {
        struct haul_slice value = cursor_varstring(cursor);
        if (tag == FILE_PATH_ID && value.size == 1) {
            file->path_id = value.data[0];
        } else if (tag == FILE_MIN_LOG) {
            struct cursor number = cursor_of(value.data, value.size);
            uint64_t min_log = cursor_u64(&number);
            manifest->min_log_number = !number.failed && min_log > manifest->min_log_number
                                           ? min_log
                                           : manifest->min_log_number;
        } else if ((tag & FILE_MANDATORY) != 0) {
            edit->unknown_tag = true;
            edit->tag = tag;
            return;
        }
    }
}

static bool keep_new_file(struct edit *edit, const struct manifest_file *file)
{
    if (edit->file_count == edit->file_capacity) {
        size_t capacity = edit->file_capacity == 0 ? 16 : 2 * edit->file_capacity;
        struct manifest_file *files = realloc(edit->files, capacity * sizeof(*files));
        if (files == NULL) {
            return false;
        }
        edit->files = files;
        edit->file_capacity = capacity;
    }
    edit->files[edit->file_count++] = *file;
    return true;
}

/* False: no memory. */
static bool read_new_file(struct reading *reading, struct cursor *cursor, uint32_t tag,
                          struct edit *edit)
{
    struct manifest_file file = {.family_id = 0};
    (void)cursor_varint32(cursor); /* level */
    file.number = cursor_varint64(cursor);
    file.path_id = tag == EDIT_NEW_FILE3 ? cursor_varint32(cursor) : 0;
    file.size_bytes = cursor_varint64(cursor);
    (void)cursor_varstring(cursor);
    (void)cursor_varstring(cursor); /* smallest and largest key */
    if (tag != EDIT_NEW_FILE) {
        (void)cursor_varint64(cursor);
        (void)cursor_varint64(cursor); /* sequence numbers */
    }
    if (tag == EDIT_NEW_FILE4) {
        read_file_fields(cursor, &file, reading->manifest, edit);
    }
    return cursor->failed || keep_new_file(edit, &file);
}

static void read_blob_file(struct cursor *cursor, struct manifest *manifest, bool is_new)
{
    for (int i = 0; i < 3; i++) {
        (void)cursor_varint64(cursor);
    }
    if (is_new) {
        (void)cursor_varstring(cursor);
        (void)cursor_varstring(cursor);
        manifest->blob_file_count++;
    }
    while (!cursor->failed && cursor_varint32(cursor) != 0) {
        (void)cursor_varstring(cursor);
    }
}

/* Skips fields that are not needed here. False: not such a field. */
static bool skip_field(struct cursor *cursor, uint32_t tag)
{
    switch (tag) {
    case EDIT_NEXT_FILE:
    case EDIT_PREVIOUS_LOG:
        (void)cursor_varint64(cursor);
        return true;
    case EDIT_COMPACT_CURSOR:
        (void)cursor_varint32(cursor);
        (void)cursor_varstring(cursor);
        return true;
    case EDIT_MAX_FAMILY:
    case EDIT_ATOMIC_GROUP:
        (void)cursor_varint32(cursor);
        return true;
    default:
        if ((tag & EDIT_IGNORABLE) != 0) {
            (void)cursor_varstring(cursor);
        }
        return (tag & EDIT_IGNORABLE) != 0;
    }
}

static void read_family_field(struct cursor *cursor, uint32_t tag, struct edit *edit)
{
    switch (tag) {
    case EDIT_COMPARATOR:
        edit->comparator = cursor_varstring(cursor);
        return;
    case EDIT_LOG_NUMBER:
        edit->log_number = cursor_varint64(cursor);
        edit->has_log_number = true;
        return;
    case EDIT_FAMILY_ADD:
        edit->name = cursor_varstring(cursor);
        edit->adds = true;
        return;
    case EDIT_FAMILY_DROP:
        edit->drops = true;
        return;
    default:
        edit->unknown_tag = true;
        edit->tag = tag;
        return;
    }
}

/* False: no memory. */
static bool read_field(struct reading *reading, struct cursor *cursor, struct edit *edit)
{
    struct manifest *manifest = reading->manifest;
    uint32_t tag = cursor_varint32(cursor);
    manifest->has_rocksdb_fields = manifest->has_rocksdb_fields || tag > EDIT_PREVIOUS_LOG;
    switch (tag) {
    case EDIT_LAST_SEQUENCE:
        manifest->last_sequence = cursor_varint64(cursor);
        return true;
    case EDIT_MIN_LOG: {
        uint64_t min_log = cursor_varint64(cursor);
        manifest->min_log_number =
            min_log > manifest->min_log_number ? min_log : manifest->min_log_number;
        return true;
    }
    case EDIT_DELETED_FILE:
        (void)cursor_varint32(cursor);
        drop_file(reading, cursor_varint64(cursor));
        return true;
    case EDIT_NEW_FILE:
    case EDIT_NEW_FILE2:
    case EDIT_NEW_FILE3:
    case EDIT_NEW_FILE4:
        return read_new_file(reading, cursor, tag, edit);
    case EDIT_BLOB_FILE:
    case EDIT_BLOB_GARBAGE:
        read_blob_file(cursor, manifest, tag == EDIT_BLOB_FILE);
        return true;
    case EDIT_FAMILY:
        edit->family_id = cursor_varint32(cursor);
        return true;
    default:
        if (!skip_field(cursor, tag)) {
            read_family_field(cursor, tag, edit);
        }
        return true;
    }
}

/* Errors: NO_MEMORY. */
static enum haul_status apply_edit(struct reading *reading, const struct edit *edit)
{
    struct manifest *manifest = reading->manifest;
    bool fits = true;
    if (edit->drops) {
        drop_family(reading, edit->family_id);
    }
    if (edit->adds && find_family(manifest, edit->family_id) == NULL) {
        fits = add_family(manifest, edit->family_id, edit->name);
    }
    struct manifest_family *family = find_family(manifest, edit->family_id);
    if (family != NULL && edit->has_log_number) {
        family->log_number = edit->log_number;
    }
    if (fits && family != NULL && edit->comparator.data != NULL) {
        free(family->comparator);
        family->comparator = copy_text(edit->comparator);
        fits = family->comparator != NULL;
    }
    for (size_t i = 0; i < edit->file_count && fits; i++) {
        struct manifest_file file = edit->files[i];
        file.family_id = edit->family_id;
        fits = put_file(reading, &file);
    }
    return fits ? HAUL_OK : HAUL_NO_MEMORY;
}

static enum haul_status read_edit(struct reading *reading, struct haul_slice record,
                                  const char *path, struct haul_error *error)
{
    struct edit edit = {.family_id = 0};
    struct cursor cursor = cursor_of(record.data, record.size);
    bool fits = true;
    while (fits && !edit.unknown_tag && !cursor.failed && cursor_left(&cursor) > 0) {
        fits = read_field(reading, &cursor, &edit);
    }
    enum haul_status status = HAUL_OK;
    if (!fits) {
        status = HAUL_NO_MEMORY;
    } else if (edit.unknown_tag) {
        status = haul_error_set(error, HAUL_VERSION, NULL, 0,
                                "%s holds a field %u, which haul does not know", path, edit.tag);
    } else if (cursor.failed) {
        status = haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s holds a torn record", path);
    } else {
        status = apply_edit(reading, &edit);
    }
    free(edit.files);
    return status == HAUL_NO_MEMORY
               ? haul_error_set(error, status, "malloc", 0, "no memory for %s", path)
               : status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum haul_status refuse_foreign(const char *path, struct haul_error *error)
{
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "%s is not a file of RocksDB: it is encrypted, or belongs to another program",
                   path);
    haul_error_hint(error, "embed libhaul in the program that can read it");
    return HAUL_UNSUPPORTED;
}

/* Text that does not name a manifest is damage; anything but text is foreign. A power failure
 * leaves a file of zeros. */
static bool is_foreign_name(const char *name)
{
    bool text = true;
    for (; *name != '\0' && *name != '\n'; name++) {
        text = text && *name >= ' ' && *name <= '~';
    }
    return !text;
}

enum haul_status manifest_find(const char *directory, char *path, size_t path_size_bytes,
                               struct haul_error *error)
{
    char current[4096];
    char name[64] = "";
    (void)snprintf(current, sizeof(current), "%s/CURRENT", directory);
    FILE *file = plain_file_read(current);
    if (file == NULL && durable_file_status(errno) == HAUL_CORRUPT) {
        haul_error_set(error, HAUL_CORRUPT, "open", errno, "%s is not a regular file", current);
        haul_error_hint(error, "move it away; then restore a backup or use `ldb repair`");
        return HAUL_CORRUPT;
    }
    if (file == NULL) {
        return haul_error_set(error, errno == ENOENT ? HAUL_NOT_FOUND : HAUL_IO, "fopen", errno,
                              "cannot read %s", current);
    }
    bool read = fgets(name, sizeof(name), file) != NULL;
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed) {
        return haul_error_set(error, HAUL_IO, "fgets", 0, "cannot read %s", current);
    }
    if (!read || strncmp(name, "MANIFEST-", 9) != 0 || strchr(name, '\n') == NULL) {
        return is_foreign_name(name)
                   ? refuse_foreign(current, error)
                   : haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s names no manifest", current);
    }
    name[strcspn(name, "\n")] = '\0';
    (void)snprintf(path, path_size_bytes, "%s/%s", directory, name);
    return HAUL_OK;
}

static enum haul_status read_edits(struct reading *reading, const char *path,
                                   struct haul_error *error)
{
    struct log_file *file = NULL;
    struct haul_slice record;
    enum haul_status status = log_file_open(path, &file, error);
    if (status == HAUL_NOT_FOUND) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is not there", path);
    }
    while (status == HAUL_OK && (status = log_file_next(file, &record, error)) == HAUL_OK) {
        reading->has_edits = true;
        status = read_edit(reading, record, path, error);
    }
    if (file != NULL) {
        log_file_close(file);
    }
    bool is_none = status == HAUL_NOT_FOUND || status == HAUL_CORRUPT || status == HAUL_VERSION;
    if (is_none && !reading->has_edits && log_file_is_foreign(path)) {
        return refuse_foreign(path, error);
    }
    if (status == HAUL_NOT_FOUND && !reading->has_edits) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is no manifest", path);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static void hand_out_files(struct reading *reading)
{
    struct manifest *manifest = reading->manifest;
    for (size_t i = 0; i < reading->slot_count; i++) {
        if (reading->slots[i].number != 0 && !reading->dead[i]) {
            /* In place: slots are not looked up after this. */
            reading->slots[manifest->table_count++] = reading->slots[i];
        }
    }
    manifest->tables = reading->slots;
    reading->slots = NULL;
}

/* Releases that do not record the obsolete log files derive them from the families. */
static void settle_log_number(struct manifest *manifest)
{
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < manifest->family_count; i++) {
        uint64_t number = manifest->families[i].log_number;
        lowest = number < lowest ? number : lowest;
    }
    manifest->unflushed_log_number = lowest == UINT64_MAX ? 0 : lowest;
    if (manifest->min_log_number == 0) {
        manifest->min_log_number = manifest->unflushed_log_number;
    }
}

enum haul_status manifest_read(const char *directory, struct manifest *manifest, char *file_path,
                               size_t file_path_size_bytes, struct haul_error *error)
{
    struct reading reading = {.manifest = manifest};
    memset(manifest, 0, sizeof(*manifest));
    file_path[0] = '\0';
    enum haul_status status = manifest_find(directory, file_path, file_path_size_bytes, error);
    if (status == HAUL_OK && !add_family(manifest, 0, slice_of("default", 7))) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a manifest");
    }
    if (status == HAUL_OK) {
        status = read_edits(&reading, file_path, error);
    }
    if (status == HAUL_OK) {
        hand_out_files(&reading);
        settle_log_number(manifest);
    } else {
        manifest_fini(manifest);
    }
    free(reading.slots);
    free(reading.dead);
    return status;
}

static void free_family(struct manifest_family *family)
{
    free(family->name);
    free(family->comparator);
}

void manifest_select(struct manifest *manifest, const char *const *names, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < manifest->family_count; i++) {
        struct manifest_family *family = &manifest->families[i];
        bool wanted = strcmp(family->name, "default") == 0;
        for (size_t j = 0; j < count; j++) {
            wanted = wanted || strcmp(family->name, names[j]) == 0;
        }
        if (wanted) {
            manifest->families[kept++] = *family;
        } else {
            free_family(family);
        }
    }
    manifest->family_count = kept;
}

void manifest_fini(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->family_count; i++) {
        free_family(&manifest->families[i]);
    }
    free(manifest->families);
    free(manifest->tables);
    memset(manifest, 0, sizeof(*manifest));
}
