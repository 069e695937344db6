/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_done.c — whether what is prepared is what its source has decided. */
#include "target_done.h"

#include "config_version.h"
#include "target_journal_fixture.h"

enum { BYTE_COUNT = 100 };

static void prepare_bytes(void)
{
    haul_control_Prepare message = {.new_version = 1, .epoch = EPOCH};
    const struct digest digests[HAUL_FAMILY_COUNT_MAX] = {
        {.count = RECORD_COUNT, .bytes = BYTE_COUNT}};
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    check_status(target_journal_prepare(&journal, &message, digests, &error), HAUL_OK);
}

static enum haul_status told(uint64_t epoch, uint64_t records, uint64_t bytes)
{
    struct message commit;
    message_init(&commit, MESSAGE_COMMIT);
    commit.as.commit.epoch = epoch;
    commit.as.commit.records = records;
    commit.as.commit.bytes = bytes;
    journal.was_done = false;
    target_done_note(&journal, &commit);
    enum haul_status status = target_done_check(&journal, &error);
    if (journal.was_done) {
        ownership_fini(&journal.given);
        ownership_init(&journal.given);
    }
    return status;
}

/* Certainly earlier than the hand-over: no message makes this database own it. */
static void test_target_done_check__done_and_others_were_decided_on__refused(void)
{
    start();
    prepare_bytes();
    check_status(told(MESSAGE_EPOCH_NONE, RECORD_COUNT + 1, BYTE_COUNT), HAUL_MISMATCH);
    check(strstr(error.text, "10 records that are prepared are not the 11") != NULL);
    check(strstr(error.hint, "--reclaim --accept-two-owners") != NULL);
    check(strstr(error.hint, "--forget --accept-two-owners") != NULL);
    check_status(told(MESSAGE_EPOCH_NONE, RECORD_COUNT, BYTE_COUNT + 1), HAUL_MISMATCH);
    check_status(told(MESSAGE_EPOCH_NONE, RECORD_COUNT, BYTE_COUNT), HAUL_OK);
    check_status(told(MESSAGE_EPOCH_NONE, RECORD_COUNT, 0), HAUL_OK); /* not recorded */
    check_status(told(MESSAGE_EPOCH_NONE, 0, 0), HAUL_OK);
    leave();
    finish();
}

static void test_target_done_check__decided_on_as_many_of_other_bytes__refused(void)
{
    start();
    prepare_bytes();
    check_status(told(EPOCH, RECORD_COUNT, BYTE_COUNT - 1), HAUL_MISMATCH);
    check(strstr(error.text, "set back to before the decision") != NULL);
    check(strstr(error.hint, "the source's copy is whole: `haul owner --db DIR --reclaim") != NULL);
    check_status(told(EPOCH, RECORD_COUNT, BYTE_COUNT), HAUL_OK);
    leave();
    finish();
}

/* The source's job is done; by its record, the target still owns what lies between the two keys. */
static void note_done(uint64_t records, const char *from, const char *to)
{
    struct message commit;
    message_init(&commit, MESSAGE_COMMIT);
    commit.as.commit.epoch = MESSAGE_EPOCH_NONE;
    commit.as.commit.records = records;
    commit.as.commit.bytes = BYTE_COUNT;
    haul_control_Range range = {.start = message_bytes(text_slice(from)),
                                .end = message_bytes(text_slice(to))};
    haul_control_Given given = {.ranges = &range, .ranges_count = 1};
    commit.as.commit.given = &given;
    commit.as.commit.given_count = 1;
    target_done_note(&journal, &commit);
    free(range.start);
    free(range.end);
}

static enum haul_status get_version(void *context, uint64_t *version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    *version = 0;
    return HAUL_OK;
}

/* Is the job recorded as what this database owns by? */
static bool is_recorded(void)
{
    bool moved = false;
    uint64_t new_version = 0;
    check_status(config_version_imported(target.store, journal.job, &moved, &new_version, &error),
                 HAUL_OK);
    return moved;
}

static void test_target_journal_own__done__owns_with_a_warning(void)
{
    static const char *const ends[] = {"l", "kk"}; /* all of the job's ranges, and a part */
    for (size_t i = 0; i < CHECK_COUNT(ends); i++) {
        start();
        prepare_bytes();
        note_done(RECORD_COUNT, "k", ends[i]);
        check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
        check(!journal.refused && journal.file == NULL);
        check(strstr(journal.warning, "later writes to it are lost") != NULL);
        check(is_recorded());
        check_equal(own_count, 1);
        check_equal(job_count(), 0);
        leave();
        finish();
    }
}

/* The embedder's register has no part of a job. */
static void test_target_journal_own__done_and_a_part_went_back__register_decides(void)
{
    static const char *const ends[] = {"kk", "l"};
    for (size_t i = 0; i < CHECK_COUNT(ends); i++) {
        bool whole = ends[i][0] == 'l';
        start();
        prepare_bytes();
        options.hooks.version_get = get_version;
        note_done(RECORD_COUNT, "k", ends[i]);
        check_status(target_journal_own(&journal, 1, &error), whole ? HAUL_OK : HAUL_MISMATCH);
        check(whole || strstr(error.hint, "register") != NULL);
        check_equal(journal.refused, !whole);
        check_equal(own_count, whole);
        leave();
        finish();
    }
}

