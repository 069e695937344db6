/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_restored.c — a source whose database was restored or set back while a job was open:
 * the job may have been decided since, and nothing gives it up before its target was asked. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/job.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "source_record.h"
#include "version_record.h"

static struct rocks_fixture source;
static struct haul_source_options options;
static struct source_record record;
static struct haul_error error;

static void start(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"k", 1},
                                            .end = {(const uint8_t *)"l", 1}};
    rocks_fixture_open(&source);
    options = (struct haul_source_options){
        .store = source.store, .to = "host:1", .ranges = &range, .range_count = 1};
}

static void make_plan(struct plan *plan)
{
    check_or_stop(plan_make(plan, source.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = plan->old_version + 1;
}

/* Job `number` of k to l, left by a process that is gone. `peer` NULL: it has met nobody. */
static void leave(uint8_t number, const char *peer, bool restored)
{
    struct plan plan;
    make_plan(&plan);
    source_record_init(&record, &options);
    memset(record.job, number, sizeof(record.job));
    check_status(source_record_begin(&record, &plan, 0, &error), HAUL_OK);
    if (peer != NULL) {
        check_status(job_journal_bind(record.journal, peer, "host:1", &error), HAUL_OK);
    }
    if (restored) {
        check_status(job_journal_mark(record.journal, JOURNAL_RESTORED, true, &error), HAUL_OK);
    }
    source_record_fini(&record);
    plan_fini(&plan);
}

static enum journal_phase phase_of(uint8_t number, bool *restored)
{
    uint8_t id[HAUL_JOB_BYTES];
    struct journal *journal = NULL;
    memset(id, number, sizeof(id));
    check_or_stop(job_journal_look(source.store, JOURNAL_SOURCE, id, &journal, &error) == HAUL_OK);
    enum journal_phase phase = journal_state(journal)->phase;
    *restored = journal_state(journal)->restored;
    journal_close(journal);
    return phase;
}

static void check_as_it_was(uint8_t number)
{
    bool restored = false;
    check_equal(phase_of(number, &restored), JOURNAL_PHASE_COPYING);
    check(restored);
}

/* `resume` or `send` goes on with job 3. */
static void go_on(struct plan *plan)
{
    uint64_t log_sequence = 0;
    make_plan(plan);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_OK);
    check_status(source_record_continue(&record, plan, 0, &log_sequence, &error), HAUL_OK);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void test_source_record_end__restored_and_not_asked__kept_whatever_ends_it(void)
{
    static const enum haul_status outcomes[] = {HAUL_CANCELLED, HAUL_IO, HAUL_MISMATCH};
    for (size_t i = 0; i < CHECK_COUNT(outcomes); i++) {
        for (unsigned met = 0; met < 2; met++) {
            struct haul_error outcome = {.status = outcomes[i]};
            struct source_ending ending = {
                .outcome = &outcome, .was_accepted = true, .peer_knows = met == 1};
            struct plan plan;
            start();
            leave(3, "id", true);
            go_on(&plan);
            record.has_met = met == 1;
            source_record_end(&record, &ending);
            check_status(outcome.status,
                         outcomes[i] == HAUL_CANCELLED ? HAUL_UNCONFIRMED : outcomes[i]);
            source_record_fini(&record);
            check_as_it_was(3);
            plan_fini(&plan);
            rocks_fixture_close(&source);
        }
    }
}

/* Its target has answered, and owns nothing: whoever cancels means it. */
static void test_source_record_end__restored_and_asked__cancelled(void)
{
    struct haul_error outcome = {.status = HAUL_CANCELLED};
    struct source_ending ending = {.outcome = &outcome, .was_accepted = true};
    struct plan plan;
    bool restored = true;
    start();
    leave(3, "id", true);
    go_on(&plan);
    check_status(source_record_bind(&record, "id", &plan, &error), HAUL_OK);
    source_record_end(&record, &ending);
    check_status(outcome.status, HAUL_CANCELLED);
    source_record_fini(&record);
    check_equal(phase_of(3, &restored), JOURNAL_PHASE_ABORTED);
    check(!restored);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* --- before its target was met ---------------------------------------------------------------- */

/* Whoever answers need not be the one that it was decided with. */
static void test_source_record_bind__restored_without_a_peer__unconfirmed_and_not_bound(void)
{
    struct plan plan;
    start();
    leave(3, NULL, true);
    go_on(&plan);
    check_status(source_record_bind(&record, "id", &plan, &error), HAUL_UNCONFIRMED);
    check(strstr(error.text, "then the receiver owns the ranges") != NULL);
    source_record_fini(&record);
    check_as_it_was(3);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* --- other jobs ------------------------------------------------------------------------------- */

/* A refused command changes nothing: neither the restored job nor the one beside it. */
static void test_source_record_bind__restored_of_another_meets__nothing_is_given_up(void)
{
    static const char *const peers[] = {"another", NULL};
    for (size_t i = 0; i < CHECK_COUNT(peers); i++) {
        struct plan plan;
        bool restored = false;
        start();
        leave(2, "a third", false);
        leave(3, peers[i], true);
        make_plan(&plan);
        source_record_init(&record, &options);
        check_status(source_record_find(&record, &error), HAUL_OK);
        check_status(source_record_bind(&record, "id", &plan, &error), HAUL_UNCONFIRMED);
        source_record_fini(&record);
        check_as_it_was(3);
        check_equal(phase_of(2, &restored), JOURNAL_PHASE_COPYING);
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

/* Another job has moved its range on; its own target may own it all the same. */
static void test_source_earlier_abort_overtaken__restored__stays(void)
{
    static const uint8_t mover[HAUL_JOB_BYTES] = {9};
    struct plan plan;
    start();
    leave(3, "id", true);
    make_plan(&plan);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = mover,
                                      .peer = "a third",
                                      .plan = &plan,
                                      .new_version = 1,
                                      .epoch = 1};
    check_status(version_record_move(source.store, &options.hooks, &move, &error), HAUL_OK);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_OK);
    source_earlier_abort_overtaken(&record.earlier);
    source_record_fini(&record);
    check_as_it_was(3);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_record_end__restored_and_not_asked__kept_whatever_ends_it),
    CHECK_TEST(test_source_record_end__restored_and_asked__cancelled),
    CHECK_TEST(test_source_record_bind__restored_without_a_peer__unconfirmed_and_not_bound),
    CHECK_TEST(test_source_record_bind__restored_of_another_meets__nothing_is_given_up),
    CHECK_TEST(test_source_earlier_abort_overtaken__restored__stays),
};
CHECK_MAIN("source_restored", tests)
