/* SPDX-License-Identifier: Apache-2.0 */
/* test_given_ranges.c — what another database has to own by a record, and what that one takes. */
#include "given_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"
#include "version_record.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1};
static const uint8_t other_job[HAUL_JOB_BYTES] = {2};
static const struct haul_hooks no_hooks;
static struct rocks_fixture fixture;
static struct haul_error error;

static struct haul_slice slice(const char *text)
{
    return slice_of((const uint8_t *)text, strlen(text));
}

static void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = slice(from), .end = slice(to)};
    const struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, fixture.store, &options, 0, &error) == HAUL_OK);
}

static enum haul_status move(enum version_outcome outcome, const uint8_t *id, const char *from,
                             const char *to, const struct ownership *given)
{
    struct plan plan;
    make_plan(&plan, from, to);
    const struct version_move moved = {.outcome = outcome,
                                       .job = id,
                                       .peer = "peer/1",
                                       .plan = &plan,
                                       .new_version = 5,
                                       .epoch = 1,
                                       .given = given,
                                       .records = 10,
                                       .bytes = 100};
    enum haul_status status = version_record_move(fixture.store, &no_hooks, &moved, &error);
    plan_fini(&plan);
    return status;
}

/* Are all of these keys in what Commit names? */
static bool covers(const struct message *message, const char *from, const char *to)
{
    struct plan plan;
    struct ownership given;
    make_plan(&plan, from, to);
    check_or_stop(given_ranges_read(&given, &message->as.commit, &error) == HAUL_OK);
    bool all = given_ranges_cover(&given, &plan);
    ownership_fini(&given);
    plan_fini(&plan);
    return all;
}

static void test_given_ranges_commit__a_part_came_back__names_the_rest(void)
{
    struct message message;
    uint8_t newest[HAUL_JOB_BYTES];
    bool found = true;
    rocks_fixture_open(&fixture);
    check_status(given_ranges_newest(fixture.store, NULL, newest, &found, &error), HAUL_OK);
    check(!found);
    check_status(move(VERSION_RELEASED, job, "b", "y", NULL), HAUL_OK);
    check_status(move(VERSION_IMPORTED, other_job, "k", "m", NULL), HAUL_OK);
    check_status(given_ranges_newest(fixture.store, "peer/1", newest, &found, &error), HAUL_OK);
    check(found && memcmp(newest, job, HAUL_JOB_BYTES) == 0);
    check_status(given_ranges_newest(fixture.store, "peer/2", newest, &found, &error), HAUL_OK);
    check(!found);
    check_status(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_OK);
    check_equal(message.as.commit.epoch, MESSAGE_EPOCH_NONE);
    check_equal(message.as.commit.records, 10);
    check(covers(&message, "b", "k"));
    check(covers(&message, "m", "y"));
    check(!covers(&message, "k", "m"));
    check(!covers(&message, "a", "c"));
    message_release(&message);
    rocks_fixture_close(&fixture);
}

static void test_given_ranges_commit__nothing_is_left__mismatch(void)
{
    struct message message;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "y", NULL), HAUL_OK);
    check_status(given_ranges_commit(fixture.store, job, "peer/2", &message, &error),
                 HAUL_MISMATCH);
    check_status(given_ranges_commit(fixture.store, other_job, "peer/1", &message, &error),
                 HAUL_MISMATCH);
    check_status(move(VERSION_IMPORTED, other_job, "a", "z", NULL), HAUL_OK);
    check_status(given_ranges_commit(fixture.store, job, "peer/1", &message, &error),
                 HAUL_MISMATCH);
    check(strstr(error.hint, "haul verify --to") != NULL);
    rocks_fixture_close(&fixture);
}

/* Ranges of two jobs that are one in the record, after something came: whose is which? */
static void test_given_ranges_commit__merged_with_a_later_job__mismatch(void)
{
    static const uint8_t later_job[HAUL_JOB_BYTES] = {3};
    struct message message;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "m", NULL), HAUL_OK);
    check_status(move(VERSION_RELEASED, later_job, "m", "y", NULL), HAUL_OK);
    check_status(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_OK);
    check(covers(&message, "b", "m"));
    message_release(&message);
    check_status(move(VERSION_IMPORTED, other_job, "z", "zz", NULL), HAUL_OK);
    check_status(given_ranges_commit(fixture.store, job, "peer/1", &message, &error),
                 HAUL_MISMATCH);
    check(strstr(error.text, "does not tell") != NULL);
    check(strstr(error.hint, "it was dropped, what is there is the last: `haul owner --db DIR "
                             "--forget --accept-two-owners` there") != NULL);
    check_status(given_ranges_commit(fixture.store, later_job, "peer/1", &message, &error),
                 HAUL_OK); /* its id is the one that stays */
    message_release(&message);
    rocks_fixture_close(&fixture);
}

