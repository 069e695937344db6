/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner.c — an operator's actions on the ownership record: read it, take ranges back, forget,
 * rebuild a damaged one, and end jobs whose other side is lost. */
#include "haul/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "haul/job.h"
#include "haul_folder.h"
#include "job_journal.h"
#include "owner_change.h"
#include "owner_copy.h"
#include "owner_fixture.h"
#include "ownership_file.h"
#include "rocks_fixture.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void test_owner_read__never_used__owns_everything(void)
{
    struct haul_owner *owner = NULL;
    start();
    check_status(haul_owner_read(fixture.path, &owner, &error), HAUL_OK);
    check_text(owner->identity, "");
    check_equal(owner->range_count, 0);
    check_equal(owner->job_count, 0);
    haul_owner_free(owner);
    check_status(haul_owner_read("/no/such/directory", &owner, &error), HAUL_NOT_FOUND);
    finish();
}

static void test_owner_read__moved__ranges_peers_and_history(void)
{
    struct haul_owner *owner = NULL;
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(haul_owner_read(fixture.path, &owner, &error), HAUL_OK);
    check_equal(owner->range_count, 1);
    check_text(owner->ranges[0].family, "default");
    check_text(owner->ranges[0].peer, "the other");
    check_equal(owner->ranges[0].state, HAUL_OWNER_RELEASED);
    check(slice_compare(owner->ranges[0].range.start, text_slice("b")) == 0);
    check(memcmp(owner->ranges[0].job, job, sizeof(job)) == 0);
    check_equal(owner->job_count, 1);
    check_equal(owner->jobs[0].act, HAUL_OWNER_GAVE);
    check_equal(owner->jobs[0].records, RECORD_COUNT);
    check_text(owner->identity, fixture.store->ops->identity(fixture.store));
    haul_owner_free(owner);
    check_equal(state_of("a", "b"), HAUL_OWNER_OWN);
    check_equal(state_of("a", "d"), HAUL_OWNER_RELEASED);
    finish();
}

/* --- taking back ------------------------------------------------------------------------------ */

static void test_owner_reclaim__unconfirmed__the_risk_and_unchanged(void)
{
    start();
    move(VERSION_RELEASED, "b", "c");
    check_error(haul_owner_reclaim(fixture.path, &everything, false, &error), HAUL_UNCONFIRMED,
                error);
    check(strstr(error.text, "the other") != NULL);
    check(strstr(error.hint, "records that `haul drop` has deleted here do not come back") != NULL);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    finish();
}

static void test_owner_reclaim__a_part__only_that(void)
{
    const struct haul_range range = {.start = text_slice("b5"), .end = text_slice("z")};
    const struct haul_owner_selection part = {.ranges = &range, .range_count = 1};
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(haul_owner_reclaim(fixture.path, &part, true, &error), HAUL_OK);
    check_equal(state_of("b", "b5"), HAUL_OWNER_RELEASED);
    check_equal(state_of("b5", "c"), HAUL_OWNER_OWN);
    check_status(haul_owner_reclaim(fixture.path, &part, true, &error), HAUL_NOT_FOUND);
    check(strstr(error.hint, "`haul owner --db DIR` lists those that were") != NULL);
    finish();
}

static void test_owner_reclaim__decided_and_not_confirmed__the_job_ends(void)
{
    start();
    leave_decided();
    check_equal(job_count(), 1);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check_equal(state_of("a", "z"), HAUL_OWNER_OWN);
    finish();
}

/* The target may own the rest, and must be informed. */
static void test_owner_reclaim__a_part_of_a_decided_job__the_job_stays(void)
{
    const struct haul_range range = {.start = text_slice("b5"), .end = text_slice("z")};
    const struct haul_owner_selection part = {.ranges = &range, .range_count = 1};
    start();
    leave_decided();
    check_status(haul_owner_reclaim(fixture.path, &part, true, &error), HAUL_OK);
    check_equal(job_count(), 1);
    check_equal(state_of("b", "b5"), HAUL_OWNER_RELEASED);
    finish();
}

