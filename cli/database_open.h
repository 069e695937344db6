/* SPDX-License-Identifier: Apache-2.0 */
/* database_open.h — how the tool opens a database: as its owner, and naming who else has it. */
#ifndef HAUL_DATABASE_OPEN_H
#define HAUL_DATABASE_OPEN_H

#include "haul/status.h"
#include "haul/store.h"
#include "output.h"

/* Run by root on a directory of another user, act on files as that user from now on (this thread
 * and those it makes): what haul leaves in the database can be read by the service that it belongs
 * to, and a link that this user has placed leads nowhere that the user cannot go. Call it before
 * the first file is written. */
void database_adopt_owner(const char *directory, struct output *output);

/* Is there one? For commands that only read what haul keeps beside it: a directory without a
 * database has no jobs, and to say so would be no answer. Errors: NOT_FOUND. */
enum haul_status database_check(const char *directory, struct haul_error *error) HAUL_MUST_CHECK;

/* haul_rocks_store_open after database_adopt_owner. Its errors; BUSY names the process that has the
 * database when that can be found. */
enum haul_status database_open(const char *directory, const struct haul_rocks_options *options,
                               struct haul_store **store, struct output *output,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* haul_rocks_store_open with read_only of a database that another process may write: a file that is
 * removed while the database is opened looks like damage, so it is tried again while the answers
 * differ. Errors: its; BUSY, which names the process. */
enum haul_status database_open_to_read(const char *directory,
                                       const struct haul_rocks_options *options,
                                       struct haul_store **store,
                                       struct haul_error *error) HAUL_MUST_CHECK;

#endif
