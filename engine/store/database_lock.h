/* SPDX-License-Identifier: Apache-2.0 */
/* database_lock.h — RocksDB's lock on a database, taken before RocksDB takes it: haul changes a
 * database's files before the open and after the close only under this lock.
 *
 * The lock is RocksDB's own: an fcntl lock on DIR/LOCK, which belongs to the process. RocksDB's
 * open takes it once more, its close releases it for the whole process, and so does any close of a
 * descriptor of the file; so the descriptor stays open as long as the database may be.
 *
 * Thread: one for each lock. */
#ifndef HAUL_DATABASE_LOCK_H
#define HAUL_DATABASE_LOCK_H

#include <stdbool.h>

#include "haul/status.h"

/* All zeros with `fd` -1: not held. */
struct database_lock {
    int fd;
    bool made_file; /* there was no LOCK file */
};

/* Never waits. Errors: BUSY (names the process), IO. */
enum haul_status database_lock_acquire(const char *directory, struct database_lock *lock,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Take the lock again after RocksDB has released it. False: another process was faster. */
bool database_lock_regain(struct database_lock *lock);
/* Removes a LOCK file that it created, unless `keep_file`. */
void database_lock_release(struct database_lock *lock, const char *directory, bool keep_file);

#endif