static void test_target_journal_own__what_was_given_is_unreadable__does_not_own(void)
{
    start();
    prepare_bytes();
    note_done(RECORD_COUNT, "z", "a");
    check(journal.given_error.status != HAUL_OK);
    check_status(target_journal_own(&journal, 1, &error), journal.given_error.status);
    check_text(error.text, journal.given_error.text);
    check(journal.refused && !is_recorded());
    check_equal(own_count, 0);
    leave();
    finish();
}

/* The register, the journal and the hook remain as they were. */
static void test_target_journal_own__done_and_others_were_decided_on__does_not_own(void)
{
    start();
    prepare_bytes();
    note_done(RECORD_COUNT + 1, "", ""); /* everything was given */
    check_status(journal.given_error.status, HAUL_OK);
    check_error(target_journal_own(&journal, 1, &error), HAUL_MISMATCH, error);
    check(journal.refused);
    check_equal(own_count, 0);
    check_equal(journal_state(journal.file)->phase, JOURNAL_PHASE_PREPARED);
    leave();
    check_equal(come(1, true), JOB_PREPARED);
    leave();
    finish();
}

/* A crash came between the decision here and its end: the source learns that nothing went back. */
static void test_target_journal_look_up__committed_and_not_finished__committed_and_kept(void)
{
    const struct journal_record committed = {.type = JOURNAL_COMMITTED,
                                             .committed = {.new_version = 1, .epoch = EPOCH}};
    start();
    prepare_bytes();
    check_status(journal_append(journal.file, &committed, true, &error), HAUL_OK);
    leave();
    check_equal(come(1, true), JOB_COMMITTED);
    check_equal(journal.returned, VERSION_KEPT);
    check(journal.file == NULL);
    check_equal(own_count, 1);
    leave();
    finish();
}

/* The source has no record of a job that one of the two gave by: no plan of it is served. */
static void test_target_done_check_lost__source_lacks_a_job__mismatch_and_who_gave(void)
{
    static const uint8_t lost[HAUL_JOB_BYTES] = {9};
    for (int gave = 0; gave < 2; gave++) {
        start();
        check_equal(come(1, false), JOB_UNKNOWN);
        if (gave != 0) {
            check_status(check_range("k", "l", false), HAUL_OK);
            const struct version_move move = {.outcome = VERSION_RELEASED,
                                              .job = lost,
                                              .peer = journal.peer,
                                              .plan = &journal.plan,
                                              .new_version = 5,
                                              .epoch = EPOCH};
            check_status(config_version_move(target.store, &options.hooks, &move, &error), HAUL_OK);
        }
        job_list_take(&journal.their_lost, slice_of(lost, sizeof(lost)));
        check_error(target_done_check_lost(&journal, &error), HAUL_MISMATCH, error);
        check(strstr(error.text, gave != 0 ? "it got from this one" : "it gave to this one") !=
              NULL);
        check(strstr(error.hint, gave != 0 ? "--reclaim" : "--forget") != NULL);
        leave();
        finish();
    }
}

/* The source lists a job between the two of which this database has no record. */
static void test_target_done_check_lost__lacks_a_job__mismatch_unless_there_is_a_register(void)
{
    static const uint8_t theirs[HAUL_JOB_BYTES] = {9};
    for (int registered = 0; registered < 2; registered++) {
        start();
        options.hooks.version_get = registered != 0 ? get_version : NULL;
        check_equal(come(1, false), JOB_UNKNOWN);
        check_status(target_done_check_lost(&journal, &error), HAUL_OK);
        job_list_take(&journal.their_between, slice_of(theirs, sizeof(theirs)));
        check_status(target_done_check_lost(&journal, &error),
                     registered != 0 ? HAUL_OK : HAUL_MISMATCH);
        check(registered != 0 || strstr(error.hint, "`haul owner` on both sides") != NULL);
        check_equal(job_list_count(&journal.lost), registered != 0 ? 0 : 1);
        leave();
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_journal_own__done__owns_with_a_warning),
    CHECK_TEST(test_target_journal_own__done_and_a_part_went_back__register_decides),
    CHECK_TEST(test_target_journal_own__what_was_given_is_unreadable__does_not_own),
    CHECK_TEST(test_target_done_check_lost__lacks_a_job__mismatch_unless_there_is_a_register),
    CHECK_TEST(test_target_done_check__done_and_others_were_decided_on__refused),
    CHECK_TEST(test_target_done_check__decided_on_as_many_of_other_bytes__refused),
    CHECK_TEST(test_target_journal_own__done_and_others_were_decided_on__does_not_own),
    CHECK_TEST(test_target_journal_look_up__committed_and_not_finished__committed_and_kept),
    CHECK_TEST(test_target_done_check_lost__source_lacks_a_job__mismatch_and_who_gave),
};

CHECK_MAIN("target_done", tests)
