/* SPDX-License-Identifier: Apache-2.0 */
/* log_rescue.h — copies of a log that is damaged in its middle.
 *
 * RocksDB replays such a log up to the damage, and removes the file with all that lies behind, as
 * soon as the database is open for writing. Whole records may be among it. So before that, the log
 * files are copied to DIR/haul/damaged-log-N; haul never looks at them again, and never removes
 * them. Under the database's lock. Thread: one for each database. */
#ifndef HAUL_LOG_RESCUE_H
#define HAUL_LOG_RESCUE_H

#include <stddef.h>

#include "haul/status.h"

/* Copy the log files of `wal_dir`, durably. `copy` gets the directory's name: a new one, or that of
 * an earlier copy of this log, which is completed.
 * Errors: IO, NO_SPACE; nothing is left then but what was whole. */
enum haul_status log_rescue(const char *directory, const char *wal_dir, char *copy,
                            size_t copy_size_bytes, struct haul_error *error) HAUL_MUST_CHECK;

#endif
