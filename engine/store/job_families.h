/* SPDX-License-Identifier: Apache-2.0 */
/* job_families.h — the column families of the jobs that a source can go on with, by their journals,
 * before the database is opened.
 *
 * Thread: any. */
#ifndef HAUL_JOB_FAMILIES_H
#define HAUL_JOB_FAMILIES_H

#include <stddef.h>

#include "haul/status.h"

/* Those that the plans in `directory`/haul name, each of them once; none without such a job. What
 * cannot be read names none: whoever acts on it says why. Ownership: `*names` is the caller's, one
 * block with its texts (free). Errors: LIMIT, NO_MEMORY, IO. */
enum haul_status job_families_read(const char *directory, const char ***names, size_t *count,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
