/* SPDX-License-Identifier: Apache-2.0 */
/* log_file.c — RocksDB's log record format. */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "crc32c.h"

enum {
    BLOCK_BYTES = 32 << 10,
    HEAD_BYTES = 7,
    RECYCLED_HEAD_BYTES = 11,
    TYPE_AT = 6,
};

enum fragment_type {
    FRAGMENT_ZERO = 0, /* preallocated, never written */
    FRAGMENT_WHOLE = 1,
    FRAGMENT_FIRST = 2,
    FRAGMENT_MIDDLE = 3,
    FRAGMENT_LAST = 4,
    FRAGMENT_RECYCLED = 4, /* added to the types above */
    FRAGMENT_COMPRESSION = 9,
    FRAGMENT_TIMESTAMP_SIZE = 10,
    FRAGMENT_RECYCLED_TIMESTAMP_SIZE = 11,
    FRAGMENT_IGNORABLE = 0x80, /* types that an older release may skip */
};

struct fragment {
    enum fragment_type type; /* without FRAGMENT_RECYCLED */
    bool recycled;
    uint32_t log_number;
    uint64_t offset;
    struct haul_slice payload;
};

struct log_file {
    int fd;
    char *path;
    uint8_t block[BLOCK_BYTES];
    size_t block_size;
    size_t at;             /* in the block */
    uint64_t block_offset; /* of the block in the file */
    uint64_t offset;       /* log_file_offset */
    bool at_end;           /* no further block */
    bool torn;
    bool lost; /* after damage: no record has begun since */
    bool compressed;
    bool has_log_number;
    uint32_t log_number; /* of a recycled file */
    uint8_t *record;     /* assembled from fragments */
    size_t record_size;
    size_t record_capacity;
};

enum haul_status log_file_open(const char *path, struct log_file **out, struct haul_error *error)
{
    struct log_file *file = calloc(1, sizeof(*file));
    char *path_copy = strdup(path);
    if (file == NULL || path_copy == NULL) {
        free(file);
        free(path_copy);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a log file");
    }
    file->path = path_copy;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        int code = errno;
        log_file_close(file);
        return haul_error_set(error, code == ENOENT ? HAUL_NOT_FOUND : HAUL_IO, "open", code,
                              "cannot read %s", path);
    }
    *out = file;
    return HAUL_OK;
}

