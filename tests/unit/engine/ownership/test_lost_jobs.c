/* SPDX-License-Identifier: Apache-2.0 */
/* test_lost_jobs.c — jobs of two databases, one of which has lost its record of them. */
#include "haul_folder.h"
#include "lost_jobs.h"

#include <string.h>

#include "check.h"
#include "config_version.h"
#include "job_journal.h"
#include "ownership_file.h"
#include "rocks_fixture.h"

static const uint8_t gave[HAUL_JOB_BYTES] = {1};
static const uint8_t took[HAUL_JOB_BYTES] = {2};
static const uint8_t unknown[HAUL_JOB_BYTES] = {3};
static const struct haul_hooks no_hooks;
static struct rocks_fixture fixture;
static struct haul_error error;

static struct haul_slice slice(const char *text)
{
    return slice_of((const uint8_t *)text, strlen(text));
}

static void move(enum version_outcome outcome, const uint8_t *id, const char *from, const char *to)
{
    struct plan plan;
    const struct haul_range range = {.start = slice(from), .end = slice(to)};
    const struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    const struct version_move moved = {.outcome = outcome,
                                       .job = id,
                                       .peer = "peer/1",
                                       .plan = &plan,
                                       .new_version = 5,
                                       .epoch = 1,
                                       .records = 10};
    check_status(config_version_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
}

static void list(const char *peer, struct job_list *between)
{
    check_status(lost_jobs_list(fixture.store, &no_hooks, peer, between, &error), HAUL_OK);
}

static bool names(const struct job_list *jobs, size_t at, const uint8_t *id)
{
    return at < job_list_count(jobs) && memcmp(job_list_at(jobs, at), id, HAUL_JOB_BYTES) == 0;
}

static void look(const struct haul_hooks *hooks, const uint8_t *id, struct job_list *lost)
{
    struct job_list between = {.size_bytes = 0};
    (void)job_list_add(&between, gave);
    (void)job_list_add(&between, id);
    check_status(lost_jobs_look(fixture.store, hooks, &between, lost, &error), HAUL_OK);
}

static enum haul_status check_piece(const char *from, const char *to)
{
    struct owner_piece piece = {.family = "default"};
    struct owner_pieces pieces = {.items = &piece, .count = 1};
    check_or_stop(key_range_init(&piece.range, slice(from), slice(to)) == HAUL_OK);
    enum haul_status status = lost_jobs_check(fixture.store, &pieces, &error);
    key_range_fini(&piece.range);
    return status;
}

static void note(const uint8_t *id, const char *peer)
{
    struct job_list lost = {.size_bytes = 0};
    (void)job_list_add(&lost, id);
    check_status(lost_jobs_note(fixture.store, peer, &lost, &error), HAUL_OK);
}

static void test_lost_jobs_list__gave_and_took__the_newest_first(void)
{
    struct job_list between;
    rocks_fixture_open(&fixture);
    list("peer/1", &between);
    check_equal(job_list_count(&between), 0);
    move(VERSION_RELEASED, gave, "b", "d");
    move(VERSION_IMPORTED, took, "k", "m");
    list("peer/1", &between);
    check_equal(job_list_count(&between), 2);
    check(names(&between, 0, took) && names(&between, 1, gave));
    list("peer/2", &between);
    check_equal(job_list_count(&between), 0);
    rocks_fixture_close(&fixture);
}

static void test_lost_jobs_list__came_back_or_is_open__left_out(void)
{
    struct job_list between;
    struct journal *journal = NULL;
    bool existed = true;
    rocks_fixture_open(&fixture);
    move(VERSION_RELEASED, gave, "b", "d");
    move(VERSION_IMPORTED, took, "a", "e");
    list("peer/1", &between);
    check_equal(job_list_count(&between), 1);
    check(names(&between, 0, took));
    check_status(job_journal_open(fixture.store, JOURNAL_TARGET, took, &journal, &existed, &error),
                 HAUL_OK);
    journal_close(journal);
    list("peer/1", &between);
    check_equal(job_list_count(&between), 0);
    rocks_fixture_close(&fixture);
}

static void test_lost_jobs_look__not_in_the_record__lost(void)
{
    struct job_list lost;
    rocks_fixture_open(&fixture);
    move(VERSION_RELEASED, gave, "b", "d");
    move(VERSION_IMPORTED, took, "k", "m");
    look(&no_hooks, took, &lost);
    check_equal(job_list_count(&lost), 0);
    look(&no_hooks, unknown, &lost);
    check_equal(job_list_count(&lost), 1);
    check(names(&lost, 0, unknown));
    rocks_fixture_close(&fixture);
}

static enum haul_status get_version(void *context, uint64_t *version, struct haul_error *unused)
{
    (void)context;
    (void)unused;
    *version = 1;
    return HAUL_OK;
}

static enum haul_status rebuild(void *context, struct ownership *ownership,
                                struct haul_error *unused)
{
    (void)context;
    (void)unused;
    return lost_jobs_note_rebuilt(ownership, 1);
}

static void test_lost_jobs_look__record_was_rebuilt_or_is_the_embedders__none(void)
{
    static const struct haul_hooks hooks = {.version_get = get_version};
    char path[1024];
    struct job_list lost = {.size_bytes = 1};
    rocks_fixture_open(&fixture);
    move(VERSION_RELEASED, gave, "b", "d");
    look(&hooks, unknown, &lost);
    check_equal(lost.size_bytes, 0);
    check_or_stop(haul_directory_of(fixture.store, path, sizeof(path)));
    check_status(ownership_update(NULL, path, rebuild, NULL, &error), HAUL_OK);
    look(&no_hooks, unknown, &lost);
    check_equal(lost.size_bytes, 0);
    rocks_fixture_close(&fixture);
}

static void test_lost_jobs_check__peer_has_lost_a_part__mismatch_until_it_is_given_again(void)
{
    static const uint8_t again[HAUL_JOB_BYTES] = {4};
    rocks_fixture_open(&fixture);
    move(VERSION_RELEASED, gave, "b", "d");
    note(gave, "peer/2"); /* to which it was not given */
    note(unknown, "peer/1");
    check_status(check_piece("a", "z"), HAUL_OK);
    note(gave, "peer/1");
    check_status(check_piece("c", "z"), HAUL_MISMATCH);
    check(strstr(error.hint, "--accept-loss") != NULL);
    check_status(check_piece("d", "z"), HAUL_OK);
    move(VERSION_IMPORTED, took, "b", "d");
    move(VERSION_RELEASED, again, "b", "d");
    check_status(check_piece("a", "z"), HAUL_OK);
    rocks_fixture_close(&fixture);
}

static void confirm(const uint8_t *id)
{
    struct job_list jobs;
    job_list_take(&jobs, slice_of(id, HAUL_JOB_BYTES));
    check_status(lost_jobs_confirm(fixture.store, &jobs, &error), HAUL_OK);
}

static size_t history_size(void)
{
    struct ownership ownership;
    check_status(config_version_read(fixture.store, &ownership, &error), HAUL_OK);
    size_t count = ownership.job_count;
    ownership_fini(&ownership);
    return count;
}

static void test_lost_jobs_check__ended_before_it_was_confirmed__unconfirmed_until_it_is(void)
{
    rocks_fixture_open(&fixture);
    check_status(lost_jobs_note_unconfirmed(fixture.store, gave, &error), HAUL_OK);
    check_equal(history_size(), 0); /* it gave nothing */
    move(VERSION_RELEASED, gave, "b", "d");
    move(VERSION_IMPORTED, took, "k", "m");
    for (int i = 0; i < 2; i++) {
        check_status(lost_jobs_note_unconfirmed(fixture.store, gave, &error), HAUL_OK);
        check_equal(history_size(), 3);
    }
    check_status(check_piece("c", "z"), HAUL_UNCONFIRMED);
    check(strstr(error.hint, "haul resolve") != NULL &&
          strstr(error.hint, "--accept-loss") != NULL);
    check_status(check_piece("d", "z"), HAUL_OK);
    confirm(took);
    check_status(check_piece("a", "z"), HAUL_UNCONFIRMED);
    confirm(gave);
    check_status(check_piece("a", "z"), HAUL_OK);
    check_equal(history_size(), 2);
    rocks_fixture_close(&fixture);
}

static void test_job_list_take__more_than_fits__the_first(void)
{
    uint8_t ids[JOB_LIST_BYTES_MAX + 2 * HAUL_JOB_BYTES] = {9};
    struct job_list jobs = {.size_bytes = 3};
    job_list_take(&jobs, slice_of(ids, sizeof(ids)));
    check_equal(job_list_count(&jobs), JOB_LIST_COUNT_MAX);
    check(!job_list_add(&jobs, gave));
    job_list_take(&jobs, slice_of(ids, HAUL_JOB_BYTES + 1)); /* half of one does not count */
    check_equal(job_list_count(&jobs), 1);
    check_equal(job_list_at(&jobs, 0)[0], 9);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_lost_jobs_list__gave_and_took__the_newest_first),
    CHECK_TEST(test_lost_jobs_list__came_back_or_is_open__left_out),
    CHECK_TEST(test_lost_jobs_look__not_in_the_record__lost),
    CHECK_TEST(test_lost_jobs_look__record_was_rebuilt_or_is_the_embedders__none),
    CHECK_TEST(test_lost_jobs_check__peer_has_lost_a_part__mismatch_until_it_is_given_again),
    CHECK_TEST(test_lost_jobs_check__ended_before_it_was_confirmed__unconfirmed_until_it_is),
    CHECK_TEST(test_job_list_take__more_than_fits__the_first),
};

CHECK_MAIN("lost_jobs", tests)