static void test_owner_reclaim__a_source_runs__busy_when_it_meets_a_piece(void)
{
    for (int meets = 0; meets < 2; meets++) {
        start();
        struct journal *journal = make_journal(JOURNAL_SOURCE, meets == 1 ? "b5" : "c", "d");
        move_as(other_job, VERSION_RELEASED, "b", "c");
        check_status(haul_owner_reclaim(fixture.path, &everything, true, &error),
                     meets == 1 ? HAUL_BUSY : HAUL_OK);
        check_equal(state_of("b", "c"), meets == 1 ? HAUL_OWNER_RELEASED : HAUL_OWNER_OWN);
        journal_close(journal);
        finish();
    }
}

/* The first lock is the record's: another job decides just before it. */
static int decide_and_lock(void *context, int fd, int operation)
{
    static bool decided;
    if (!decided) {
        decided = true;
        move_as(other_job, VERSION_RELEASED, "c", "d");
    }
    return file_calls_system.flock(context, fd, operation);
}

static void test_owner_reclaim__a_job_decides_behind_the_question__busy(void)
{
    char directory[1024];
    struct file_calls calls = file_calls_system;
    start();
    calls.flock = decide_and_lock;
    move(VERSION_RELEASED, "b", "c");
    check(haul_directory_of(fixture.store, directory, sizeof(directory)));
    check_error(owner_reclaim(&calls, directory, &everything, true, &error), HAUL_BUSY, error);
    check(strstr(error.hint, "look at `haul owner --db DIR`, and try again") != NULL);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_equal(state_of("c", "d"), HAUL_OWNER_RELEASED);
    check_status(owner_reclaim(&calls, directory, &everything, true, &error), HAUL_OK);
    check_equal(state_of("b", "d"), HAUL_OWNER_OWN);
    finish();
}

/* Its target has not confirmed it; when nothing of the job is given away any more, it is over. */
static void test_owner_reclaim__decided_job_in_two_parts__ends_with_the_last(void)
{
    static const struct haul_range parts[] = {
        {.start = {(const uint8_t *)"b", 1}, .end = {(const uint8_t *)"b5", 2}},
        {.start = {(const uint8_t *)"b5", 2}, .end = {(const uint8_t *)"c", 1}}};
    start();
    leave_decided();
    for (size_t i = 0; i < CHECK_COUNT(parts); i++) {
        const struct haul_owner_selection part = {.ranges = &parts[i], .range_count = 1};
        check_equal(job_count(), 1);
        check_status(haul_owner_reclaim(fixture.path, &part, true, &error), HAUL_OK);
    }
    check_equal(job_count(), 0);
    check_equal(state_of("b", "c"), HAUL_OWNER_OWN);
    finish();
}

static void test_owner_reclaim__a_target_waits_for_its_plan__busy(void)
{
    struct journal *journal = NULL;
    bool existed = false;
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(job_journal_open(fixture.store, JOURNAL_TARGET, job, &journal, &existed, &error),
                 HAUL_OK);
    check_error(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_BUSY, error);
    check(strstr(error.hint, "wait for its end, or stop it") != NULL);
    journal_close(journal);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    finish();
}

/* The ranges that it brings here are unknown. */
static void test_owner_reclaim__a_target_journal_is_damaged__corrupt_and_the_way_out(void)
{
    start();
    move(VERSION_RELEASED, "b", "c");
    leave_prepared();
    damage_journal(JOURNAL_TARGET);
    check_error(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_CORRUPT, error);
    check(strstr(error.hint, "haul cancel") != NULL);
    check(strstr(error.hint, "--accept-two-owners` moves the journal aside") != NULL);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    finish();
}

/* --- forgetting ------------------------------------------------------------------------------- */

static void test_owner_forget__handed_over_or_brought__unconfirmed(void)
{
    for (int jobs = 0; jobs < 3; jobs++) {
        start();
        jobs == 0   ? move(VERSION_RELEASED, "b", "c")
        : jobs == 1 ? leave_prepared()
                    : journal_close(make_journal(JOURNAL_TARGET, "c", "d"));
        check_error(haul_owner_forget(fixture.path, false, &error), HAUL_UNCONFIRMED, error);
        check(strstr(error.hint, "--accept-two-owners") != NULL);
        check_equal(strstr(error.hint, "haul cancel --db DIR") != NULL, jobs == 2);
        check_equal(job_count(), jobs > 0);
        check_status(haul_owner_forget(fixture.path, true, &error), HAUL_OK);
        check_equal(job_count(), 0);
        check_equal(state_of("a", "z"), HAUL_OWNER_OWN);
        finish();
    }
}

