/* SPDX-License-Identifier: Apache-2.0 */
/* haul_folder.h — the directory `<database>/haul`, in which journals, ownership and staging files
 * lie. Something else of this name, a link to a directory included, holds no records: whoever
 * followed it would act on another database's.
 *
 * Thread: any. */
#ifndef HAUL_HAUL_FOLDER_H
#define HAUL_HAUL_FOLDER_H

#include "haul/status.h"

/* Is it a directory, or not there at all? Errors: CORRUPT (neither), IO. */
enum haul_status haul_folder_check(const char *database, struct haul_error *error) HAUL_MUST_CHECK;

#endif
