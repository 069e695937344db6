/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_released.c — which part of a selection was handed over, and what cannot be
 * selected. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "haul/owner.h"
#include "haul_folder.h"
#include "job_journal.h"
#include "key_range.h"
#include "ownership_file.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

enum { FOREIGN_RECORD_COUNT = 5 };

static const struct haul_owner_selection everything;
static struct rocks_fixture fixture;
static struct haul_error error;
static struct haul_owner *owner;

/* "default" has the records a to e, and "back" the same in reverse order. Both are handed over. */
static void start(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {1};
    const struct foreign_database foreign = {.family = "back", .comparator = FOREIGN_REVERSE};
    const struct haul_rocks_options options = {.log = NULL};
    const struct haul_hooks no_hooks = {.context = NULL};
    const struct haul_source_options whole = {.lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    rocks_fixture_make_directory(&fixture);
    rocks_foreign_make(fixture.path, &foreign);
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
    rocks_fixture_put(&fixture, 0, text_slice("b1"), text_slice("value"));
    check_or_stop(plan_make(&plan, fixture.store, &whole, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    const struct version_move moved = {.outcome = VERSION_RELEASED,
                                       .job = job,
                                       .peer = "the other",
                                       .plan = &plan,
                                       .new_version = 1,
                                       .epoch = 1};
    check_status(config_version_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
    owner = NULL;
}

static void finish(void)
{
    haul_owner_free(owner);
    rocks_fixture_close(&fixture);
}

static void test_owner_read_released__everything__each_family_whole(void)
{
    start();
    check_status(haul_owner_read_released(fixture.path, &everything, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 2);
    for (size_t i = 0; i < owner->range_count; i++) {
        check_equal(owner->ranges[i].state, HAUL_OWNER_RELEASED);
        check_equal(owner->ranges[i].range.start.size + owner->ranges[i].range.end.size, 0);
        check_text(owner->ranges[i].peer, "the other");
    }
    finish();
}

/* A database of another kind: only the record lists its families. */
static void test_owner_read_released__no_manifest__what_the_record_names(void)
{
    char path[sizeof(fixture.path) + sizeof("/CURRENT")];
    start();
    fixture.store->ops->close(fixture.store);
    fixture.store = NULL;
    (void)snprintf(path, sizeof(path), "%s/CURRENT", fixture.path);
    check_or_stop(unlink(path) == 0);
    check_status(haul_owner_read_released(fixture.path, &everything, &owner, &error), HAUL_OK);
    check(owner != NULL && owner->range_count >= 2);
    finish();
}

static void test_owner_read_released__a_range__cut_to_it(void)
{
    const char *family = "default";
    const struct haul_range range = {.start = text_slice("b"), .end = text_slice("c")};
    const struct haul_owner_selection part = {
        .families = &family, .family_count = 1, .ranges = &range, .range_count = 1};
    start();
    check_status(haul_owner_read_released(fixture.path, &part, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 1);
    check_text(owner->ranges[0].family, "default");
    check_equal(slice_compare(owner->ranges[0].range.start, range.start), 0);
    check_equal(slice_compare(owner->ranges[0].range.end, range.end), 0);
    finish();
}

static void test_owner_read_released__two_families_asked_for__the_one_that_is_there(void)
{
    const char *const families[] = {"no such", "back"};
    const struct haul_owner_selection other = {.families = families, .family_count = 2};
    start();
    check_status(haul_owner_read_released(fixture.path, &other, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 1);
    check_text(owner->ranges[0].family, "back");
    finish();
}

static void test_owner_read_released__unknown_family__none(void)
{
    const char *family = "no such";
    const struct haul_owner_selection other = {.families = &family, .family_count = 1};
    start();
    check_status(haul_owner_read_released(fixture.path, &other, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 0);
    finish();
}

static void test_owner__range_of_a_reverse_family__unsupported_and_nothing_changes(void)
{
    const struct haul_range ranges[] = {{.start = text_slice("b"), .end = text_slice("c")},
                                        {.start = text_slice("b")},
                                        {.end = text_slice("b")}};
    start();
    for (size_t i = 0; i < CHECK_COUNT(ranges); i++) {
        const struct haul_owner_selection part = {.ranges = &ranges[i], .range_count = 1};
        struct haul_owner_dropped dropped;
        check_error(haul_owner_read_released(fixture.path, &part, &owner, &error), HAUL_UNSUPPORTED,
                    error);
        check_error(haul_owner_drop(fixture.store, &part, &dropped, &error), HAUL_UNSUPPORTED,
                    error);
        check_equal(dropped.ranges, 0);
        check_error(haul_owner_reclaim(fixture.path, &part, true, &error), HAUL_UNSUPPORTED, error);
    }
    check_equal(rocks_fixture_count(&fixture, "back"), FOREIGN_RECORD_COUNT);
    check_status(haul_owner_read_released(fixture.path, &everything, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 2);
    finish();
}

static void test_owner_drop__range_of_the_bytewise_family_alone__exactly_that(void)
{
    const char *family = "default";
    const struct haul_range range = {.start = text_slice("b"), .end = text_slice("c")};
    const struct haul_owner_selection part = {
        .families = &family, .family_count = 1, .ranges = &range, .range_count = 1};
    struct haul_owner_dropped dropped;
    start();
    uint64_t before = rocks_fixture_count(&fixture, "default");
    check_status(haul_owner_drop(fixture.store, &part, &dropped, &error), HAUL_OK);
    check(rocks_fixture_count(&fixture, "default") < before);
    check_equal(rocks_fixture_count(&fixture, "back"), FOREIGN_RECORD_COUNT);
    finish();
}

/* A target that copies, and has received this message. */
static void leave_returning_job(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {2};
    const struct haul_source_options whole = {.lane = HAUL_LANE_WRITE_BATCH};
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    check_or_stop(plan_make(&plan, fixture.store, &whole, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    check_or_stop(job_journal_open(fixture.store, JOURNAL_TARGET, job, &journal, &existed,
                                   &error) == HAUL_OK);
    check_status(job_journal_bind(journal, "the other", "host:1", &error), HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    journal_close(journal);
    plan_fini(&plan);
}

static void test_owner_drop__a_job_brings_it_back__refused_and_all_stays(void)
{
    struct haul_owner_dropped dropped;
    start();
    leave_returning_job();
    uint64_t before = rocks_fixture_count(&fixture, "default");
    check_error(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_EXISTS, error);
    check(strstr(error.text, "target-") != NULL && strstr(error.text, ".journal") != NULL);
    check(strstr(error.text, "brings a part of these ranges back") != NULL);
    check(strstr(error.hint, "`haul recv --db DIR`, and its source continues it") != NULL);
    check_equal(rocks_fixture_count(&fixture, "default"), before);
    check_equal(rocks_fixture_count(&fixture, "back"), FOREIGN_RECORD_COUNT);
    finish();
}

/* The record lists what was handed over, whatever became of the journal. */
static void test_owner_reclaim__a_source_journal_is_damaged__taken_back(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {3};
    const struct haul_source_options whole = {.lane = HAUL_LANE_WRITE_BATCH};
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[1024];
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    start();
    check_or_stop(plan_make(&plan, fixture.store, &whole, 0, &error) == HAUL_OK);
    check_or_stop(job_journal_open(fixture.store, JOURNAL_SOURCE, job, &journal, &existed,
                                   &error) == HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    journal_close(journal);
    plan_fini(&plan);
    journal_name_format(JOURNAL_SOURCE, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    FILE *file = fopen(path, "r+");
    check_or_stop(file != NULL);
    check(fseek(file, 24, SEEK_SET) == 0 && fputs("damage", file) >= 0);
    check_equal(fclose(file), 0);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    check_status(haul_owner_read_released(fixture.path, &everything, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 0);
    finish();
}

/* An ownership_change, as format 1 had it. */
static enum haul_status release_all(void *context, struct ownership *ownership,
                                    struct haul_error *failed)
{
    struct key_range whole;
    (void)context;
    (void)failed;
    check_or_stop(key_range_init(&whole, slice_of(NULL, 0), slice_of(NULL, 0)) == HAUL_OK);
    const struct ownership_move move = {
        .family = "", .ranges = &whole, .range_count = 1, .mark = {.state = OWNERSHIP_RELEASED}};
    enum haul_status status = ownership_put(ownership, &move);
    key_range_fini(&whole);
    return status;
}

/* The record names no family; the job names one, which "all" includes. */
static void test_owner_reclaim__all_families_are_given_away__a_job_of_one_is_met(void)
{
    char directory[512];
    rocks_fixture_open(&fixture);
    check_or_stop(haul_directory_of(fixture.store, directory, sizeof(directory)));
    check_status(
        ownership_update(haul_files_of(fixture.store), directory, release_all, NULL, &error),
        HAUL_OK);
    leave_returning_job();
    check_error(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_EXISTS, error);
    check(strstr(error.text, "target-") != NULL && strstr(error.text, ".journal") != NULL);
    check_status(haul_owner_of_store(fixture.store, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 1);
    check_equal(owner->ranges[0].state, HAUL_OWNER_RELEASED);
    finish();
}

static void test_key_range_check_order__orders__bounds_only_in_that_of_bytes(void)
{
    const struct haul_slice none = {NULL, 0};
    const struct haul_slice key = text_slice("k");
    const char *orders[] = {HAUL_COMPARATOR_REVERSE, "another.Order"};
    check_status(key_range_check_order(key, key, "f", HAUL_COMPARATOR_BYTEWISE, &error), HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(orders); i++) {
        check_status(key_range_check_order(none, none, "f", orders[i], &error), HAUL_OK);
        check_error(key_range_check_order(key, none, "f", orders[i], &error), HAUL_UNSUPPORTED,
                    error);
        check_error(key_range_check_order(none, key, "f", orders[i], &error), HAUL_UNSUPPORTED,
                    error);
        check(error.hint[0] != '\0');
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_read_released__everything__each_family_whole),
    CHECK_TEST(test_owner_read_released__no_manifest__what_the_record_names),
    CHECK_TEST(test_owner_read_released__a_range__cut_to_it),
    CHECK_TEST(test_owner_read_released__two_families_asked_for__the_one_that_is_there),
    CHECK_TEST(test_owner_read_released__unknown_family__none),
    CHECK_TEST(test_owner__range_of_a_reverse_family__unsupported_and_nothing_changes),
    CHECK_TEST(test_owner_drop__range_of_the_bytewise_family_alone__exactly_that),
    CHECK_TEST(test_owner_drop__a_job_brings_it_back__refused_and_all_stays),
    CHECK_TEST(test_owner_reclaim__a_source_journal_is_damaged__taken_back),
    CHECK_TEST(test_owner_reclaim__all_families_are_given_away__a_job_of_one_is_met),
    CHECK_TEST(test_key_range_check_order__orders__bounds_only_in_that_of_bytes),
};

CHECK_MAIN("owner_released", tests)
