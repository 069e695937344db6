/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_failures.c — what is read of a closed database, its own files and haul's: each
 * allocation fails in turn, and paths are too long. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "closed_database.h"
#include "config_version.h"
#include "failing_memory.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "instance.h"
#include "left_job.h"
#include "log_links.h"
#include "manifest.h"
#include "rocks_fixture.h"
#include "store_look.h"

static const uint8_t gave[HAUL_JOB_BYTES] = {1};
static const uint8_t copying[HAUL_JOB_BYTES] = {2};
static const struct haul_owner_selection everything;
static struct rocks_fixture fixture;
static struct haul_error error;
static const char *database; /* what the calls are about */

/* --- a database with two jobs ----------------------------------------------------------------- */

/* b..d is handed over, and a job of k..l copies; the records are in a table and in the log. */
static void start(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"k", 1},
                                            .end = {(const uint8_t *)"l", 1}};
    const struct haul_range given = {.start = text_slice("b"), .end = text_slice("d")};
    char name[HAUL_IDENTITY_BYTES_MAX];
    struct plan plan;
    rocks_fixture_open(&fixture);
    struct haul_source_options options = {
        .store = fixture.store, .ranges = &range, .range_count = 1, .to = "host:1"};
    const struct haul_source_options handed = {.ranges = &given, .range_count = 1};
    rocks_fixture_fill(&fixture, rocks_fixture_family(&fixture, "one"), "b", 50, 100);
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    rocks_fixture_fill(&fixture, 0, "c", 50, 100);
    check_status(instance_begin(fixture.store, name, &error), HAUL_OK);
    left_job_make(&options, copying, "the target", false);
    check_or_stop(plan_make(&plan, fixture.store, &handed, 0, &error) == HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = gave,
                                      .peer = "peer/1",
                                      .plan = &plan,
                                      .new_version = 5,
                                      .epoch = 1};
    check_status(config_version_move(fixture.store, &options.hooks, &move, &error), HAUL_OK);
    plan_fini(&plan);
    database = fixture.path;
}

/* --- the calls -------------------------------------------------------------------------------- */

static enum haul_status list_jobs(void)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    enum haul_status status = haul_jobs_list(database, &jobs, &count, &error);
    check(status != HAUL_OK || (count == 1 && jobs[0].condition == HAUL_JOB_SOUND &&
                                memcmp(jobs[0].id, copying, HAUL_JOB_BYTES) == 0));
    free(jobs);
    return status;
}

static enum haul_status read_owner(void)
{
    struct haul_owner *owner = NULL;
    enum haul_status status = haul_owner_read(database, &owner, &error);
    check(status != HAUL_OK || (owner->config_version == 5 && owner->range_count > 0 &&
                                owner->job_count == 1 && owner->origin == HAUL_OWNER_SAME));
    haul_owner_free(owner);
    return status;
}

static enum haul_status read_released(void)
{
    const struct haul_range range = {.start = text_slice("c"), .end = text_slice("z")};
    const char *const families[] = {"one", "default"};
    const struct haul_owner_selection selection = {
        .families = families, .family_count = 2, .ranges = &range, .range_count = 1};
    struct haul_owner *owner = NULL;
    enum haul_status status = haul_owner_read_released(database, &selection, &owner, &error);
    check(status != HAUL_OK || owner->range_count == 2);
    haul_owner_free(owner);
    return status;
}

/* Refused before anything is changed. */
static enum haul_status is_refused(enum haul_status status)
{
    return status == HAUL_UNCONFIRMED ? HAUL_OK : status;
}

static enum haul_status reclaim(void)
{
    return is_refused(haul_owner_reclaim(database, &everything, false, &error));
}

static enum haul_status forget(void)
{
    return is_refused(haul_owner_forget(database, false, &error));
}

static enum haul_status rebuild(void)
{
    enum haul_status status = haul_owner_rebuild(database, false, &error);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it is not damaged */
}

static enum haul_status look_closed(void)
{
    struct closed_database closed;
    return closed_database_look(database, true, &closed, &error);
}

static enum haul_status look_store(void)
{
    struct store_look look;
    const struct store_look_options options = {.directory = database, .with_log = true};
    enum haul_status status = store_look_open(&options, &look, &error);
    if (status == HAUL_OK) {
        check(look.has_identity && look.missing_table == 0 && look.cut_table == 0);
        check(look.manifest.family_count == 2 && look.log.file_count > 0);
    }
    store_look_close(&look);
    return status;
}

static enum haul_status read_manifest(void)
{
    struct manifest manifest;
    char path[4096];
    enum haul_status status = manifest_read(database, &manifest, path, sizeof(path), &error);
    if (status == HAUL_OK) {
        check_equal(manifest.family_count, 2);
        manifest_fini(&manifest);
    }
    return status;
}

static enum haul_status read_options(void)
{
    struct stored_options options;
    enum haul_status status = stored_options_read(database, &options, &error);
    if (status == HAUL_OK) {
        check_equal(options.family_count, 2);
        stored_options_fini(&options);
    }
    return status;
}

static const struct {
    const char *name;
    enum haul_status (*act)(void);
    bool guesses;  /* what cannot be looked at for want of memory counts as unknown */
    bool ends_far; /* a path that is too long is that of a database without these files */
} calls[] = {
    {"haul_jobs_list", list_jobs, true, false},
    {"haul_owner_read", read_owner, true, false},
    {"haul_owner_read_released", read_released, true, false},
    {"haul_owner_reclaim", reclaim, true, false},
    {"haul_owner_forget", forget, true, false},
    {"haul_owner_rebuild", rebuild, true, false},
    {"closed_database_look", look_closed, true, false},
    {"store_look_open", look_store, false, true},
    {"manifest_read", read_manifest, false, false},
    {"stored_options_read", read_options, false, true},
};

static void check_named(bool sound, const char *name, unsigned at, enum haul_status status)
{
    if (!sound) {
        (void)printf("  %s, allocation %u: %s, %s\n", name, at, haul_status_name(status),
                     error.text);
    }
    check(sound);
}

static void test_closed_database__nth_allocation_fails__no_memory(void)
{
    start();
    for (size_t i = 0; i < CHECK_COUNT(calls); i++) {
        unsigned at = 1;
        bool failed = true;
        check_status(calls[i].act(), HAUL_OK);
        for (; failed; at++) {
            check_or_stop(at < 2000);
            memset(&error, 0, sizeof(error));
            failing_memory_fail(at);
            enum haul_status status = calls[i].act();
            failed = failing_memory_failed();
            check_named(status == (failed ? HAUL_NO_MEMORY : HAUL_OK) ||
                            (status == HAUL_OK && calls[i].guesses),
                        calls[i].name, at, status);
            check_named(status == HAUL_OK || (error.status == status && error.text[0] != '\0'),
                        calls[i].name, at, status);
        }
        check(at > 2);
    }
    rocks_fixture_close(&fixture);
}

static void test_closed_database__path_too_long__told(void)
{
    static char endless[5000];
    memset(endless, 'p', sizeof(endless) - 1);
    endless[0] = '/';
    for (size_t i = 0; i < CHECK_COUNT(calls); i++) {
        database = endless;
        memset(&error, 0, sizeof(error));
        enum haul_status status = calls[i].act();
        check_named(status != HAUL_OK || calls[i].ends_far, calls[i].name, 0, status);
        check_named(status == HAUL_OK || (error.status == status && error.text[0] != '\0'),
                    calls[i].name, 0, status);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_closed_database__nth_allocation_fails__no_memory),
    CHECK_TEST(test_closed_database__path_too_long__told),
};
CHECK_MAIN("owner_failures", tests)
