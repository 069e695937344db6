/* SPDX-License-Identifier: Apache-2.0 */
/* foreign_objects.h — comparators, merge operators, filters and table factories that only these
 * test programs have. haul does not know them, as it does not know those of other people's.
 *
 *   test.CaselessComparator     letters of either case are equal
 *   leveldb.BytewiseComparator.u64ts   user timestamps; RocksDB 7.8 does not have it
 *   test.AppendOperator         a merge operator: operands one after the other
 *   test.DropOddFilter          a compaction filter: drops values that end with an odd byte
 *   test.TableFactory           block-based tables under another name */
#ifndef HAUL_TESTS_FOREIGN_OBJECTS_H
#define HAUL_TESTS_FOREIGN_OBJECTS_H

/* Register them with RocksDB's options parser. Call once, before any options are parsed. */
void foreign_objects_register(void);

#endif
