/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_place.c — a store stays with the database that it opened, whatever its path names
 * later, and nothing is recorded in another database's folder. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "haul_folder.h"
#include "instance.h"
#include "plan.h"
#include "rocks_fixture.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1, 2, 3};
static struct rocks_fixture fixture;
static struct rocks_fixture other;
static char away[300];
static struct plan plan;
static struct haul_error error;

static void start_empty(void)
{
    struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    memset(&error, 0, sizeof(error));
    rocks_fixture_open(&fixture);
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    (void)snprintf(away, sizeof(away), "%s-away", fixture.path);
}

static void start(void)
{
    start_empty();
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
}

/* Another directory takes its place. */
static void take_the_place(void)
{
    check_or_stop(rename(fixture.path, away) == 0 && mkdir(fixture.path, 0700) == 0);
}

static void put_back(void)
{
    check_or_stop(rmdir(fixture.path) == 0 && rename(away, fixture.path) == 0);
}

static void finish(void)
{
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static enum haul_status move(void)
{
    const struct haul_hooks no_hooks = {.context = NULL};
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = job,
                                      .peer = "the other database",
                                      .plan = &plan,
                                      .new_version = 1,
                                      .epoch = 1};
    return config_version_move(fixture.store, &no_hooks, &move, &error);
}

static void test_rocks_place_check__directory_replaced__not_found_until_it_is_back(void)
{
    start();
    check_status(haul_place_check(fixture.store, &error), HAUL_OK);
    take_the_place();
    check_error(haul_place_check(fixture.store, &error), HAUL_NOT_FOUND, error);
    check(strstr(error.text, "no longer the directory of the database that was opened") != NULL);
    check(strstr(error.hint, "put it back, or run haul again") != NULL);
    put_back();
    check_status(haul_place_check(fixture.store, &error), HAUL_OK);
    finish();
}

static void test_config_version_move__directory_replaced__nothing_is_decided(void)
{
    char name[HAUL_IDENTITY_BYTES_MAX];
    start();
    take_the_place();
    check_status(move(), HAUL_NOT_FOUND);
    check_error(instance_begin(fixture.store, name, &error), HAUL_NOT_FOUND, error);
    instance_note(fixture.store);
    put_back(); /* which removes an empty directory only */
    check_status(move(), HAUL_OK);
    finish();
}

static void test_config_version_move__directory_gone__nothing_is_decided(void)
{
    start();
    check_or_stop(rename(fixture.path, away) == 0);
    check_status(move(), HAUL_NOT_FOUND);
    check(access(fixture.path, F_OK) != 0);
    check_or_stop(rename(away, fixture.path) == 0);
    finish();
}

static void test_store_flush__directory_replaced__writes_nothing_there(void)
{
    start();
    take_the_place();
    check_error(fixture.store->ops->flush(fixture.store, &error), HAUL_NOT_FOUND, error);
    check_error(fixture.store->ops->range_clear(fixture.store, 0, text_slice(""), text_slice(""),
                                                NULL, &error),
                HAUL_NOT_FOUND, error);
    put_back();
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    finish();
}

/* To give its only family options, an empty database is opened anew: at the same place. */
static void test_family_create_like__directory_replaced__opens_nothing_there(void)
{
    struct haul_family family;
    start_empty();
    take_the_place();
    check_error(
        fixture.store->ops->family_create_like(fixture.store, "default", "", &family, &error),
        HAUL_NOT_FOUND, error);
    put_back();
    check_status(
        fixture.store->ops->family_create_like(fixture.store, "default", "", &family, &error),
        HAUL_OK);
    finish();
}

static void test_haul_rocks_store_open__link_switched__stays_with_what_it_opened(void)
{
    char link[300];
    struct haul_store *store = NULL;
    const struct haul_rocks_options options = {.create_if_missing = true};
    rocks_fixture_make_directory(&fixture);
    rocks_fixture_make_directory(&other);
    memset(&error, 0, sizeof(error));
    (void)snprintf(link, sizeof(link), "%s/current", other.path);
    check_or_stop(symlink(fixture.path, link) == 0);
    check_or_stop(haul_rocks_store_open(link, &options, &store, &error) == HAUL_OK);
    check_or_stop(unlink(link) == 0 && symlink(other.path, link) == 0);
    check_text(store->ops->directory(store), fixture.path);
    check_status(haul_place_check(store, &error), HAUL_OK);
    haul_store_close(store);
    check_or_stop(unlink(link) == 0);
    rocks_fixture_close(&other);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_place_check__directory_replaced__not_found_until_it_is_back),
    CHECK_TEST(test_config_version_move__directory_replaced__nothing_is_decided),
    CHECK_TEST(test_config_version_move__directory_gone__nothing_is_decided),
    CHECK_TEST(test_store_flush__directory_replaced__writes_nothing_there),
    CHECK_TEST(test_family_create_like__directory_replaced__opens_nothing_there),
    CHECK_TEST(test_haul_rocks_store_open__link_switched__stays_with_what_it_opened),
};
CHECK_MAIN("rocks_place", tests)