void log_file_close(struct log_file *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    free(file->record);
    free(file->path);
    free(file);
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* The next block. Errors: NOT_FOUND (none left), IO. */
static enum haul_status next_block(struct log_file *file, struct haul_error *error)
{
    if (file->at_end) {
        return HAUL_NOT_FOUND;
    }
    file->block_offset += file->block_size;
    file->block_size = 0;
    file->at = 0;
    while (file->block_size < BLOCK_BYTES) {
        ssize_t got =
            pread(file->fd, file->block + file->block_size, BLOCK_BYTES - file->block_size,
                  (off_t)(file->block_offset + file->block_size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return haul_error_set(error, HAUL_IO, "pread", errno, "cannot read %s", file->path);
        }
        if (got == 0) {
            break;
        }
        file->block_size += (size_t)got;
    }
    file->at_end = file->block_size < BLOCK_BYTES;
    return file->block_size == 0 ? HAUL_NOT_FOUND : HAUL_OK;
}

/* `goes_on_at`: where in the block the next call begins. */
static enum haul_status damage(struct log_file *file, uint64_t offset, size_t goes_on_at,
                               const char *what, struct haul_error *error)
{
    file->offset = offset;
    file->at = goes_on_at;
    file->lost = true;
    return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is damaged at byte %" PRIu64 ": %s",
                          file->path, offset, what);
}

/* The block's sizes are not trustworthy after this: skip to the next block. */
static enum haul_status bad_fragment(struct log_file *file, const char *what,
                                     struct haul_error *error)
{
    return damage(file, file->block_offset + file->at, file->block_size, what, error);
}

/* --- fragments -------------------------------------------------------------------------------- */

static uint32_t unmask(uint32_t masked)
{
    uint32_t rotated = masked - 0xa282ead8U;
    return rotated >> 17 | rotated << 15;
}

static bool is_recycled(uint8_t type)
{
    return (type > FRAGMENT_LAST && type <= FRAGMENT_LAST + FRAGMENT_RECYCLED) ||
           type == FRAGMENT_RECYCLED_TIMESTAMP_SIZE || type == (FRAGMENT_IGNORABLE | 3);
}

static bool is_known(uint8_t type)
{
    return type <= FRAGMENT_RECYCLED_TIMESTAMP_SIZE || (type & FRAGMENT_IGNORABLE) != 0;
}

/* The file ends inside a fragment: a torn write, unless the file is not a log. */
static enum haul_status end_torn(struct log_file *file)
{
    file->torn = true;
    file->at = file->block_size;
    return HAUL_NOT_FOUND;
}

/* Move to a fragment's header. Errors: NOT_FOUND (the end), IO. */
static enum haul_status find_head(struct log_file *file, struct haul_error *error)
{
    for (;;) {
        size_t left = file->block_size - file->at;
        const uint8_t *head = file->block + file->at;
        bool unwritten =
            left >= HEAD_BYTES && head[TYPE_AT] == FRAGMENT_ZERO && get_u16(head + 4) == 0;
        if (left >= HEAD_BYTES && !unwritten) {
            return HAUL_OK;
        }
        if (file->at_end && left > 0 && !unwritten) {
            return end_torn(file);
        }
        enum haul_status status = next_block(file, error); /* zeros pad a block */
        if (status != HAUL_OK) {
            return status;
        }
    }
}

/* The fragment at the current place. Errors: NOT_FOUND (the end), CORRUPT, VERSION, IO. */
static enum haul_status next_fragment(struct log_file *file, struct fragment *fragment,
                                      struct haul_error *error)
{
    enum haul_status status = find_head(file, error);
    if (status != HAUL_OK) {
        return status;
    }
    const uint8_t *head = file->block + file->at;
    uint8_t type = head[TYPE_AT];
    size_t size = get_u16(head + 4);
    bool recycled = is_recycled(type);
    size_t head_size = recycled ? RECYCLED_HEAD_BYTES : HEAD_BYTES;
    if (head_size + size > file->block_size - file->at) {
        return file->at_end ? end_torn(file)
                            : bad_fragment(file, "a fragment beyond its block", error);
    }
    if (unmask(get_u32(head)) != crc32c(head + TYPE_AT, head_size - TYPE_AT + size)) {
        return bad_fragment(file, "a checksum does not match", error);
    }
    if (!is_known(type)) {
        return haul_error_set(error, HAUL_VERSION, NULL, 0,
                              "%s holds a fragment of type %u, of a later release of RocksDB",
                              file->path, (unsigned)type);
    }
    fragment->recycled = recycled;
    fragment->log_number = recycled ? get_u32(head + HEAD_BYTES) : 0;
    bool has_twin = recycled && type <= FRAGMENT_LAST + FRAGMENT_RECYCLED;
    fragment->type = (enum fragment_type)(has_twin ? type - FRAGMENT_RECYCLED : type);
    fragment->payload = slice_of(head + head_size, size);
    fragment->offset = file->block_offset + file->at;
    file->at += head_size + size;
    return HAUL_OK;
}

/* Is there a sound fragment at offset `at` of the block, where the format would not put one? */
static bool is_sound_at(const struct log_file *file, size_t at)
{
    const uint8_t *head = file->block + at;
    size_t size = get_u16(head + 4);
    bool recycled = is_recycled(head[TYPE_AT]);
    size_t head_size = recycled ? RECYCLED_HEAD_BYTES : HEAD_BYTES;
    return head[TYPE_AT] != FRAGMENT_ZERO && head[TYPE_AT] <= FRAGMENT_LAST + FRAGMENT_RECYCLED &&
           size > 0 && at + head_size + size <= file->block_size &&
           unmask(get_u32(head)) == crc32c(head + TYPE_AT, head_size - TYPE_AT + size);
}

bool log_file_is_foreign(const char *path)
{
    struct log_file *file = NULL;
    struct haul_error ignored;
    if (log_file_open(path, &file, &ignored) != HAUL_OK) {
        return false;
    }
    bool zeros = true;
    bool sound = false;
    bool read = next_block(file, &ignored) == HAUL_OK;
    for (size_t i = 0; read && i < file->block_size; i++) {
        zeros = zeros && file->block[i] == 0;
        sound = sound || (i + HEAD_BYTES <= file->block_size && is_sound_at(file, i));
    }
    log_file_close(file);
    return read && !zeros && !sound;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum haul_status append(struct log_file *file, struct haul_slice piece,
                               struct haul_error *error)
{
    size_t needed = file->record_size + piece.size;
    if (needed > file->record_capacity) {
        size_t capacity = needed + needed / 2;
        uint8_t *record = realloc(file->record, capacity);
        if (record == NULL) {
            return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0,
                                  "no memory for a log record of %zu bytes", needed);
        }
        file->record = record;
        file->record_capacity = capacity;
    }
    if (piece.size > 0) {
        memcpy(file->record + file->record_size, piece.data, piece.size);
    }
    file->record_size = needed;
    return HAUL_OK;
}

/* Is the fragment older content of a recycled file? */
static bool is_stale(struct log_file *file, const struct fragment *fragment)
{
    if (fragment->recycled && !file->has_log_number) {
        file->has_log_number = true;
        file->log_number = fragment->log_number;
    }
    return fragment->recycled && fragment->log_number != file->log_number;
}

/* One fragment of a record; `*began` is true between its first and its last. OK: take the next
 * fragment. EXISTS: the record is complete. Errors: CORRUPT, NO_MEMORY. */
static enum haul_status take(struct log_file *file, const struct fragment *fragment, bool *began,
                             struct haul_error *error)
{
    bool first = fragment->type == FRAGMENT_WHOLE || fragment->type == FRAGMENT_FIRST;
    bool last = fragment->type == FRAGMENT_WHOLE || fragment->type == FRAGMENT_LAST;
    bool part = first || last || fragment->type == FRAGMENT_MIDDLE;
    file->compressed = file->compressed || fragment->type == FRAGMENT_COMPRESSION;
    if (!part || (!first && file->lost)) {
        return HAUL_OK; /* a fact of a later release, or the rest of a damaged record */
    }
    size_t here = (size_t)(fragment->offset - file->block_offset);
    if (first && *began) {
        return damage(file, file->offset, here, "a record without its end", error);
    }
    if (!first && !*began) {
        return damage(file, fragment->offset, file->at, "a record without its beginning", error);
    }
    if (first) {
        file->offset = fragment->offset;
    }
    file->lost = false;
    *began = true;
    enum haul_status status = append(file, fragment->payload, error);
    return status == HAUL_OK && last ? HAUL_EXISTS : status;
}

enum haul_status log_file_next(struct log_file *file, struct haul_slice *record,
                               struct haul_error *error)
{
    bool began = false;
    enum haul_status status = HAUL_OK;
    file->record_size = 0;
    while (status == HAUL_OK) {
        struct fragment fragment = {.type = FRAGMENT_ZERO};
        status = next_fragment(file, &fragment, error);
        if (status == HAUL_OK && is_stale(file, &fragment)) {
            file->at_end = true;
            file->at = file->block_size;
            status = HAUL_NOT_FOUND;
        }
        if (status == HAUL_OK) {
            status = take(file, &fragment, &began, error);
        }
    }
    file->torn = file->torn || (status == HAUL_NOT_FOUND && began);
    if (status != HAUL_EXISTS) {
        return status;
    }
    *record = slice_of(file->record, file->record_size);
    return HAUL_OK;
}

bool log_file_is_compressed(const struct log_file *file)
{
    return file->compressed;
}

uint64_t log_file_offset(const struct log_file *file)
{
    return file->offset;
}

bool log_file_is_torn(const struct log_file *file)
{
    return file->torn;
}
