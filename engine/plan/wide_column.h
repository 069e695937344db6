/* SPDX-License-Identifier: Apache-2.0 */
/* wide_column.h — RocksDB's wide-column entities in a log: which of them equal a plain
 * value. Pure.
 *
 *   varint32 version (1) | varint32 count | count times (varstring name, varint32 size of value) |
 *   the values, one after the other; names ascend, so that the default column, whose name is
 *   empty, comes first */
#ifndef HAUL_WIDE_COLUMN_H
#define HAUL_WIDE_COLUMN_H

#include <stdbool.h>

#include "haul/slice.h"

/* Is the default column the only one? Then `value` is its value, borrowed from `entity`. False also
 * for an entity that is torn or of a later version. */
bool wide_column_is_plain(struct haul_slice entity, struct haul_slice *value);

#endif