static void test_owner_forget__only_taken_over_and_sending__without_a_word(void)
{
    start();
    move(VERSION_IMPORTED, "b", "c");
    journal_close(make_journal(JOURNAL_SOURCE, "c", "d"));
    check_status(haul_owner_forget(fixture.path, false, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check_equal(state_of("b", "c"), HAUL_OWNER_OWN);
    finish();
}

static void test_owner_forget__a_process_runs_a_job__busy(void)
{
    start();
    struct journal *journal = make_journal(JOURNAL_TARGET, "c", "d");
    check_error(haul_owner_forget(fixture.path, true, &error), HAUL_BUSY, error);
    journal_close(journal);
    check_equal(job_count(), 1);
    finish();
}

static void test_owner_forget__the_second_job_runs__busy_and_the_first_stays(void)
{
    struct journal *journal = NULL;
    bool existed = false;
    start();
    leave_prepared();
    check_status(
        job_journal_open(fixture.store, JOURNAL_TARGET, other_job, &journal, &existed, &error),
        HAUL_OK);
    check_error(haul_owner_forget(fixture.path, true, &error), HAUL_BUSY, error);
    check_equal(job_count(), 2);
    journal_close(journal);
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    finish();
}

/* A change based on an earlier read would restore it. */
static void test_owner_forget__the_record_is_being_changed__busy_and_unchanged(void)
{
    char directory[1024];
    struct file_calls calls = file_calls_system;
    int lock_fd = -1;
    start();
    calls.pause = do_not_pause;
    move(VERSION_RELEASED, "b", "c");
    check(haul_directory_of(fixture.store, directory, sizeof(directory)));
    const struct instance_place place = {
        .calls = &calls, .directory = directory, .identity = "", .sequence = UINT64_MAX};
    check_status(ownership_lock(NULL, directory, &lock_fd, &error), HAUL_OK);
    check_error(owner_forget(&place, true, &error), HAUL_BUSY, error);
    ownership_unlock(NULL, lock_fd);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_status(owner_forget(&place, true, &error), HAUL_OK);
    check_equal(state_of("b", "c"), HAUL_OWNER_OWN);
    finish();
}

/* --- a damaged record ------------------------------------------------------------------------- */

static void test_owner_rebuild__damaged__what_the_journals_tell(void)
{
    struct haul_owner *owner = NULL;
    start();
    leave_decided();
    struct journal *journal = NULL;
    check_status(job_journal_open_existing(fixture.store, JOURNAL_SOURCE, job, &journal, &error),
                 HAUL_OK);
    append(journal,
           &(struct journal_record){.type = JOURNAL_DECISION,
                                    .decision = {.commit = true, .new_version = 7, .epoch = 1}});
    journal_close(journal);
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_NOT_FOUND);
    damage("ownership");
    check_error(haul_owner_read(fixture.path, &owner, &error), HAUL_CORRUPT, error);
    check(strstr(error.hint, "`haul owner --db DIR --rebuild` makes a new one") != NULL);
    check_error(haul_owner_rebuild(fixture.path, false, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.hint, "from a backup that is not older than the last hand-over") != NULL);
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_OK);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_equal(state_of("c", "d"), HAUL_OWNER_OWN);
    check_status(haul_owner_read(fixture.path, &owner, &error), HAUL_OK);
    check_equal(owner->config_version, 7);
    haul_owner_free(owner);
    finish();
}

/* Only the record knew of the decision: the database does not own what the other may own. */
static void test_owner_rebuild__a_source_was_frozen__released_and_not_decided(void)
{
    bool moved = true;
    uint64_t new_version = 0;
    start();
    leave_decided();
    damage("ownership");
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_OK);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_equal(state_of("c", "d"), HAUL_OWNER_OWN);
    check_status(config_version_released(fixture.store, job, &moved, &new_version, &error),
                 HAUL_OK);
    check(!moved);
    check_error(haul_owner_reclaim(fixture.path, &everything, false, &error), HAUL_UNCONFIRMED,
                error);
    check(strstr(error.text, "the other") != NULL);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    finish();
}

