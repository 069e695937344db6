/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_mended.c — commands that an operator gives while a journal is damaged, and what can be
 * done with the journal when it can be read again. */
#include "haul/migration.h"
#include "owner_fixture.h"

static enum haul_status check_send(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"b", 1},
                                            .end = {(const uint8_t *)"c", 1}};
    struct haul_source_options options = {
        .to = "127.0.0.1:7447", .store = fixture.store, .ranges = &range, .range_count = 1};
    return haul_source_check(&options, &error);
}

/* The move made both journals other files; only one of them could be adopted. */
static void test_owner_adopt__a_journal_was_damaged__adopted_when_it_can_be_read(void)
{
    struct haul_job left;
    start();
    journal_close(make_journal(JOURNAL_TARGET, "a", "b"));
    journal_close(make_journal(JOURNAL_SOURCE, "b", "c"));
    copy_journal(JOURNAL_TARGET);
    copy_journal(JOURNAL_SOURCE);
    flip_bit(JOURNAL_SOURCE);
    check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_OK);
    check_error(check_send(), HAUL_CORRUPT, error);
    flip_bit(JOURNAL_SOURCE);
    check_error(check_send(), HAUL_MISMATCH, error);
    check(strstr(error.hint, "--adopt") != NULL);
    check_error(haul_owner_adopt(fixture.path, false, &error), HAUL_UNCONFIRMED, error);
    check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_OK);
    check_status(check_send(), HAUL_OK);
    check_status(haul_owner_adopt(fixture.path, true, &error), HAUL_NOT_FOUND);
    check_equal(list_jobs(&left), 2);
    check_equal(left.condition, HAUL_JOB_SOUND);
    finish();
}

/* The job could not be ended together with its hand-over. */
static void test_owner_reclaim__the_journal_was_damaged__ends_when_it_can_be_read(void)
{
    struct haul_job left;
    start();
    leave_decided();
    flip_bit(JOURNAL_SOURCE);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    check_equal(state_of("b", "c"), HAUL_OWNER_OWN);
    flip_bit(JOURNAL_SOURCE);
    check_status(check_send(), HAUL_OK);
    check_equal(list_jobs(&left), 1);
    check_status(haul_job_end_decided(fixture.store, &left, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check_equal(state_of("b", "c"), HAUL_OWNER_OWN);
    finish();
}

static void test_owner_forget__a_journal_is_damaged__removed_with_the_rest(void)
{
    start();
    journal_close(make_journal(JOURNAL_SOURCE, "b", "c"));
    flip_bit(JOURNAL_SOURCE);
    check_error(haul_owner_forget(fixture.path, false, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.text, "its journal is damaged") != NULL);
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    finish();
}

/* In its header or in a record. Nothing is deleted until it is known what the job moves. */
static void test_owner_drop__a_journal_is_damaged__refused_by_its_name(void)
{
    static const enum journal_role roles[] = {JOURNAL_SOURCE, JOURNAL_TARGET};
    static const long places[] = {24, JOURNAL_HEADER_BYTES + 20};
    for (size_t i = 0; i < CHECK_COUNT(roles); i++) {
        struct haul_owner_dropped dropped;
        start();
        move_as(other_job, VERSION_RELEASED, "b", "c");
        journal_close(make_journal(roles[i], "a", "b"));
        flip_bit_at(roles[i], places[i]);
        check_error(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_CORRUPT,
                    error);
        check(strstr(error.text, i == 0 ? "source-010203" : "target-010203") != NULL);
        check(strstr(error.hint, "--accept-two-owners") != NULL);
        check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
        flip_bit_at(roles[i], places[i]);
        check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_OK);
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_adopt__a_journal_was_damaged__adopted_when_it_can_be_read),
    CHECK_TEST(test_owner_reclaim__the_journal_was_damaged__ends_when_it_can_be_read),
    CHECK_TEST(test_owner_forget__a_journal_is_damaged__removed_with_the_rest),
    CHECK_TEST(test_owner_drop__a_journal_is_damaged__refused_by_its_name),
};
CHECK_MAIN("owner_mended", tests)
