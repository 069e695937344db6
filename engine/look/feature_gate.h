/* SPDX-License-Identifier: Apache-2.0 */
/* feature_gate.h — may haul open this database? Decided by a look at its files, before RocksDB sees
 * them: what haul cannot move faithfully, what an open would convert or throw away, and what ends
 * RocksDB's process is refused by name, with the remedy. docs/COMPATIBILITY.md is the list.
 *
 * Thread: any. */
#ifndef HAUL_FEATURE_GATE_H
#define HAUL_FEATURE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"
#include "store_look.h"

/* The RocksDB that runs here. */
struct feature_release {
    int major;
    int minor;
    int patch;
    uint32_t table_format_max; /* of block-based tables that it can read */
};

/* Errors: UNSUPPORTED, MISMATCH (an object that this program does not have), VERSION (of a later
 * release), CORRUPT (a table file that was cut). */
enum haul_status feature_gate_check(const struct store_look *look,
                                    const struct feature_release *release, bool read_only,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Was the database written by a later release? Then that may be the reason for `error`, which gets
 * a hint. */
enum haul_status feature_gate_explain(const struct store_look *look,
                                      const struct feature_release *release,
                                      enum haul_status status,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* By the name of an object that RocksDB makes itself. */
bool feature_gate_knows_comparator(const char *name);
bool feature_gate_knows_merge_operator(const char *id);

#endif
