/* SPDX-License-Identifier: Apache-2.0 */
/* feature_gate.h — may haul open this database? Decides by the database's files, before RocksDB
 * opens them: refuses what haul cannot move faithfully, what an open would convert or discard, and
 * what makes RocksDB end the process, each by name and with the remedy. docs/COMPATIBILITY.md is
 * the list.
 *
 * Thread: any. */
#ifndef HAUL_FEATURE_GATE_H
#define HAUL_FEATURE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"
#include "store_look.h"

/* The RocksDB in this process. */
struct feature_release {
    int major;
    int minor;
    int patch;
    uint32_t table_format_max; /* newest readable format of block-based tables */
};

/* Errors: UNSUPPORTED, MISMATCH (an object that this program lacks), VERSION (of a later release),
 * CORRUPT (a truncated table file). */
enum haul_status feature_gate_check(const struct store_look *look,
                                    const struct feature_release *release, bool read_only,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Only the column families. Errors: UNSUPPORTED, MISMATCH. */
enum haul_status feature_gate_check_families(const struct store_look *look, bool read_only,
                                             struct haul_error *error) HAUL_MUST_CHECK;

/* Only what the log holds; `look` was opened with it. feature_gate_check includes this.
 * Errors: UNSUPPORTED. */
enum haul_status feature_gate_check_log(const struct store_look *look,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* Was the database written by a later release? Then that may be the reason for `error`, which gets
 * a hint. */
enum haul_status feature_gate_explain(const struct store_look *look,
                                      const struct feature_release *release,
                                      enum haul_status status,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Is this the name of a comparator that RocksDB creates itself? */
bool feature_gate_knows_comparator(const char *name);
bool feature_gate_knows_merge_operator(const char *id);

#endif
