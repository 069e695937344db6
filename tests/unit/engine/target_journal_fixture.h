/* SPDX-License-Identifier: Apache-2.0 */
/* target_journal_fixture.h — jobs of a source at the target's records: greeted, their plan checked,
 * prepared, and left again. */
#ifndef HAUL_TARGET_JOURNAL_FIXTURE_H
#define HAUL_TARGET_JOURNAL_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/job.h"
#include "rocks_fixture.h"
#include "target_admission.h"
#include "target_journal.h"

enum { EPOCH = 1, RECORD_COUNT = 10 };

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_target_options options;
static struct target_journal journal;
static struct haul_error error;
static enum haul_status own_status;
static uint32_t own_count;
static uint64_t owned_version;
static const char *identity; /* of the source that comes */

static inline enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    own_count++;
    owned_version = new_version;
    return own_status == HAUL_OK ? HAUL_OK : haul_error_set(failed, own_status, NULL, 0, "not yet");
}

static inline void start(void)
{
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
    memset(&error, 0, sizeof(error));
    options = (struct haul_target_options){
        .store = target.store, .hooks = {.own = own}, .allow_overwrite = true};
    own_status = HAUL_OK;
    own_count = 0;
    owned_version = 0;
    identity = "source/1";
}

static inline void finish(void)
{
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

/* Job `number` reaches its records. */
static inline enum haul_status greet(uint8_t number, uint64_t epoch, bool resume)
{
    haul_control_Hello hello = {.epoch = epoch, .resume = resume};
    uint64_t new_version = 0;
    hello.job.size = HAUL_JOB_BYTES;
    memset(hello.job.bytes, number, HAUL_JOB_BYTES);
    hello.source_identity.size = (pb_size_t)strlen(identity);
    memcpy(hello.source_identity.bytes, identity, strlen(identity));
    target_journal_init(&journal, &options);
    return target_journal_look_up(&journal, &hello, &new_version, &error);
}

/* The records as a source of job `number` finds them. */
static inline enum job_knowledge come(uint8_t number, bool resume)
{
    check_status(greet(number, EPOCH, resume), HAUL_OK);
    return journal.knowledge;
}

static inline void leave(void)
{
    target_journal_fini(&journal);
}

static inline enum haul_status check_range(const char *from, const char *to, bool overwrite)
{
    struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_source_options source_options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH, .overwrite = overwrite};
    struct plan plan;
    check_or_stop(plan_make(&plan, source.store, &source_options, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    return target_admission_check(&journal, &plan, &error);
}

static inline void prepare(void)
{
    haul_control_Prepare message = {.new_version = 1, .epoch = EPOCH};
    struct digest digests[HAUL_FAMILY_COUNT_MAX] = {{.count = RECORD_COUNT}}; /* one a family */
    check_status(target_journal_prepare(&journal, &message, digests, &error), HAUL_OK);
}

/* Job 1 has brought its records, k..l, and waits for the decision. */
static inline void prepare_and_leave(void)
{
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    prepare();
    leave();
}

static inline size_t job_count(void)
{
    struct haul_job *jobs = NULL;
    size_t count = 99;
    check_status(haul_jobs_list(target.path, &jobs, &count, &error), HAUL_OK);
    free(jobs);
    return count;
}

/* --- a plan that is refused changes nothing --------------------------------------------------- */

static inline size_t family_count(void)
{
    struct haul_family families[8];
    size_t count = 0;
    check_status(target.store->ops->families(target.store, families, 8, &count, &error), HAUL_OK);
    return count;
}

/* The source, of an earlier release, lists the job as over. */
static inline void note_over(const uint8_t *job)
{
    struct haul_error failure;
    struct haul_slice jobs = slice_of(job, HAUL_JOB_BYTES);
    check_status(target_journal_note_over(&journal, jobs, slice_of(NULL, 0), &failure), HAUL_OK);
}

#endif
