/* SPDX-License-Identifier: Apache-2.0 */
/* wide_column.c — RocksDB's wide-column entities. */
#include "wide_column.h"

#include "bytes.h"
#include "planted_bug.h"

enum { ENTITY_VERSION = 1 };

bool wide_column_is_plain(struct haul_slice entity, struct haul_slice *value)
{
    struct cursor cursor = cursor_of(entity.data, entity.size);
    uint32_t version = cursor_varint32(&cursor);
    uint32_t count = cursor_varint32(&cursor);
    struct haul_slice name = cursor_varstring(&cursor);
    uint32_t size = cursor_varint32(&cursor);
    bool plain = !cursor.failed && version == ENTITY_VERSION && count == 1 && name.size == 0 &&
                 cursor_left(&cursor) == size;
    plain = plain || (HAUL_PLANTED_BUG(COLUMNS_DROPPED) && count > 0);
    if (plain) {
        *value = slice_of(cursor.at, size);
    }
    return plain;
}
