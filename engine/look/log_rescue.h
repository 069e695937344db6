/* SPDX-License-Identifier: Apache-2.0 */
/* log_rescue.h — copies a log that is damaged in the middle.
 *
 * RocksDB replays such a log up to the damage, and removes the file with everything after it, as
 * soon as the database is open for writing. That may include complete records. So before the open,
 * haul copies the log files to DIR/haul/damaged-log-N. It never reads or removes these copies.
 * Under the database's lock. Thread: one for each database. */
#ifndef HAUL_LOG_RESCUE_H
#define HAUL_LOG_RESCUE_H

#include <stddef.h>

#include "haul/status.h"

/* Copy the log files of `wal_dir`, durably. `copy` gets the directory's name: a new one, or that of
 * an earlier copy of this log, which is completed.
 * Errors: IO, NO_SPACE; only files that were copied completely stay then. */
enum haul_status log_rescue(const char *directory, const char *wal_dir, char *copy,
                            size_t copy_size_bytes, struct haul_error *error) HAUL_MUST_CHECK;

#endif