/* Each family and each range of the plan has to be there: what is not named is the source's. */
static void test_given_ranges_cover__a_family_is_not_named__not_covered(void)
{
    haul_control_Range range = {.start = message_bytes(slice("b")),
                                .end = message_bytes(slice("y"))};
    haul_control_Given from = {.family = "default", .ranges_count = 1, .ranges = &range};
    const haul_control_Commit commit = {.given_count = 1, .given = &from};
    struct ownership given;
    struct plan plan;
    rocks_fixture_open(&fixture);
    (void)rocks_fixture_family(&fixture, "another");
    make_plan(&plan, "c", "d");
    check_or_stop(plan.family_count == 2);
    for (size_t i = 0; i < 2; i++) { /* either may be the first */
        const struct plan_family first = plan.families[0];
        check_or_stop(given_ranges_read(&given, &commit, &error) == HAUL_OK);
        check(!given_ranges_cover(&given, &plan));
        plan.family_count = 1;
        check_equal(given_ranges_cover(&given, &plan), strcmp(first.family.name, "default") == 0);
        plan.family_count = 2;
        ownership_fini(&given);
        plan.families[0] = plan.families[1];
        plan.families[1] = first;
    }
    plan_fini(&plan);
    free(range.start);
    free(range.end);
    rocks_fixture_close(&fixture);
}

/* What holds for all comes first, wherever it stands: a family that is named has its own. */
static void test_given_ranges_read__all_and_one_family__each_its_own(void)
{
    haul_control_Range range = {.start = message_bytes(slice("b")),
                                .end = message_bytes(slice("y"))};
    const haul_control_Given all = {.ranges_count = 1, .ranges = &range};
    const haul_control_Given one = {.family = "default"};
    struct plan plan;
    rocks_fixture_open(&fixture);
    make_plan(&plan, "c", "d");
    for (int last = 0; last < 2; last++) {
        haul_control_Given from[] = {last ? all : one, last ? one : all};
        const haul_control_Commit commit = {.given_count = 2, .given = from};
        struct ownership given;
        check_or_stop(given_ranges_read(&given, &commit, &error) == HAUL_OK);
        check(!given_ranges_cover(&given, &plan));
        (void)snprintf(plan.families[0].family.name, HAUL_NAME_BYTES_MAX, "another");
        check(given_ranges_cover(&given, &plan));
        (void)snprintf(plan.families[0].family.name, HAUL_NAME_BYTES_MAX, "default");
        ownership_fini(&given);
    }
    plan_fini(&plan);
    free(range.start);
    free(range.end);
    rocks_fixture_close(&fixture);
}

static void test_given_ranges_read__a_range_that_is_none__protocol(void)
{
    struct ownership given;
    haul_control_Range range = {.start = message_bytes(slice("b")),
                                .end = message_bytes(slice("a"))};
    haul_control_Given from = {.family = "default", .ranges_count = 1, .ranges = &range};
    const haul_control_Commit commit = {.given_count = 1, .given = &from};
    check_status(given_ranges_read(&given, &commit, &error), HAUL_PROTOCOL);
    free(range.start);
    free(range.end);
}

/* `family_count` families, with so many ranges each. */
static enum haul_status read_many(size_t family_count, size_t range_count)
{
    struct ownership given;
    haul_control_Given *families = calloc(family_count, sizeof(*families));
    haul_control_Range *ranges = calloc(range_count + 1, sizeof(*ranges));
    check_or_stop(families != NULL && ranges != NULL);
    for (size_t i = 0; i < range_count; i++) {
        const uint8_t start[] = {(uint8_t)(i >> 8), (uint8_t)i, 0};
        const uint8_t end[] = {(uint8_t)(i >> 8), (uint8_t)i, 1};
        ranges[i].start = message_bytes(slice_of(start, sizeof(start)));
        ranges[i].end = message_bytes(slice_of(end, sizeof(end)));
    }
    for (size_t i = 0; i < family_count; i++) {
        families[i].ranges_count = (pb_size_t)range_count;
        families[i].ranges = ranges;
        (void)snprintf(families[i].family, sizeof(families[i].family), "f%zu", i);
    }
    const haul_control_Commit commit = {.given_count = (pb_size_t)family_count, .given = families};
    enum haul_status status = given_ranges_read(&given, &commit, &error);
    if (status == HAUL_OK) {
        ownership_fini(&given);
    }
    for (size_t i = 0; i < range_count; i++) {
        free(ranges[i].start);
        free(ranges[i].end);
    }
    free(ranges);
    free(families);
    return status;
}

