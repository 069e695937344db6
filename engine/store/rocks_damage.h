/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_damage.h — a log that is damaged in its middle, before RocksDB opens the database.
 * Thread: the opener's. */
#ifndef HAUL_ROCKS_DAMAGE_H
#define HAUL_ROCKS_DAMAGE_H

#include "haul/store.h"
#include "store_look.h"

/* Keep a copy of the log if the open may write, and log a warning that names what RocksDB does at
 * the damage with the database's own `recovery_mode` (RocksDB's WALRecoveryMode) and
 * `paranoid_checks`. Errors: those of log_rescue. */
enum haul_status rocks_damage_keep(const struct store_look *look,
                                   const struct haul_rocks_options *options, int recovery_mode,
                                   bool paranoid_checks, struct haul_error *error) HAUL_MUST_CHECK;

#endif
