/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_restored.c — a source whose database was restored or set back while a job was open:
 * the job may have been decided since, and nothing gives it up before its target has answered. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_version.h"
#include "haul/job.h"
#include "job_journal.h"
#include "left_job.h"
#include "rocks_fixture.h"
#include "source_journal.h"
#include "source_left_over.h"

static struct rocks_fixture source;
static struct haul_source_options options;
static struct source_journal journal;
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

/* Job `number` of k to l, left by a process that is gone. `peer` NULL: it has met no target. */
static void leave(uint8_t number, const char *peer, bool restored)
{
    uint8_t id[HAUL_JOB_BYTES];
    memset(id, number, sizeof(id));
    left_job_make(&options, id, peer, restored);
}

static enum journal_phase phase_of(uint8_t number, bool *restored)
{
    uint8_t id[HAUL_JOB_BYTES];
    struct journal *file = NULL;
    memset(id, number, sizeof(id));
    check_or_stop(job_journal_look(source.store, JOURNAL_SOURCE, id, &file, &error) == HAUL_OK);
    enum journal_phase phase = journal_state(file)->phase;
    *restored = journal_state(file)->restored;
    journal_close(file);
    return phase;
}

static void check_as_it_was(uint8_t number)
{
    bool restored = false;
    check_equal(phase_of(number, &restored), JOURNAL_PHASE_COPYING);
    check(restored);
}

static void abandon(uint8_t number)
{
    uint8_t id[HAUL_JOB_BYTES];
    memset(id, number, sizeof(id));
    check_status(source_left_over_give_up(source.store, id, true, &error), HAUL_OK);
}

/* `resume` or `send` continues job 3. */
static void go_on(struct plan *plan)
{
    uint64_t log_sequence = 0;
    make_plan(plan);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_left_over_continue(&journal, plan, 0, &log_sequence, &error), HAUL_OK);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void test_source_journal_end__restored_and_not_asked__kept_whatever_ends_it(void)
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
            journal.has_met = met == 1;
            source_journal_end(&journal, &ending);
            check_status(outcome.status,
                         outcomes[i] == HAUL_CANCELLED ? HAUL_UNCONFIRMED : outcomes[i]);
            source_journal_fini(&journal);
            check_as_it_was(3);
            plan_fini(&plan);
            rocks_fixture_close(&source);
        }
    }
}