static void test_owner_rebuild__a_journal_is_damaged_too__corrupt_until_it_is_aside(void)
{
    struct haul_job left;
    start();
    leave_decided();
    damage("ownership");
    damage_journal(JOURNAL_SOURCE);
    check_error(haul_owner_rebuild(fixture.path, true, &error), HAUL_CORRUPT, error);
    check(strstr(error.hint, "haul cancel") != NULL);
    check(strstr(error.hint, "look at the other side's `haul status`") != NULL);
    check_equal(list_jobs(&left), 1);
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_OK);
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_OK);
    finish();
}

/* --- jobs whose other side is lost ------------------------------------------------------------ */

static void test_job_force_give_up__prepared__only_with_the_risk_accepted(void)
{
    struct haul_job left;
    start();
    leave_prepared();
    check_equal(list_jobs(&left), 1);
    check_text(left.peer, "the other");
    check_error(haul_job_give_up(fixture.store, &left, &error), HAUL_IN_DOUBT, error);
    check(strstr(error.hint,
                 "its ownership record shows which: run `haul resolve` on the source") != NULL);
    check_error(haul_job_force_give_up(fixture.store, &left, false, &error), HAUL_UNCONFIRMED,
                error);
    check(strstr(error.hint, "when the source is lost for good") != NULL);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check_equal(rocks_fixture_count(&fixture, "default"), 2 * RECORD_COUNT);
    finish();
}

static void test_job_force_give_up__damaged_journal__moved_aside(void)
{
    struct haul_job left;
    char staging[512];
    char table[600];
    start();
    leave_prepared();
    damage_journal(JOURNAL_TARGET);
    (void)snprintf(staging, sizeof(staging), "%s/haul/staging", fixture.path);
    check_equal(list_jobs(&left), 1);
    (void)snprintf(table, sizeof(table), "%s/", staging);
    for (size_t k = 0; k < HAUL_JOB_BYTES; k++) {
        (void)snprintf(table + strlen(table), 3, "%02x", left.id[k]);
    }
    (void)snprintf(table + strlen(table), 16, "-0-1.sst");
    check(mkdir(staging, 0755) == 0);
    FILE *file = fopen(table, "we");
    check(file != NULL && fclose(file) == 0);
    check_equal(left.condition, HAUL_JOB_DAMAGED);
    check_error(haul_job_force_give_up(fixture.store, &left, false, &error), HAUL_UNCONFIRMED,
                error);
    check(strstr(error.hint, "moves the journal aside; what it received stays") != NULL);
    check_equal(job_count(), 1);
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check(access(staging, F_OK) != 0);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    finish();
}

static void test_job_force_give_up__damaged_and_decided__the_record_is_asked(void)
{
    struct haul_job left;
    start();
    leave_decided();
    damage_journal(JOURNAL_SOURCE);
    check_equal(list_jobs(&left), 1);
    check_error(haul_job_force_give_up(fixture.store, &left, false, &error), HAUL_UNCONFIRMED,
                error);
    check(strstr(error.text, "was decided") != NULL && strstr(error.text, "--reclaim") != NULL);
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    finish();
}

static void test_job_force_give_up__source_has_decided__in_doubt_and_the_way_out(void)
{
    struct haul_job left;
    start();
    leave_decided();
    check_equal(list_jobs(&left), 1);
    check_error(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_IN_DOUBT, error);
    check(strstr(error.hint, "--reclaim") != NULL);
    check_equal(job_count(), 1);
    finish();
}

static void test_job_end_decided__risk_accepted__over_and_still_released(void)
{
    struct haul_job left;
    start();
    leave_decided();
    check_equal(list_jobs(&left), 1);
    check_error(haul_job_end_decided(fixture.store, &left, false, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.hint, "shows that it does, or its record was lost") != NULL);
    check_equal(job_count(), 1);
    check_status(haul_job_end_decided(fixture.store, &left, true, &error), HAUL_OK);
    check_equal(job_count() + (state_of("b", "c") != HAUL_OWNER_RELEASED), 0);
    finish();
}

/* --- copies ----------------------------------------------------------------------------------- */

static enum haul_owner_origin origin(void)
{
    struct haul_owner *owner = NULL;
    check_status(haul_owner_read(fixture.path, &owner, &error), HAUL_OK);
    enum haul_owner_origin found = owner->origin;
    haul_owner_free(owner);
    return found;
}

