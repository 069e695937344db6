/* SPDX-License-Identifier: Apache-2.0 */
/* test_given_ranges.c — what another database must own by a record, and what that database
 * accepts. */
#include "given_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_version.h"
#include "haul_folder.h"
#include "ownership_file.h"
#include "rocks_fixture.h"

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
    enum haul_status status = config_version_move(fixture.store, &no_hooks, &moved, &error);
    plan_fini(&plan);
    return status;
}

/* Whether Commit names all of these keys. */
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
    check_error(given_ranges_commit(fixture.store, job, "peer/2", &message, &error), HAUL_MISMATCH,
                error);
    check_error(given_ranges_commit(fixture.store, other_job, "peer/1", &message, &error),
                HAUL_MISMATCH, error);
    check_status(move(VERSION_IMPORTED, other_job, "a", "z", NULL), HAUL_OK);
    check_error(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_MISMATCH,
                error);
    check(strstr(error.hint, "haul verify --to") != NULL);
    rocks_fixture_close(&fixture);
}

/* Two jobs' ranges that merged in the record after something came back: each belongs to which
 * job? */
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
    check_error(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_MISMATCH,
                error);
    check(strstr(error.text, "does not show") != NULL);
    check(strstr(error.hint, "if it was dropped, the last copy is there: `haul owner --db DIR "
                             "--forget --accept-two-owners` there") != NULL);
    check_status(given_ranges_commit(fixture.store, later_job, "peer/1", &message, &error),
                 HAUL_OK); /* its id stays */
    message_release(&message);
    rocks_fixture_close(&fixture);
}

/* Each family and each range of the plan must be there: the source owns what is not named. */
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
    for (size_t i = 0; i < 2; i++) { /* either may come first */
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

/* Ranges for all families come first, wherever they stand: a named family has its own. */
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
    check_error(given_ranges_read(&given, &commit, &error), HAUL_PROTOCOL, error);
    free(range.start);
    free(range.end);
}

/* `family_count` families, with this many ranges each. */
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

/* An ownership_change: 2049 ranges that do not touch, all the peer's by the job. */
static enum haul_status give_many(void *context, struct ownership *ownership,
                                  struct haul_error *failed)
{
    struct ownership_move put = {
        .family = "default", .range_count = 1, .mark = {.state = OWNERSHIP_RELEASED}};
    (void)context;
    (void)failed;
    memcpy(put.mark.job, job, HAUL_JOB_BYTES);
    check_or_stop(ownership_peer(ownership, "peer/1", &put.mark.peer) == HAUL_OK);
    for (unsigned i = 0; i < 2049; i++) {
        const uint8_t start[] = {(uint8_t)(i >> 8), (uint8_t)i, 0};
        const uint8_t end[] = {(uint8_t)(i >> 8), (uint8_t)i, 1};
        struct key_range range;
        check_or_stop(key_range_init(&range, slice_of(start, 3), slice_of(end, 3)) == HAUL_OK);
        put.ranges = &range;
        check_or_stop(ownership_put(ownership, &put) == HAUL_OK);
        key_range_fini(&range);
    }
    return HAUL_OK;
}

static void test_given_ranges_commit__more_ranges_than_a_message_holds__the_way_by_hand(void)
{
    char directory[512];
    struct message message;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "y", NULL), HAUL_OK);
    check_or_stop(haul_directory_of(fixture.store, directory, sizeof(directory)));
    check_status(ownership_update(NULL, directory, give_many, NULL, &error), HAUL_OK);
    check_error(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_LIMIT,
                error);
    check(strstr(error.hint, "--reclaim") != NULL && strstr(error.hint, "--forget") != NULL);
    rocks_fixture_close(&fixture);
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

/* On the target: the source owns what it has back. */
static void test_config_version_move__a_part_is_given__the_rest_is_the_peers(void)
{
    struct message message;
    struct ownership given;
    struct plan plan;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "k", NULL), HAUL_OK);
    check_status(given_ranges_commit(fixture.store, job, "peer/1", &message, &error), HAUL_OK);
    check_or_stop(given_ranges_read(&given, &message.as.commit, &error) == HAUL_OK);
    check_status(move(VERSION_IMPORTED, other_job, "m", "z", &given), HAUL_MISMATCH);
    check(strstr(error.hint, "compare (`haul verify --to` on the source)") != NULL);
    check_status(move(VERSION_IMPORTED, other_job, "c", "z", &given), HAUL_OK);
    make_plan(&plan, "c", "k");
    check_status(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    make_plan(&plan, "k", "l");
    check_error(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_MISMATCH,
                error);
    plan_fini(&plan);
    ownership_fini(&given);
    message_release(&message);
    rocks_fixture_close(&fixture);
}

/* The target got ranges at a version that its counter has not reached: it was set back. */
static void test_config_version_check_peer__older_than_what_it_got__mismatch(void)
{
    struct plan plan;
    rocks_fixture_open(&fixture);
    check_status(move(VERSION_RELEASED, job, "b", "k", NULL), HAUL_OK);
    make_plan(&plan, "c", "d");
    plan.old_version = 4;
    check_error(config_version_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                HAUL_MISMATCH, error);
    check(strstr(error.text, "got ranges from this one at version 5") != NULL);
    check(strstr(error.hint, "if its record was rebuilt, its copy is newer") != NULL);
    check(strstr(error.hint, "send it again") != NULL); /* the record is complete */
    plan.old_version = 5;
    check_status(config_version_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                 HAUL_OK);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

/* Set back to before that, it does not own either what went from here to a third database. */
static void test_config_version_check_peer__rest_went_to_another__mismatch_as_well(void)
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
    check_status(config_version_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan.old_version = 4;
    check_error(config_version_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
                HAUL_MISMATCH, error);
    plan.old_version = 5;
    check_status(config_version_check_peer(fixture.store, &no_hooks, "peer/1", &plan, &error),
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
    CHECK_TEST(test_given_ranges_commit__more_ranges_than_a_message_holds__the_way_by_hand),
    CHECK_TEST(test_config_version_move__a_part_is_given__the_rest_is_the_peers),
    CHECK_TEST(test_config_version_check_peer__older_than_what_it_got__mismatch),
    CHECK_TEST(test_config_version_check_peer__rest_went_to_another__mismatch_as_well),
};

CHECK_MAIN("given_ranges", tests)
