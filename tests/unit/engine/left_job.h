/* SPDX-License-Identifier: Apache-2.0 */
/* left_job.h — unfinished jobs of a process that is gone, beside a database, for suites of what
 * follows. */
#ifndef HAUL_TESTS_LEFT_JOB_H
#define HAUL_TESTS_LEFT_JOB_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/job.h"
#include "job_journal.h"
#include "source_journal.h"

/* The job `id` of a source that copies what `options` selects. `peer` NULL: it has met no
 * target. */
static inline void left_job_make(const struct haul_source_options *options,
                                 const uint8_t id[HAUL_JOB_BYTES], const char *peer, bool restored)
{
    struct source_journal journal;
    struct haul_error error;
    struct plan plan;
    check_or_stop(plan_make(&plan, options->store, options, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    source_journal_init(&journal, options);
    memcpy(journal.job, id, HAUL_JOB_BYTES);
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    if (peer != NULL) {
        check_status(job_journal_bind(journal.file, peer, "host:1", &error), HAUL_OK);
    }
    if (restored) {
        check_status(job_journal_mark(journal.file, JOURNAL_RESTORED, true, &error), HAUL_OK);
    }
    source_journal_fini(&journal);
    plan_fini(&plan);
}

static inline size_t left_job_count(const char *database)
{
    struct haul_job *jobs = NULL;
    struct haul_error error;
    size_t count = 99;
    check_status(haul_jobs_list(database, &jobs, &count, &error), HAUL_OK);
    free(jobs);
    return count;
}

#endif
