/* SPDX-License-Identifier: Apache-2.0 */
/* staging.h — the directory beside the database in which a job writes the table files that it
 * ingests. A receiver runs one job at a time, so every file that a new job finds there is left
 * over. Thread: the call worker's. */
#ifndef HAUL_STAGING_H
#define HAUL_STAGING_H

#include "haul/log.h"
#include "haul/migration.h"

enum { STAGING_PATH_BYTES_MAX = 1024 };

/* Only the name. Errors: LIMIT (the path of the store is too long). */
enum haul_status staging_name(const struct haul_store *store, char path[STAGING_PATH_BYTES_MAX],
                              struct haul_error *error) HAUL_MUST_CHECK;
/* The name, and the directory. Errors: also NO_SPACE, IO. */
enum haul_status staging_make(const struct haul_store *store, char path[STAGING_PATH_BYTES_MAX],
                              struct haul_error *error) HAUL_MUST_CHECK;
/* Remove all table files. A path of no bytes is no directory. */
void staging_empty(const char *path);
/* Remove them and the directory; a directory that stays is logged. */
void staging_remove(const char *path, const struct haul_log *log);
/* Remove those of one job that has no process. A receiver may run another job meanwhile, whose
 * files have other names. Errors: LIMIT. */
enum haul_status staging_remove_of(const struct haul_store *store,
                                   const uint8_t job[HAUL_JOB_BYTES],
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
