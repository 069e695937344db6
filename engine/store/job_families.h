/* SPDX-License-Identifier: Apache-2.0 */
/* job_families.h — the column families of the jobs that a source can continue, by their journals,
 * before the database is opened.
 *
 * Thread: any. */
#ifndef HAUL_JOB_FAMILIES_H
#define HAUL_JOB_FAMILIES_H

#include <stddef.h>

#include "haul/status.h"

/* The families that the plans in `directory`/haul name, each once; none without such a job. An
 * unreadable journal names none; whoever acts on it reports the cause. Ownership: `*names` is the
 * caller's, one block with its texts (free). Errors: LIMIT, NO_MEMORY, IO. */
enum haul_status job_families_read(const char *directory, const char ***names, size_t *count,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
