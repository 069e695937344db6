/* SPDX-License-Identifier: Apache-2.0 */
/* migration_list.c — several migrations as one. */
#include "migration_list.h"

#include <assert.h>
#include <string.h>

struct migration_list migration_list_of(struct haul_migration *migration)
{
    struct migration_list list = {.count = 0};
    if (migration != NULL) {
        list.items[list.count++] = migration;
    }
    return list;
}

void migration_list_add_source(struct migration_list *list, struct haul_migration *migration)
{
    struct haul_job_progress job = {.job = {0}};
    assert(list->count < MIGRATION_LIST_MAX);
    (void)haul_migration_jobs(migration, &job, 1);
    memcpy(list->jobs[list->count], job.job, HAUL_JOB_BYTES);
    list->items[list->count++] = migration;
}

void migration_list_remove(struct migration_list *list, const struct haul_migration *migration)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] != migration) {
            memmove(list->jobs[kept], list->jobs[i], HAUL_JOB_BYTES);
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What old files take is measured for the whole database, by each. */
static void add(struct haul_progress *sum, const struct haul_progress *one)
{
    sum->records += one->records;
    sum->bytes += one->bytes;
    sum->bytes_expected += one->bytes_expected;
    sum->wire_bytes += one->wire_bytes;
    sum->lag_bytes += one->lag_bytes;
    sum->durable_records += one->durable_records;
    sum->durable_bytes += one->durable_bytes;
    sum->pinned_log_bytes = larger(sum->pinned_log_bytes, one->pinned_log_bytes);
    sum->pinned_table_bytes = larger(sum->pinned_table_bytes, one->pinned_table_bytes);
    sum->rounds = (uint32_t)larger(sum->rounds, one->rounds);
    sum->seconds = one->seconds > sum->seconds ? one->seconds : sum->seconds;
}

void migration_list_progress(const struct migration_list *list, struct haul_progress *progress)
{
    *progress = (struct haul_progress){.phase = HAUL_PHASE_CONNECTING};
    for (size_t i = 0; i < list->count; i++) {
        struct haul_progress one;
        haul_migration_progress(list->items[i], &one);
        if (i == 0) {
            *progress = one;
        } else {
            add(progress, &one);
        }
    }
}

size_t migration_list_jobs(const struct migration_list *list, struct haul_job_progress *jobs,
                           size_t count_max)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        count += haul_migration_jobs(list->items[i], jobs + count, count_max - count);
    }
    return count;
}

void migration_list_stop(const struct migration_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        haul_migration_stop(list->items[i]);
    }
}

void migration_list_cancel(const struct migration_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        haul_migration_cancel(list->items[i]);
    }
}

bool migration_list_runs(const struct migration_list *list, const uint8_t job[HAUL_JOB_BYTES])
{
    struct haul_job_progress jobs[MIGRATION_LIST_MAX];
    size_t count = migration_list_jobs(list, jobs, MIGRATION_LIST_MAX);
    bool runs = false;
    for (size_t i = 0; i < count; i++) {
        runs = runs || memcmp(jobs[i].job, job, HAUL_JOB_BYTES) == 0;
    }
    for (size_t i = 0; i < list->count; i++) {
        runs = runs || memcmp(list->jobs[i], job, HAUL_JOB_BYTES) == 0;
    }
    return runs;
}

bool migration_list_cancel_job(const struct migration_list *list, const uint8_t job[HAUL_JOB_BYTES])
{
    bool runs = false;
    for (size_t i = 0; i < list->count; i++) {
        runs = runs || haul_migration_cancel_job(list->items[i], job) == HAUL_OK;
    }
    return runs;
}