/* Its target has answered, and owns nothing: a cancel is safe. */
static void test_source_journal_end__restored_and_asked__cancelled(void)
{
    struct haul_error outcome = {.status = HAUL_CANCELLED};
    struct source_ending ending = {.outcome = &outcome, .was_accepted = true};
    struct plan plan;
    bool restored = true;
    start();
    leave(3, "id", true);
    go_on(&plan);
    check_status(source_journal_bind(&journal, "id", &plan, &error), HAUL_OK);
    source_journal_end(&journal, &ending);
    check_status(outcome.status, HAUL_CANCELLED);
    source_journal_fini(&journal);
    check_equal(phase_of(3, &restored), JOURNAL_PHASE_ABORTED);
    check(!restored);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* A new job is refused, because the target owns by a job that it was informed is over: only that
 * job is in doubt, if it is that target's. */
static void test_source_journal_end__owned_by_an_earlier_one__that_one_is_in_doubt(void)
{
    uint8_t owned[HAUL_JOB_BYTES];
    struct haul_error outcome = {.status = HAUL_MISMATCH};
    struct source_ending ending = {.outcome = &outcome, .peer_knows = true, .owned_job = owned};
    for (uint8_t which = 0; which < 8; which++) {
        uint8_t number = 1 + which / 2; /* 4: there is none */
        uint8_t told = which % 2;       /* the target was informed that 2 is over */
        bool restored = false;
        memset(owned, number, sizeof(owned));
        start();
        leave(1, "id", false);
        leave(2, "id", false);
        abandon(2);
        leave(3, "another", false);
        source_journal_init(&journal, &options);
        check_status(source_journal_find(&journal, &error), HAUL_OK);
        check_status(source_journal_meet(&journal, "id", VERSION_RETURN_UNTOLD, &error), HAUL_OK);
        if (told == 1) {
            check_status(source_left_over_tell(&journal, &error), HAUL_OK);
        }
        source_journal_end(&journal, &ending);
        source_journal_fini(&journal);
        for (uint8_t i = 1; i <= 3; i++) {
            enum journal_phase phase = phase_of(i, &restored);
            check_equal(phase, i == 2 ? JOURNAL_PHASE_ABORTED : JOURNAL_PHASE_COPYING);
            check_equal(restored, i == number && i == 2 && told == 1);
        }
        rocks_fixture_close(&source);
    }
}

/* --- before its target was met ---------------------------------------------------------------- */

/* The target that answers need not be the one that it was decided with. */
static void test_source_journal_bind__restored_without_a_peer__unconfirmed_and_not_bound(void)
{
    struct plan plan;
    start();
    leave(3, NULL, true);
    go_on(&plan);
    check_error(source_journal_bind(&journal, "id", &plan, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.text, "then the receiver owns the ranges") != NULL);
    source_journal_fini(&journal);
    check_as_it_was(3);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The operator has confirmed the risk: the next command has nothing left to ask. */
static void test_source_left_over_give_up__restored_and_over_already__ok(void)
{
    uint8_t id[HAUL_JOB_BYTES];
    memset(id, 3, sizeof(id));
    start();
    leave(3, "id", true);
    check_error(source_left_over_give_up(source.store, id, false, &error), HAUL_UNCONFIRMED, error);
    check_status(source_left_over_give_up(source.store, id, true, &error), HAUL_OK);
    check_status(source_left_over_give_up(source.store, id, false, &error), HAUL_OK);
    rocks_fixture_close(&source);
}

/* Given up before, and in doubt since its target owns by it: the target knows the end of it. */
static void test_source_left_over_give_up__given_up_and_restored__removed(void)
{
    uint8_t id[HAUL_JOB_BYTES];
    struct journal *file = NULL;
    memset(id, 3, sizeof(id));
    start();
    leave(3, "id", false);
    abandon(3);
    check_status(job_journal_open_existing(source.store, JOURNAL_SOURCE, id, &file, &error),
                 HAUL_OK);
    check_status(job_journal_mark(file, JOURNAL_RESTORED, true, &error), HAUL_OK);
    journal_close(file);
    check_error(source_left_over_give_up(source.store, id, false, &error), HAUL_UNCONFIRMED, error);
    check_equal(left_job_count(source.path), 1);
    check_status(source_left_over_give_up(source.store, id, true, &error), HAUL_OK);
    check_equal(left_job_count(source.path), 0);
    rocks_fixture_close(&source);
}

/* --- other jobs ------------------------------------------------------------------------------- */

/* A refused command changes nothing: neither the restored job nor the one beside it. */
static void test_source_journal_bind__restored_of_another_meets__nothing_is_given_up(void)
{
    static const char *const peers[] = {"another", NULL};
    for (size_t i = 0; i < CHECK_COUNT(peers); i++) {
        struct plan plan;
        bool restored = false;
        start();
        leave(2, "a third", false);
        leave(3, peers[i], true);
        make_plan(&plan);
        source_journal_init(&journal, &options);
        check_status(source_journal_find(&journal, &error), HAUL_OK);
        check_error(source_journal_bind(&journal, "id", &plan, &error), HAUL_UNCONFIRMED, error);
        source_journal_fini(&journal);
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
    check_status(config_version_move(source.store, &options.hooks, &move, &error), HAUL_OK);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    source_earlier_abort_overtaken(&journal.earlier);
    source_journal_fini(&journal);
    check_as_it_was(3);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* --- what the target has given back ----------------------------------------------------------- */

static enum haul_status yield_left(enum version_return returned)
{
    struct plan ignored = {.family_count = 0};
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &ignored, &error), HAUL_OK);
    check_status(source_journal_meet(&journal, "id", returned, &error), HAUL_OK);
    enum haul_status status = source_journal_yield_left(&journal, 7, &error);
    if (status == HAUL_OK) { /* a second Welcome meanwhile */
        check_status(source_journal_yield_left(&journal, 7, &error), HAUL_OK);
    }
    options.resolve = false;
    return status;
}

/* A job by which the target owns, and that this side has forgotten: open, or given up. */
static void leave_forgotten(bool given_up)
{
    start();
    leave(3, "id", !given_up);
    if (given_up) {
        uint8_t id[HAUL_JOB_BYTES];
        memset(id, 3, sizeof(id));
        check_status(source_left_over_give_up(source.store, id, false, &error), HAUL_OK);
    }
}

static enum haul_status check_ours(void)
{
    struct plan plan;
    make_plan(&plan);
    enum haul_status status = config_version_check(source.store, &options.hooks, &plan, &error);
    plan_fini(&plan);
    return status;
}

static void test_source_journal_yield_left__came_back__only_the_job_goes(void)
{
    for (unsigned given_up = 0; given_up < 2; given_up++) {
        leave_forgotten(given_up == 1);
        check_status(yield_left(VERSION_RETURNED), HAUL_OK);
        check(journal.came_back);
        check(!journal.yielded);
        source_journal_fini(&journal);
        check_equal(left_job_count(source.path), 0);
        check_status(check_ours(), HAUL_OK);
        rocks_fixture_close(&source);
    }
}

static void test_source_journal_yield_left__kept__recorded_once(void)
{
    for (unsigned given_up = 0; given_up < 2; given_up++) {
        leave_forgotten(given_up == 1);
        check_status(yield_left(VERSION_KEPT), HAUL_OK);
        check(journal.yielded);
        source_journal_fini(&journal);
        check_equal(left_job_count(source.path), 0);
        check_status(check_ours(), HAUL_MISMATCH);
        rocks_fixture_close(&source);
    }
}

/* A rebuilt record counts the ranges as the target's, by no job. */
static void test_source_journal_yield_left__the_peers_already__recorded_all_the_same(void)
{
    static const uint8_t nobody[HAUL_JOB_BYTES];
    static const char *const owners[] = {"id", "a third"};
    for (size_t i = 0; i < CHECK_COUNT(owners); i++) {
        struct plan plan;
        bool same = strcmp(owners[i], "id") == 0;
        leave_forgotten(false);
        make_plan(&plan);
        const struct version_move move = {.outcome = VERSION_RELEASED,
                                          .job = nobody,
                                          .peer = owners[i],
                                          .plan = &plan,
                                          .new_version = 1,
                                          .epoch = 1};
        check_status(config_version_move(source.store, &options.hooks, &move, &error), HAUL_OK);
        check_status(yield_left(VERSION_KEPT), same ? HAUL_OK : HAUL_FENCED);
        source_journal_fini(&journal);
        check_equal(left_job_count(source.path), same ? 0 : 1);
        check_status(check_ours(), HAUL_MISMATCH);
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

/* Job 3 is in doubt from here on, open or given up: only the operator can end it. */
static void check_parted(void)
{
    uint8_t id[HAUL_JOB_BYTES];
    struct plan plan;
    memset(id, 3, sizeof(id));
    check_error(source_left_over_give_up(source.store, id, false, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.hint, "haul send --overwrite") != NULL);
    make_plan(&plan);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_error(source_journal_bind(&journal, "a third", &plan, &error), HAUL_UNCONFIRMED, error);
    source_journal_fini(&journal);
    plan_fini(&plan);
    check_status(source_left_over_give_up(source.store, id, true, &error), HAUL_OK);
    check_equal(left_job_count(source.path), 0);
}

/* `untold`: by a target of an older release, from which something is here. */
static void check_nothing_is_released(bool untold)
{
    static const uint8_t back[HAUL_JOB_BYTES] = {9};
    for (unsigned given_up = 0; given_up < 2; given_up++) {
        struct plan plan;
        leave_forgotten(given_up == 1);
        make_plan(&plan);
        const struct version_move move = {.outcome = VERSION_IMPORTED,
                                          .job = back,
                                          .peer = "id",
                                          .plan = &plan,
                                          .new_version = 8,
                                          .epoch = 1};
        if (untold) {
            check_status(config_version_move(source.store, &options.hooks, &move, &error), HAUL_OK);
        }
        check_status(yield_left(untold ? VERSION_RETURN_UNTOLD : VERSION_PERHAPS_RETURNED),
                     HAUL_MISMATCH);
        check(strstr(error.hint, "haul send --overwrite") != NULL);
        source_journal_fini(&journal);
        check_equal(left_job_count(source.path), 1);
        check_status(check_ours(), HAUL_OK);
        check_parted();
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

static void test_source_journal_yield_left__perhaps_came_back__mismatch_and_stays(void)
{
    check_nothing_is_released(false);
    check_nothing_is_released(true);
}

/* `resume`: the same, and the job cannot continue. */
static void test_source_journal_yield__came_back__fenced_and_undecided(void)
{
    static const enum version_return returns[] = {VERSION_RETURNED, VERSION_PERHAPS_RETURNED};
    for (size_t i = 0; i < CHECK_COUNT(returns); i++) {
        struct plan plan;
        start();
        leave(3, "id", true);
        go_on(&plan);
        check_status(source_journal_meet(&journal, "id", returns[i], &error), HAUL_OK);
        check_error(source_journal_yield(&journal, &plan, 7, &error), HAUL_FENCED, error);
        check(error.hint[0] != '\0');
        check(source_journal_is_undecided(&journal));
        source_journal_fini(&journal);
        check_as_it_was(3);
        check_status(check_ours(), HAUL_OK);
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

/* --- whom `resolve` asks about what ----------------------------------------------------------- */

/* Only jobs of the target that answers, each of them once, given up or open. */
static void test_source_left_over_ask_next__several_left__each_of_this_target(void)
{
    struct plan ignored = {.family_count = 0};
    bool asked[8] = {false};
    start();
    leave(1, "another", false);
    abandon(1);
    leave(2, "id", false);
    abandon(2);
    leave(3, "id", true);
    leave(4, "another", true);
    leave(5, "id", false);
    leave(6, NULL, true);
    leave(7, NULL, false);
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &ignored, &error), HAUL_OK);
    check_status(source_journal_meet(&journal, "id", VERSION_RETURN_UNTOLD, &error), HAUL_OK);
    asked[journal.job[0]] = source_left_over_is_met(&journal);
    check_status(source_left_over_not_owned(&journal, &error), HAUL_OK);
    while (source_left_over_ask_next(&journal)) {
        check(source_left_over_is_met(&journal));
        check(!asked[journal.job[0]]);
        asked[journal.job[0]] = true;
        check_status(source_left_over_not_owned(&journal, &error), HAUL_OK);
    }
    check(!asked[1] && asked[2] && asked[3] && !asked[4] && asked[5] && asked[6] && !asked[7]);
    check_status(source_left_over_tell(&journal, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, 1);
    check_equal(journal.earlier.told[0], 2);
    source_journal_fini(&journal);
    bool restored = true;
    check_equal(phase_of(3, &restored), JOURNAL_PHASE_COPYING);
    check(!restored);   /* it has its answer, */
    check_as_it_was(4); /* and these have none */
    check_as_it_was(6);
    rocks_fixture_close(&source);
}

/* Also of one that was frozen when its process died. */
static void test_source_left_over_not_owned__frozen_and_restored__asked(void)
{
    struct plan plan;
    struct plan ignored = {.family_count = 0};
    bool restored = true;
    start();
    leave(3, "id", false);
    go_on(&plan);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
    check_status(job_journal_mark(journal.file, JOURNAL_RESTORED, true, &error), HAUL_OK);
    source_journal_fini(&journal);
    plan_fini(&plan);
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &ignored, &error), HAUL_OK);
    check_status(source_journal_meet(&journal, "id", VERSION_RETURN_UNTOLD, &error), HAUL_OK);
    check_status(source_left_over_not_owned(&journal, &error), HAUL_OK);
    check_status(source_left_over_tell(&journal, &error), HAUL_NOT_FOUND);
    check(strstr(error.hint, "`haul resume`") != NULL);
    source_journal_fini(&journal);
    check_equal(phase_of(3, &restored), JOURNAL_PHASE_FROZEN);
    check(!restored);
    rocks_fixture_close(&source);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_journal_yield_left__came_back__only_the_job_goes),
    CHECK_TEST(test_source_journal_yield_left__kept__recorded_once),
    CHECK_TEST(test_source_journal_yield_left__perhaps_came_back__mismatch_and_stays),
    CHECK_TEST(test_source_journal_yield_left__the_peers_already__recorded_all_the_same),
    CHECK_TEST(test_source_journal_yield__came_back__fenced_and_undecided),
    CHECK_TEST(test_source_left_over_ask_next__several_left__each_of_this_target),
    CHECK_TEST(test_source_left_over_not_owned__frozen_and_restored__asked),
    CHECK_TEST(test_source_journal_end__restored_and_not_asked__kept_whatever_ends_it),
    CHECK_TEST(test_source_journal_end__restored_and_asked__cancelled),
    CHECK_TEST(test_source_journal_end__owned_by_an_earlier_one__that_one_is_in_doubt),
    CHECK_TEST(test_source_journal_bind__restored_without_a_peer__unconfirmed_and_not_bound),
    CHECK_TEST(test_source_left_over_give_up__restored_and_over_already__ok),
    CHECK_TEST(test_source_left_over_give_up__given_up_and_restored__removed),
    CHECK_TEST(test_source_journal_bind__restored_of_another_meets__nothing_is_given_up),
    CHECK_TEST(test_source_earlier_abort_overtaken__restored__stays),
};
CHECK_MAIN("source_restored", tests)
