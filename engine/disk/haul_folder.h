/* SPDX-License-Identifier: Apache-2.0 */
/* haul_folder.h — the directory `<database>/haul`, which holds journals, ownership and staging
 * files. Anything else with this name, including a link to a directory, holds no records: following
 * a link would mean acting on another database's records.
 *
 * Thread: any. */
#ifndef HAUL_HAUL_FOLDER_H
#define HAUL_HAUL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "file_calls.h"
#include "haul/status.h"
#include "haul/store.h"

/* Is it a directory, or absent? Errors: CORRUPT (neither), IO. */
enum haul_status haul_folder_check(const char *database, struct haul_error *error) HAUL_MUST_CHECK;

/* Take the rights of others from it, which an earlier release may have given: names of journals are
 * ids of jobs. It may be absent. */
void haul_folder_close(const char *database);

/* The path of a store's journals, ownership and staging files: `<directory>/haul`. False: the path
 * is too long. */
bool haul_directory_of(const struct haul_store *store, char *path, size_t path_size_bytes);
/* Is that directory still the opened database's? Errors: NOT_FOUND. */
enum haul_status haul_place_check(struct haul_store *store,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* If a failure of files comes from that, say so instead. */
void haul_place_explain(struct haul_store *store, struct haul_error *error);
/* Set the error for a database whose path is too long for haul. Returns INVALID. */
enum haul_status haul_directory_too_long(struct haul_error *error);
/* The calls for these files; NULL: the system's. */
const struct file_calls *haul_files_of(const struct haul_store *store);

#endif