/* As many as a source names, and one more. */
static void test_given_ranges_read__more_than_a_source_names__protocol(void)
{
    check_status(read_many(2, 1024), HAUL_OK);
    check_error(read_many(1, 2049), HAUL_PROTOCOL, error);
    check_error(read_many(3, 1024), HAUL_PROTOCOL, error);
    check_status(read_many(512, 4), HAUL_OK);
    check_error(read_many(513, 1), HAUL_PROTOCOL, error);
    check(strstr(error.text, "more than 2048 ranges, or than 512 families") != NULL);
}

/* The target's side: what the source has back is the source's. */
static void test_version_record_move__a_part_is_given__the_rest_is_the_peers(void)
{
    struct message message;
    struct ownership given;
    struct plan plan;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "k", NULL), HAUL_OK);
    check_status(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_OK);
    check_or_stop(given_ranges_read(&given, &message.as.commit, &error) == HAUL_OK);
    check_status(move(VERSION_IMPORTED, other_job, "m", "z", &given), HAUL_MISMATCH);
    check_status(move(VERSION_IMPORTED, other_job, "c", "z", &given), HAUL_OK);
    make_plan(&plan, "c", "k");
    check_status(version_record_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    make_plan(&plan, "k", "l");
    check_status(version_record_check(fixture.store, &no_hooks, &plan, &error), HAUL_MISMATCH);
    plan_fini(&plan);
    ownership_fini(&given);
    message_release(&message);
    rocks_fixture_close(&fixture);
}

/* It got ranges at a version that its counter has not come to: it was set back. */
static void test_version_record_check_peer__older_than_what_it_got__mismatch(void)
{
    struct plan plan;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "k", NULL), HAUL_OK);
    make_plan(&plan, "c", "d");
    plan.old_version = 4;
    check_status(version_record_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                 HAUL_MISMATCH);
    check(strstr(error.text, "got ranges from this one at version 5") != NULL);
    check(strstr(error.hint, "if its record was rebuilt, its copy is newer") != NULL);
    check(strstr(error.hint, "send it again") != NULL); /* it is whole */
    plan.old_version = 5;
    check_status(version_record_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                 HAUL_OK);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

/* Nor has it what went from here to a third database, when it was set back to before that. */
static void test_version_record_check_peer__rest_went_to_another__mismatch_as_well(void)
{
    struct plan plan;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "k", NULL), HAUL_OK);
    make_plan(&plan, "x", "y");
    const struct version_move moved = {.outcome = VERSION_RELEASED,
                                       .job = other_job,
                                       .peer = "peer/2",
                                       .plan = &plan,
                                       .new_version = 6,
                                       .epoch = 1,
                                       .records = 1,
                                       .bytes = 1};
    check_status(version_record_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan.old_version = 4;
    check_status(version_record_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                 HAUL_MISMATCH);
    plan.old_version = 5;
    check_status(version_record_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                 HAUL_OK);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_given_ranges_commit__a_part_came_back__names_the_rest),
    CHECK_TEST(test_given_ranges_commit__nothing_is_left__mismatch),
    CHECK_TEST(test_given_ranges_commit__merged_with_a_later_job__mismatch),
    CHECK_TEST(test_given_ranges_cover__a_family_is_not_named__not_covered),
    CHECK_TEST(test_given_ranges_read__all_and_one_family__each_its_own),
    CHECK_TEST(test_given_ranges_read__a_range_that_is_none__protocol),
    CHECK_TEST(test_given_ranges_read__more_than_a_source_names__protocol),
    CHECK_TEST(test_version_record_move__a_part_is_given__the_rest_is_the_peers),
    CHECK_TEST(test_version_record_check_peer__older_than_what_it_got__mismatch),
    CHECK_TEST(test_version_record_check_peer__rest_went_to_another__mismatch_as_well),
};

CHECK_MAIN("given_ranges", tests)
