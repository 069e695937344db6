/* SPDX-License-Identifier: Apache-2.0 */
/* haul_folder.h — the directory `<database>/haul`, which holds journals, ownership and staging
 * files. Anything else of this name, including a link to a directory, holds no records: following
 * it would mean acting on another database's.
 *
 * Thread: any. */
#ifndef HAUL_HAUL_FOLDER_H
#define HAUL_HAUL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "file_calls.h"
#include "haul/status.h"
#include "haul/store.h"

/* Is it a directory, or not there at all? Errors: CORRUPT (neither), IO. */
enum haul_status haul_folder_check(const char *database, struct haul_error *error) HAUL_MUST_CHECK;

/* Where journals, ownership and staging files of a store lie: `<directory>/haul`. False: the path
 * is too long. */
bool haul_directory_of(const struct haul_store *store, char *path, size_t path_size_bytes);
/* Is that directory still the opened database's? Errors: NOT_FOUND. */
enum haul_status haul_place_check(struct haul_store *store,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* The error of a database whose path haul does not take. Returns INVALID. */
enum haul_status haul_directory_too_long(struct haul_error *error);
/* The calls that reach them; NULL: the system's. */
const struct file_calls *haul_files_of(const struct haul_store *store);

#endif