static void test_job__of_a_copy__never_acted_on(void)
{
    struct haul_job left;
    start();
    leave_prepared();
    check_equal(origin(), HAUL_OWNER_SAME);
    copy_journal(JOURNAL_TARGET);
    check_equal(origin(), HAUL_OWNER_COPY);
    check_equal(list_jobs(&left), 1);
    check_equal(left.condition, HAUL_JOB_FOREIGN);
    check_error(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_MISMATCH, error);
    check(strstr(error.hint, "--forget") != NULL && strstr(error.hint, "--adopt") != NULL);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    finish();
}

static void test_owner_adopt__moved__its_jobs_can_go_on(void)
{
    struct haul_job left;
    start();
    check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_NOT_FOUND);
    leave_prepared();
    check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_NOT_FOUND);
    copy_journal(JOURNAL_TARGET);
    check_error(haul_owner_adopt(fixture.path, false, &error), HAUL_UNCONFIRMED, error);
    check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_OK);
    check_equal(list_jobs(&left), 1);
    check_equal(left.condition, HAUL_JOB_SOUND);
    check_equal(origin(), HAUL_OWNER_SAME);
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_OK);
    finish();
}

static void test_source_check__jobs_of_a_copy__refused_by_name(void)
{
    struct haul_source_options options = {.to = "127.0.0.1:7447"};
    start();
    leave_decided();
    copy_journal(JOURNAL_SOURCE);
    options.store = fixture.store;
    check_error(haul_source_check(&options, &error), HAUL_MISMATCH, error);
    check(strstr(error.text, "source-010203") != NULL);
    check_equal(job_count(), 1);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_job__of_a_copy__never_acted_on),
    CHECK_TEST(test_owner_adopt__moved__its_jobs_can_go_on),
    CHECK_TEST(test_source_check__jobs_of_a_copy__refused_by_name),
    CHECK_TEST(test_owner_read__never_used__owns_everything),
    CHECK_TEST(test_owner_read__moved__ranges_peers_and_history),
    CHECK_TEST(test_owner_reclaim__unconfirmed__the_risk_and_unchanged),
    CHECK_TEST(test_owner_reclaim__a_part__only_that),
    CHECK_TEST(test_owner_reclaim__decided_and_not_confirmed__the_job_ends),
    CHECK_TEST(test_owner_reclaim__a_part_of_a_decided_job__the_job_stays),
    CHECK_TEST(test_owner_reclaim__a_source_runs__busy_when_it_meets_a_piece),
    CHECK_TEST(test_owner_reclaim__a_job_decides_behind_the_question__busy),
    CHECK_TEST(test_owner_reclaim__decided_job_in_two_parts__ends_with_the_last),
    CHECK_TEST(test_owner_reclaim__a_target_waits_for_its_plan__busy),
    CHECK_TEST(test_owner_reclaim__a_target_journal_is_damaged__corrupt_and_the_way_out),
    CHECK_TEST(test_owner_forget__handed_over_or_brought__unconfirmed),
    CHECK_TEST(test_owner_forget__only_taken_over_and_sending__without_a_word),
    CHECK_TEST(test_owner_forget__a_process_runs_a_job__busy),
    CHECK_TEST(test_owner_forget__the_second_job_runs__busy_and_the_first_stays),
    CHECK_TEST(test_owner_forget__the_record_is_being_changed__busy_and_unchanged),
    CHECK_TEST(test_owner_rebuild__damaged__what_the_journals_tell),
    CHECK_TEST(test_owner_rebuild__a_source_was_frozen__released_and_not_decided),
    CHECK_TEST(test_owner_rebuild__a_journal_is_damaged_too__corrupt_until_it_is_aside),
    CHECK_TEST(test_job_force_give_up__prepared__only_with_the_risk_accepted),
    CHECK_TEST(test_job_force_give_up__damaged_journal__moved_aside),
    CHECK_TEST(test_job_force_give_up__damaged_and_decided__the_record_is_asked),
    CHECK_TEST(test_job_force_give_up__source_has_decided__in_doubt_and_the_way_out),
    CHECK_TEST(test_job_end_decided__risk_accepted__over_and_still_released),
};
CHECK_MAIN("owner", tests)
