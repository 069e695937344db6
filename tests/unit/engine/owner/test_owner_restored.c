/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_restored.c — an operator's commands on a source whose journal is older than the
 * decision: the database was restored or set back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_version.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "job_journal.h"
#include "left_job.h"
#include "rocks_fixture.h"
#include "source_journal.h"

static const uint8_t id[HAUL_JOB_BYTES] = {3};
static const struct haul_owner_selection everything;
static struct rocks_fixture fixture;
static struct haul_source_options options;
static struct haul_error error;

/* A source's job of k to l that copies. `peer` NULL: it has met no target. */
static void start_with(const char *peer, bool restored)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"k", 1},
                                            .end = {(const uint8_t *)"l", 1}};
    rocks_fixture_open(&fixture);
    options =
        (struct haul_source_options){.store = fixture.store, .ranges = &range, .range_count = 1};
    left_job_make(&options, id, peer, restored);
}

static void start(bool restored)
{
    start_with("the target", restored);
}

/* The record has the hand-over: only the journal is older. */
static void give_away(void)
{
    struct plan plan;
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = id,
                                      .peer = "the target",
                                      .plan = &plan,
                                      .new_version = 5,
                                      .epoch = 1};
    check_status(config_version_move(fixture.store, &options.hooks, &move, &error), HAUL_OK);
    plan_fini(&plan);
}

static enum haul_owner_state state_of_all(void)
{
    struct haul_owner *owner = NULL;
    check_status(haul_owner_of_store(fixture.store, &owner, &error), HAUL_OK);
    enum haul_owner_state state = haul_owner_state_of(owner, "default", &options.ranges[0]);
    haul_owner_free(owner);
    return state;
}

static void test_owner_forget__job_of_a_restored_source__asked_first(void)
{
    start(true);
    check_error(haul_owner_forget(fixture.path, false, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.text, "in doubt (COPYING)") != NULL);
    check_equal(left_job_count(fixture.path), 1);
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_OK);
    check_equal(left_job_count(fixture.path), 0);
    rocks_fixture_close(&fixture);
    start(false);
    check_status(haul_owner_forget(fixture.path, false, &error), HAUL_OK);
    rocks_fixture_close(&fixture);
}

static void test_owner_rebuild__job_of_a_restored_source__its_ranges_are_not_ours(void)
{
    static const bool restored[] = {false, true};
    for (size_t i = 0; i < CHECK_COUNT(restored); i++) {
        char path[600];
        start(restored[i]);
        (void)snprintf(path, sizeof(path), "%s/haul/ownership", fixture.path);
        FILE *file = fopen(path, "w");
        check_or_stop(file != NULL && fputs("rotten", file) >= 0 && fclose(file) == 0);
        check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_OK);
        check_equal(state_of_all(), restored[i] ? HAUL_OWNER_RELEASED : HAUL_OWNER_OWN);
        rocks_fixture_close(&fixture);
    }
}

static void test_job_end_decided__journal_is_older_than_the_record__ended(void)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    start(false);
    check_status(haul_jobs_list(fixture.path, &jobs, &count, &error), HAUL_OK);
    check_or_stop(count == 1);
    check_error(haul_job_end_decided(fixture.store, &jobs[0], true, &error), HAUL_INVALID, error);
    give_away();
    check_error(haul_job_end_decided(fixture.store, &jobs[0], false, &error), HAUL_UNCONFIRMED,
                error);
    check_status(haul_job_end_decided(fixture.store, &jobs[0], true, &error), HAUL_OK);
    check_equal(left_job_count(fixture.path), 0);
    check_equal(state_of_all(), HAUL_OWNER_RELEASED);
    free(jobs);
    rocks_fixture_close(&fixture);
}

static void test_owner_reclaim__journal_is_older_than_the_record__the_job_ends(void)
{
    start(false);
    give_away();
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    check_equal(left_job_count(fixture.path), 0);
    check_equal(state_of_all(), HAUL_OWNER_OWN);
    rocks_fixture_close(&fixture);
}

/* The journal is another file than the original: a copy, or a restored backup. */
static void restore_journal(void)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[1024];
    char copy[1024];
    char bytes[8192];
    journal_name_format(JOURNAL_SOURCE, id, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    (void)snprintf(copy, sizeof(copy), "%s/haul/copy", fixture.path);
    FILE *from = fopen(path, "rb");
    FILE *to = fopen(copy, "wb");
    check_or_stop(from != NULL && to != NULL);
    size_t size = fread(bytes, 1, sizeof(bytes), from);
    check(size > 0 && size < sizeof(bytes) && fwrite(bytes, 1, size, to) == size);
    check(fclose(from) == 0 && fclose(to) == 0);
    check_or_stop(rename(copy, path) == 0);
}

/* A backup from before the job met its target shows as little of the decision as a later one. */
static void test_owner_adopt__job_with_or_without_a_peer__in_doubt(void)
{
    static const char *const peers[] = {"the target", NULL};
    for (size_t i = 0; i < CHECK_COUNT(peers); i++) {
        struct haul_job *jobs = NULL;
        size_t count = 0;
        start_with(peers[i], false);
        restore_journal();
        check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_OK);
        check_status(haul_jobs_list(fixture.path, &jobs, &count, &error), HAUL_OK);
        check_or_stop(count == 1);
        check_equal(jobs[0].claim, HAUL_JOB_IN_DOUBT);
        check_error(haul_job_give_up(fixture.store, &jobs[0], &error), HAUL_UNCONFIRMED, error);
        check(strstr(error.hint, "ask it with `haul resolve --db DIR --to") != NULL);
        check_status(haul_job_force_give_up(fixture.store, &jobs[0], true, &error), HAUL_OK);
        free(jobs);
        rocks_fixture_close(&fixture);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_adopt__job_with_or_without_a_peer__in_doubt),
    CHECK_TEST(test_owner_forget__job_of_a_restored_source__asked_first),
    CHECK_TEST(test_owner_rebuild__job_of_a_restored_source__its_ranges_are_not_ours),
    CHECK_TEST(test_job_end_decided__journal_is_older_than_the_record__ended),
    CHECK_TEST(test_owner_reclaim__journal_is_older_than_the_record__the_job_ends),
};
CHECK_MAIN("owner_restored", tests)
