/* SPDX-License-Identifier: Apache-2.0 */
/* journal_directory.h — which jobs have left a journal in a directory. */
#ifndef HAUL_JOURNAL_DIRECTORY_H
#define HAUL_JOURNAL_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

#include "file_calls.h"
#include "haul/status.h"
#include "journal.h"

struct journal_entry {
    enum journal_role role;
    uint8_t job_id[HAUL_JOB_BYTES];
};

/* All journals, ordered by job id, then role; a directory that does not exist has none.
 * `calls` NULL: the system's. Ownership: `*entries` is the caller's (free); NULL when there are
 * none. Errors: NO_MEMORY, LIMIT, IO. */
enum haul_status journal_directory_list(const struct file_calls *calls, const char *directory,
                                        struct journal_entry **entries, size_t *count,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* Remove what a crash left of unfinished journals. A file that cannot be removed for lack of rights
 * does no harm, because nobody reads it. */
void journal_directory_clean(const struct file_calls *calls, const char *directory);

#endif
