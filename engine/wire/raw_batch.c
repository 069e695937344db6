/* SPDX-License-Identifier: Apache-2.0 */
/* raw_batch.c — the WriteBatch representation: a writer into given memory, and a reader that trusts
 * nothing. */
#include "raw_batch.h"

#include <string.h>

#include "assertion.h"

enum { COUNT_AT = 8 };

/* --- building --------------------------------------------------------------------------------- */

void raw_batch_begin(struct raw_batch_writer *writer, uint8_t *memory, size_t capacity_bytes)
{
    haul_assert(capacity_bytes >= RAW_BATCH_HEADER_BYTES);
    memset(memory, 0, RAW_BATCH_HEADER_BYTES);
    writer->begin = memory;
    writer->at = memory + RAW_BATCH_HEADER_BYTES;
    writer->end = memory + capacity_bytes;
    writer->count = 0;
}

/* Tag, and the family if the long form is needed. */
static size_t head_size(uint32_t family_id)
{
    return family_id == 0 ? 1 : 1 + varint32_size(family_id);
}

static size_t varstring_size(size_t size)
{
    return varint32_size((uint32_t)size) + size;
}

size_t raw_batch_put_size(uint32_t family_id, size_t key_size, size_t value_size)
{
    return head_size(family_id) + varstring_size(key_size) + varstring_size(value_size);
}

size_t raw_batch_delete_size(uint32_t family_id, size_t key_size)
{
    return head_size(family_id) + varstring_size(key_size);
}

size_t raw_batch_delete_range_size(uint32_t family_id, size_t begin_size, size_t end_size)
{
    return head_size(family_id) + varstring_size(begin_size) + varstring_size(end_size);
}

size_t raw_batch_log_data_size(size_t blob_size)
{
    return 1 + varstring_size(blob_size);
}

static uint8_t *put_head(uint8_t *at, enum raw_tag tag, enum raw_tag family_tag, uint32_t family_id)
{
    if (family_id == 0) {
        *at++ = (uint8_t)tag;
        return at;
    }
    *at++ = (uint8_t)family_tag;
    return put_varint32(at, family_id);
}

static uint8_t *put_varstring(uint8_t *at, struct haul_slice bytes)
{
    at = put_varint32(at, (uint32_t)bytes.size);
    if (bytes.size > 0) {
        memcpy(at, bytes.data, bytes.size);
    }
    return at + bytes.size;
}

static bool has_room(const struct raw_batch_writer *writer, size_t size)
{
    return size <= (size_t)(writer->end - writer->at);
}

bool raw_batch_put(struct raw_batch_writer *writer, uint32_t family_id, struct haul_slice key,
                   struct haul_slice value)
{
    if (!has_room(writer, raw_batch_put_size(family_id, key.size, value.size))) {
        return false;
    }
    writer->at = put_head(writer->at, RAW_PUT, RAW_FAMILY_PUT, family_id);
    writer->at = put_varstring(writer->at, key);
    writer->at = put_varstring(writer->at, value);
    writer->count++;
    return true;
}

bool raw_batch_delete(struct raw_batch_writer *writer, uint32_t family_id, struct haul_slice key)
{
    if (!has_room(writer, raw_batch_delete_size(family_id, key.size))) {
        return false;
    }
    writer->at = put_head(writer->at, RAW_DELETE, RAW_FAMILY_DELETE, family_id);
    writer->at = put_varstring(writer->at, key);
    writer->count++;
    return true;
}

bool raw_batch_delete_range(struct raw_batch_writer *writer, uint32_t family_id,
                            struct haul_slice begin, struct haul_slice end)
{
    if (!has_room(writer, raw_batch_delete_range_size(family_id, begin.size, end.size))) {
        return false;
    }
    writer->at = put_head(writer->at, RAW_DELETE_RANGE, RAW_FAMILY_DELETE_RANGE, family_id);
    writer->at = put_varstring(writer->at, begin);
    writer->at = put_varstring(writer->at, end);
    writer->count++;
    return true;
}

uint8_t *raw_log_data_encode(uint8_t *at, struct haul_slice blob)
{
    *at++ = RAW_LOG_DATA;
    return put_varstring(at, blob);
}

bool raw_batch_log_data(struct raw_batch_writer *writer, struct haul_slice blob)
{
    if (!has_room(writer, raw_batch_log_data_size(blob.size))) {
        return false;
    }
    writer->at = raw_log_data_encode(writer->at, blob);
    return true;
}

size_t raw_batch_finish(struct raw_batch_writer *writer)
{
    put_u32(writer->begin + COUNT_AT, writer->count);
    return (size_t)(writer->at - writer->begin);
}

/* --- walking ---------------------------------------------------------------------------------- */

/* The content after a tag. */
enum shape {
    SHAPE_UNKNOWN = 0,
    SHAPE_NONE,      /* nothing */
    SHAPE_KEY,       /* key */
    SHAPE_KEY_VALUE, /* key, value */
    SHAPE_BLOB,      /* one string that is not a key */
    SHAPE_TWO_BLOBS, /* timestamp, transaction id */
};

struct tag_form {
    enum shape shape;
    enum raw_tag kind;
    bool has_family;
    bool counts; /* in the header's count */
};

