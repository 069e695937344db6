/* SPDX-License-Identifier: Apache-2.0 */
/* staging.h — the directory beside the database in which jobs write the table files that they
 * ingest. Each file begins with the id of its job, and a job removes its own files only. What dead
 * processes have left goes when a receiver starts, and when it runs no job.
 * Thread: a call worker's. */
#ifndef HAUL_STAGING_H
#define HAUL_STAGING_H

#include "haul/log.h"
#include "haul/migration.h"

enum { STAGING_PATH_BYTES_MAX = 1024 };

/* Compute only the name. Errors: LIMIT (the path of the store is too long). */
enum haul_status staging_name(const struct haul_store *store, char path[STAGING_PATH_BYTES_MAX],
                              struct haul_error *error) HAUL_MUST_CHECK;
/* Compute the name and create the directory. Errors: also NO_SPACE, IO. */
enum haul_status staging_make(const struct haul_store *store, char path[STAGING_PATH_BYTES_MAX],
                              struct haul_error *error) HAUL_MUST_CHECK;
/* Remove the table files of one job. An empty path means no directory. */
void staging_empty(const char *path, const uint8_t job[HAUL_JOB_BYTES]);
/* No job runs: remove all table files and the directory; log a directory that cannot be removed. */
void staging_remove(const char *path, const struct haul_log *log);
/* Remove the table files of one job that no process runs, and the directory if it is empty then. A
 * receiver may run another job meanwhile, whose files have other names. Errors: LIMIT. */
enum haul_status staging_remove_of(const struct haul_store *store,
                                   const uint8_t job[HAUL_JOB_BYTES],
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
