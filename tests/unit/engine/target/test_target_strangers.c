/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_strangers.c — a job's id is no secret: what somebody can do who knows it, and not
 * more. */
#include "target_done.h"
#include "target_journal_fixture.h"

static void prove(struct source_proof *proof, uint8_t of)
{
    proof->given = true;
    memset(proof->bytes, of, SOURCE_PROOF_BYTES);
}

/* The plan k..l of a source with this proof; 0: of an earlier release. */
static enum haul_status check_as(uint8_t of)
{
    struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    struct haul_source_options wanted = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    check_or_stop(plan_make(&plan, source.store, &wanted, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    if (of != 0) {
        prove(&plan.proof, of);
    }
    return target_admission_check(&journal, &plan, &error);
}

/* Job 1 is begun, and prepared, by the source with proof 7. */
static void begin(bool prepared)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_as(7), HAUL_OK);
    if (prepared) {
        prepare();
    }
    leave();
}

static void test_target_admission_check__another_proof__refused_and_all_stays(void)
{
    static const uint8_t others[] = {0, 8};
    for (size_t i = 0; i < CHECK_COUNT(others); i++) {
        begin(true);
        check_equal(come(1, true), JOB_PREPARED);
        check_error(check_as(others[i]), HAUL_AUTH, error);
        check(strstr(error.hint, "haul cancel") != NULL);
        leave();
        check_equal(come(1, true), JOB_PREPARED);
        check_status(check_as(7), HAUL_OK);
        leave();
        finish();
    }
}

static void test_target_admission_check__begun_without_a_proof__goes_on_with_any(void)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_as(0), HAUL_OK);
    leave();
    check_equal(come(1, true), JOB_COPYING);
    check_status(check_as(7), HAUL_OK);
    leave();
    finish();
}

static void commit_as(uint8_t of, enum haul_status expected)
{
    struct message message;
    message_init(&message, MESSAGE_COMMIT);
    message.as.commit.proof.size = of == 0 ? 0 : SOURCE_PROOF_BYTES;
    memset(message.as.commit.proof.bytes, of, SOURCE_PROOF_BYTES);
    check_equal(come(1, true), JOB_PREPARED);
    target_done_note(&journal, &message);
    check_status(target_journal_own(&journal, 1, &error), expected);
    check(journal.refused == (expected != HAUL_OK));
    check_equal(own_count, expected == HAUL_OK);
    leave();
}

static void test_target_journal_own__another_proof__refused_and_prepared_still(void)
{
    begin(true);
    commit_as(0, HAUL_AUTH);
    commit_as(8, HAUL_AUTH);
    commit_as(7, HAUL_OK);
    finish();
}

static enum haul_status clear_as(uint8_t of, bool told)
{
    const struct haul_error reason = {.status = HAUL_CANCELLED};
    (void)come(1, true);
    journal.told_to_end = told;
    if (of != 0) {
        prove(&journal.proof, of);
    }
    enum haul_status status = target_journal_clear(&journal, &reason, &error);
    leave();
    return status;
}

static void test_target_journal_clear__told_with_another_proof__refused_and_all_stays(void)
{
    begin(false);
    check_status(clear_as(0, true), HAUL_AUTH);
    check_status(clear_as(8, true), HAUL_AUTH);
    check_equal(job_count(), 1);
    check_status(clear_as(7, true), HAUL_OK);
    check_equal(job_count(), 0);
    finish();
    begin(false);
    check_status(clear_as(0, false), HAUL_OK); /* this side's own operator */
    check_equal(job_count(), 0);
    finish();
}

/* Job 2 lists job 1 as over, with this proof; 0: with none. */
static enum haul_status supersede_as(uint8_t of)
{
    uint8_t proof[SOURCE_PROOF_BYTES];
    uint8_t first[HAUL_JOB_BYTES];
    memset(proof, of, sizeof(proof));
    memset(first, 1, sizeof(first));
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(target_journal_note_over(&journal, slice_of(first, sizeof(first)),
                                          slice_of(proof, of == 0 ? 0 : sizeof(proof)), &error),
                 HAUL_OK);
    enum haul_status status = check_as(9);
    leave();
    return status;
}

static void test_target_admission_check__lists_a_job_of_another__refused_and_all_stays(void)
{
    begin(false);
    check_status(supersede_as(0), HAUL_AUTH);
    check_status(supersede_as(8), HAUL_AUTH);
    check_equal(come(1, true), JOB_COPYING);
    leave();
    check_status(supersede_as(7), HAUL_OK);
    check_equal(come(1, true), JOB_UNKNOWN);
    leave();
    finish();
}

static void test_target_journal_note_over__proofs_of_another_number__protocol(void)
{
    static const uint8_t bytes[2 * SOURCE_PROOF_BYTES];
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_error(target_journal_note_over(&journal, slice_of(bytes, HAUL_JOB_BYTES),
                                         slice_of(bytes, sizeof(bytes)), &error),
                HAUL_PROTOCOL, error);
    leave();
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_admission_check__another_proof__refused_and_all_stays),
    CHECK_TEST(test_target_admission_check__begun_without_a_proof__goes_on_with_any),
    CHECK_TEST(test_target_journal_own__another_proof__refused_and_prepared_still),
    CHECK_TEST(test_target_journal_clear__told_with_another_proof__refused_and_all_stays),
    CHECK_TEST(test_target_admission_check__lists_a_job_of_another__refused_and_all_stays),
    CHECK_TEST(test_target_journal_note_over__proofs_of_another_number__protocol),
};
CHECK_MAIN("target_strangers", tests)
