/* SPDX-License-Identifier: Apache-2.0 */
/* database_open.h — opens a database as its owner; if it is locked, the error names the process. */
#ifndef HAUL_DATABASE_OPEN_H
#define HAUL_DATABASE_OPEN_H

#include "haul/status.h"
#include "haul/store.h"
#include "output.h"

/* If root runs haul on another user's directory, access files as that user from now on (this thread
 * and those that it starts). So the service that owns the database can read what haul leaves there,
 * and a link that the user has placed leads only where the user may go. Call it before the first
 * file is written. */
void database_adopt_owner(const char *directory, struct output *output);

/* Check that `directory` has a database. For commands that read only haul's own files: without a
 * database "no job" would be misleading. Errors: NOT_FOUND. */
enum haul_status database_check(const char *directory, struct haul_error *error) HAUL_MUST_CHECK;

/* haul_rocks_store_open after database_adopt_owner. Its errors; BUSY names the process that has the
 * database when that can be found. */
enum haul_status database_open(const char *directory, const struct haul_rocks_options *options,
                               struct haul_store **store, struct output *output,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* haul_rocks_store_open with read_only, for a database that another process may write. A file that
 * is removed during the open looks like damage, so it retries as long as the errors differ.
 * Errors: those of haul_rocks_store_open; BUSY, which names the process. */
enum haul_status database_open_to_read(const char *directory,
                                       const struct haul_rocks_options *options,
                                       struct haul_store **store,
                                       struct haul_error *error) HAUL_MUST_CHECK;

#endif