static const struct tag_form tag_forms[] = {
    [RAW_DELETE] = {SHAPE_KEY, RAW_DELETE, false, true},
    [RAW_PUT] = {SHAPE_KEY_VALUE, RAW_PUT, false, true},
    [RAW_MERGE] = {SHAPE_KEY_VALUE, RAW_MERGE, false, true},
    [RAW_LOG_DATA] = {SHAPE_BLOB, RAW_LOG_DATA, false, false},
    [RAW_FAMILY_DELETE] = {SHAPE_KEY, RAW_DELETE, true, true},
    [RAW_FAMILY_PUT] = {SHAPE_KEY_VALUE, RAW_PUT, true, true},
    [RAW_FAMILY_MERGE] = {SHAPE_KEY_VALUE, RAW_MERGE, true, true},
    [RAW_SINGLE_DELETE] = {SHAPE_KEY, RAW_SINGLE_DELETE, false, true},
    [RAW_FAMILY_SINGLE_DELETE] = {SHAPE_KEY, RAW_SINGLE_DELETE, true, true},
    [RAW_BEGIN_PREPARE] = {SHAPE_NONE, RAW_BEGIN_PREPARE, false, false},
    [RAW_END_PREPARE] = {SHAPE_BLOB, RAW_END_PREPARE, false, false},
    [RAW_COMMIT] = {SHAPE_BLOB, RAW_COMMIT, false, false},
    [RAW_ROLLBACK] = {SHAPE_BLOB, RAW_ROLLBACK, false, false},
    [RAW_NOOP] = {SHAPE_NONE, RAW_NOOP, false, false},
    [RAW_FAMILY_DELETE_RANGE] = {SHAPE_KEY_VALUE, RAW_DELETE_RANGE, true, true},
    [RAW_DELETE_RANGE] = {SHAPE_KEY_VALUE, RAW_DELETE_RANGE, false, true},
    [RAW_FAMILY_BLOB_INDEX] = {SHAPE_KEY_VALUE, RAW_BLOB_INDEX, true, true},
    [RAW_BLOB_INDEX] = {SHAPE_KEY_VALUE, RAW_BLOB_INDEX, false, true},
    [RAW_BEGIN_PERSISTED_PREPARE] = {SHAPE_NONE, RAW_BEGIN_PERSISTED_PREPARE, false, false},
    [RAW_BEGIN_UNPREPARE] = {SHAPE_NONE, RAW_BEGIN_UNPREPARE, false, false},
    [RAW_COMMIT_WITH_TIMESTAMP] = {SHAPE_TWO_BLOBS, RAW_COMMIT_WITH_TIMESTAMP, false, false},
    [RAW_PUT_ENTITY] = {SHAPE_KEY_VALUE, RAW_PUT_ENTITY, false, true},
    [RAW_FAMILY_PUT_ENTITY] = {SHAPE_KEY_VALUE, RAW_PUT_ENTITY, true, true},
};

enum { TAG_COUNT = sizeof(tag_forms) / sizeof(tag_forms[0]) };

enum haul_status raw_batch_open(struct raw_batch_reader *reader, struct haul_slice batch)
{
    reader->cursor = cursor_of(batch.data, batch.size);
    reader->sequence = cursor_u64(&reader->cursor);
    reader->count = cursor_u32(&reader->cursor);
    reader->seen = 0;
    return reader->cursor.failed ? HAUL_CORRUPT : HAUL_OK;
}

static void read_body(struct cursor *cursor, enum shape shape, struct raw_record *record)
{
    switch (shape) {
    case SHAPE_KEY:
        record->key = cursor_varstring(cursor);
        return;
    case SHAPE_KEY_VALUE:
    case SHAPE_TWO_BLOBS:
        record->key = cursor_varstring(cursor);
        record->value = cursor_varstring(cursor);
        return;
    case SHAPE_BLOB:
        record->value = cursor_varstring(cursor);
        return;
    case SHAPE_NONE:
    case SHAPE_UNKNOWN:
        return;
    }
}

enum haul_status raw_batch_next(struct raw_batch_reader *reader, struct raw_record *record)
{
    struct cursor *cursor = &reader->cursor;
    if (cursor_left(cursor) == 0) {
        return reader->seen == reader->count ? HAUL_NOT_FOUND : HAUL_CORRUPT;
    }
    const uint8_t *begin = cursor->at;
    uint8_t tag = cursor_u8(cursor);
    if (tag >= TAG_COUNT || tag_forms[tag].shape == SHAPE_UNKNOWN) {
        return HAUL_CORRUPT;
    }
    const struct tag_form *form = &tag_forms[tag];
    *record = (struct raw_record){.tag = (enum raw_tag)tag, .kind = form->kind};
    record->family_id = form->has_family ? cursor_varint32(cursor) : 0;
    read_body(cursor, form->shape, record);
    if (cursor->failed) {
        return HAUL_CORRUPT;
    }
    record->whole = slice_of(begin, (size_t)(cursor->at - begin));
    reader->seen += form->counts ? 1 : 0;
    return reader->seen <= reader->count ? HAUL_OK : HAUL_CORRUPT;
}
