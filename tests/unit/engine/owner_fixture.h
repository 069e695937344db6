/* SPDX-License-Identifier: Apache-2.0 */
/* owner_fixture.h — a database of three ranges, a to d, whose ownership record and journals a test
 * writes as jobs would. */
#ifndef OWNER_FIXTURE_H
#define OWNER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_version.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "job_journal.h"
#include "rocks_fixture.h"

enum { RECORD_COUNT = 10 };

static const uint8_t job[HAUL_JOB_BYTES] = {1, 2, 3};
static const uint8_t other_job[HAUL_JOB_BYTES] = {4, 5, 6};
static const struct haul_owner_selection everything;
static struct rocks_fixture fixture;
static struct haul_error error;

static inline void start(void)
{
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    rocks_fixture_fill(&fixture, 0, "a", RECORD_COUNT, 10);
    rocks_fixture_fill(&fixture, 0, "b", RECORD_COUNT, 10);
    rocks_fixture_fill(&fixture, 0, "c", RECORD_COUNT, 10);
}

static inline void finish(void)
{
    rocks_fixture_close(&fixture);
}

static inline void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, fixture.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = plan->old_version + 1;
}

static inline void move_as(const uint8_t id[HAUL_JOB_BYTES], enum version_outcome outcome,
                           const char *from, const char *to)
{
    const struct haul_hooks no_hooks = {.context = NULL};
    struct plan plan;
    make_plan(&plan, from, to);
    const struct version_move moved = {.outcome = outcome,
                                       .job = id,
                                       .peer = "the other",
                                       .plan = &plan,
                                       .new_version = 1,
                                       .epoch = 1,
                                       .records = RECORD_COUNT};
    check_status(config_version_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
}

static inline void move(enum version_outcome outcome, const char *from, const char *to)
{
    move_as(job, outcome, from, to);
}

static inline enum haul_owner_state state_of(const char *from, const char *to)
{
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_owner *owner = NULL;
    check_status(haul_owner_of_store(fixture.store, &owner, &error), HAUL_OK);
    enum haul_owner_state state = haul_owner_state_of(owner, "default", &range);
    haul_owner_free(owner);
    return state;
}

/* A journal of this database: PEER, PLAN, and the records that `types` names. */
static inline struct journal *make_journal(enum journal_role role, const char *from, const char *to)
{
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    make_plan(&plan, from, to);
    check_or_stop(job_journal_open(fixture.store, role, job, &journal, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_bind(journal, "the other", "host:1", &error), HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    return journal;
}

static inline void append(struct journal *journal, const struct journal_record *record)
{
    check_status(journal_append(journal, record, true, &error), HAUL_OK);
}

/* A source that died after its decision. */
static inline void leave_decided(void)
{
    struct journal *journal = make_journal(JOURNAL_SOURCE, "b", "c");
    append(journal, &(struct journal_record){.type = JOURNAL_SNAPSHOT,
                                             .snapshot = {.sequence = 1, .wal_sequence = 1}});
    append(journal, &(struct journal_record){.type = JOURNAL_FROZEN, .frozen_sequence = 2});
    journal_close(journal);
    move(VERSION_RELEASED, "b", "c");
}

static inline void leave_prepared(void)
{
    static struct journal_prepared prepared = {.new_version = 1, .epoch = 1};
    struct journal *journal = make_journal(JOURNAL_TARGET, "b", "c");
    append(journal, &(struct journal_record){.type = JOURNAL_PREPARED, .prepared = &prepared});
    journal_close(journal);
}

static inline size_t list_jobs(struct haul_job *first)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    check_status(haul_jobs_list(fixture.path, &jobs, &count, &error), HAUL_OK);
    if (count > 0) {
        *first = jobs[0];
    }
    free(jobs);
    return count;
}

static inline size_t job_count(void)
{
    struct haul_job ignored;
    return list_jobs(&ignored);
}

static inline void damage(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    FILE *file = fopen(path, "r+");
    check_or_stop(file != NULL);
    check_equal(fseek(file, 24, SEEK_SET), 0);
    check(fputs("damage", file) >= 0);
    check_equal(fclose(file), 0);
}

static inline void damage_journal(enum journal_role role)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(role, job, name);
    damage(name);
}

/* The journal becomes another file with the same bytes, as after `cp -r`. */
static inline void copy_journal(enum journal_role role)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[1024];
    char copy[1100];
    static char bytes[1 << 20];
    journal_name_format(role, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    (void)snprintf(copy, sizeof(copy), "%s.new", path);
    FILE *from = fopen(path, "rb");
    FILE *to = fopen(copy, "wb");
    check_or_stop(from != NULL && to != NULL);
    size_t size = fread(bytes, 1, sizeof(bytes), from);
    check(size > 0 && size < sizeof(bytes));
    check_equal(fwrite(bytes, 1, size, to), size);
    check_equal(fclose(from) + fclose(to), 0);
    check_equal(rename(copy, path), 0);
}

/* A bit of the journal's byte `at` flips; a second call flips it back. */
static inline void flip_bit_at(enum journal_role role, long at)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[1024];
    journal_name_format(role, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    FILE *file = fopen(path, "r+");
    check_or_stop(file != NULL && fseek(file, at, SEEK_SET) == 0);
    int byte = fgetc(file);
    check(byte >= 0 && fseek(file, at, SEEK_SET) == 0 && fputc(byte ^ 1, file) == (byte ^ 1));
    check_equal(fclose(file), 0);
}

/* In the header. */
static inline void flip_bit(enum journal_role role)
{
    flip_bit_at(role, 24);
}

static inline void do_not_pause(void *context, unsigned pause_ms)
{
    (void)context;
    (void)pause_ms;
}

#endif
