/* SPDX-License-Identifier: Apache-2.0 */
/* log_links.h — log files that outlive a restart.
 *
 * Opening a database replays its log into table files and removes the log. A job that continues
 * after a restart needs the log. So before the open, each log file gets a second name in the
 * directory where RocksDB itself archives and looks for old logs. RocksDB reads them from there,
 * and never removes them, as long as the database's own options archive nothing; otherwise its own
 * archive is enough.
 *
 * DIR/haul/log-links lists the names that haul has made, and is written before the first of them:
 * haul removes only those, never a log that the database's owner has archived. They are removed
 * when the database is closed and no job of this source can still continue; after a crash, by the
 * next command that has the database's lock.
 *
 * All of it under the database's lock. Thread: one for each database. */
#ifndef HAUL_LOG_LINKS_H
#define HAUL_LOG_LINKS_H

#include <stdbool.h>

#include "haul/log.h"
#include "haul/status.h"

/* Give each log file of `wal_dir` a second name. A file system without hard links is logged and is
 * no error; a job cannot continue from the log then. Errors: IO, NO_SPACE. */
enum haul_status log_links_make(const char *directory, const char *wal_dir,
                                const struct haul_log *log,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Remove the names of the list, and the list. With `forget`, only the list: the names have become
 * the owner's archive. */
void log_links_drop(const char *directory, const char *wal_dir, bool forget);

/* Do second names exist? */
bool log_links_exist(const char *directory);

#endif
