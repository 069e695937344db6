/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_journal.c — the source's records: what is left of a job that a crash interrupted. */
#include "source_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "fake_disk.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "instance.h"
#include "job_journal.h"
#include "left_job.h"
#include "ownership_file.h"
#include "rocks_fixture.h"
#include "source_intent.h"
#include "source_left_over.h"

static struct rocks_fixture source;
static struct haul_source_options options;
static struct source_journal journal;
static struct haul_error error;
static uint32_t within_ms; /* the timeout of the last wait for the ownership record's lock */

enum haul_status __real_ownership_update_within(const struct file_calls *calls,
                                                const char *directory, uint32_t wait_max_ms,
                                                ownership_change *change, void *context,
                                                struct haul_error *failed);
enum haul_status __wrap_ownership_update_within(const struct file_calls *calls,
                                                const char *directory, uint32_t wait_max_ms,
                                                ownership_change *change, void *context,
                                                struct haul_error *failed);
enum haul_status __wrap_ownership_update_within(const struct file_calls *calls,
                                                const char *directory, uint32_t wait_max_ms,
                                                ownership_change *change, void *context,
                                                struct haul_error *failed)
{
    within_ms = wait_max_ms;
    return __real_ownership_update_within(calls, directory, wait_max_ms, change, context, failed);
}

/* What a new job from `start` on finds. */
static enum haul_status find_from(const char *start)
{
    const struct haul_range range = {.start = text_slice(start)};
    struct haul_source_options asked = {.store = options.store, .ranges = &range, .range_count = 1};
    struct plan plan;
    enum haul_status status = source_journal_find(&journal, &error);
    if (status == HAUL_OK) {
        check_or_stop(plan_make(&plan, options.store, &asked, 0, &error) == HAUL_OK);
        status = source_earlier_check_decided(&journal.earlier, &plan, &error);
        plan_fini(&plan);
    }
    return status;
}

/* A decided job whose process died before it wrote RELEASED, or even before the journal repeated
 * what the ownership file has. */
static void decide_and_die(struct plan *plan, bool in_journal)
{
    static const struct haul_range whole = {.start = {NULL, 0}};
    options =
        (struct haul_source_options){.store = source.store, .ranges = &whole, .range_count = 1};
    check_or_stop(plan_make(plan, source.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = 1;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, plan, 0, &error), HAUL_OK);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = journal.job,
                                      .peer = "",
                                      .plan = plan,
                                      .new_version = 1,
                                      .epoch = 1};
    check_status(in_journal ? source_journal_decide(&journal, plan, 1000, &error)
                            : config_version_move(source.store, &options.hooks, &move, &error),
                 HAUL_OK);
    plan_fini(plan);
    source_journal_fini(&journal);
}

/* The ownership file cannot be read for a while. */
static void hide_ownership(bool hide)
{
    char file[600];
    char aside[600];
    (void)snprintf(file, sizeof(file), "%s/haul/ownership", source.path);
    (void)snprintf(aside, sizeof(aside), "%s/aside", source.path);
    check(hide ? rename(file, aside) == 0 && mkdir(file, 0755) == 0
               : rmdir(file) == 0 && rename(aside, file) == 0);
}

static void test_source_journal_end__resolved_before_released__journal_is_gone(void)
{
    struct plan plan;
    struct haul_error outcome = {.status = HAUL_OK};
    struct source_ending ending = {.outcome = &outcome, .was_accepted = true};
    rocks_fixture_open(&source);
    decide_and_die(&plan, true);
    check_equal(left_job_count(source.path), 1);
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &plan, &error), HAUL_OK);
    source_journal_end(&journal, &ending);
    source_journal_fini(&journal);
    plan_fini(&plan);
    check_equal(left_job_count(source.path), 0);
    rocks_fixture_close(&source);
}

static void test_source_journal_adopt__ownership_cannot_be_read__error_and_the_job_stays(void)
{
    struct plan plan = {.family_count = 0};
    struct source_ending ending = {.outcome = &error};
    rocks_fixture_open(&source);
    decide_and_die(&plan, false);
    hide_ownership(true);
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_error(source_journal_adopt(&journal, &plan, &error), HAUL_CORRUPT, error);
    error.status = HAUL_CORRUPT;
    source_journal_end(&journal, &ending);
    source_journal_fini(&journal);
    source_journal_init(&journal, &options);
    check_error(source_journal_find(&journal, &error), HAUL_CORRUPT, error);
    source_journal_fini(&journal);
    memset(journal.job, 3, sizeof(journal.job));
    check_error(source_left_over_give_up(source.store, journal.job, false, &error), HAUL_CORRUPT,
                error);
    hide_ownership(false);
    check_equal(left_job_count(source.path), 1);
    source_journal_init(&journal, &options);
    check_status(find_from(""), HAUL_IN_DOUBT);
    source_journal_fini(&journal);
    rocks_fixture_close(&source);
}

/* A decision holds, whether the journal repeats it or only the ownership record has it. */
static void test_source_left_over_give_up__decided__in_doubt_and_the_job_stays(void)
{
    static const bool in_journal[] = {true, false};
    for (size_t i = 0; i < CHECK_COUNT(in_journal); i++) {
        struct plan plan = {.family_count = 0};
        rocks_fixture_open(&source);
        decide_and_die(&plan, in_journal[i]);
        memset(journal.job, 3, sizeof(journal.job));
        check_error(source_left_over_give_up(source.store, journal.job, false, &error),
                    HAUL_IN_DOUBT, error);
        check(strstr(error.hint, "finish it with `haul resolve --db DIR") != NULL);
        check_equal(left_job_count(source.path), 1);
        source_journal_init(&journal, &options);
        check_status(find_from(""), HAUL_IN_DOUBT);
        source_journal_fini(&journal);
        rocks_fixture_close(&source);
    }
}

/* No memory, no peer, cancelled: whatever ends a `resolve`, the next one finds the decision. */
static void test_source_journal_end__resolve_failed__the_job_stays(void)
{
    static const enum haul_status outcomes[] = {HAUL_NO_MEMORY, HAUL_UNREACHABLE, HAUL_CANCELLED};
    rocks_fixture_open(&source);
    struct plan plan;
    decide_and_die(&plan, false);
    options.resolve = true;
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        struct haul_error outcome = {.status = outcomes[i]};
        struct source_ending ending = {.outcome = &outcome};
        source_journal_init(&journal, &options);
        check_status(source_journal_adopt(&journal, &plan, &error), HAUL_OK);
        check_equal(journal_state(journal.file)->outcome, JOURNAL_COMMIT);
        source_journal_end(&journal, &ending);
        plan_fini(&plan);
        source_journal_fini(&journal);
        check_equal(left_job_count(source.path), 1);
    }
    rocks_fixture_close(&source);
}

/* A new job replaced one that could not continue, and its process died before the target knew of
 * it: both exist, whichever is older. */
static void begin_and_die(uint8_t job, struct plan *plan, bool decides)
{
    source_journal_init(&journal, &options);
    memset(journal.job, job, sizeof(journal.job));
    check_status(source_journal_begin(&journal, plan, 0, &error), HAUL_OK);
    if (decides) {
        check_status(source_journal_frozen(&journal, &error), HAUL_OK);
        check_status(source_journal_decide(&journal, plan, 1000, &error), HAUL_OK);
    }
    source_journal_fini(&journal);
}

/* A store, and the plan of a job that moves all of it. */
static void open_source(struct plan *plan)
{
    static const struct haul_range whole = {.start = {NULL, 0}};
    rocks_fixture_open(&source);
    options =
        (struct haul_source_options){.store = source.store, .ranges = &whole, .range_count = 1};
    check_or_stop(plan_make(plan, source.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = 1;
}

/* Writers are frozen meanwhile: the wait for the lock ends with their deadline. */
static void test_source_journal_decide__time_that_is_left__waits_no_longer(void)
{
    struct plan plan;
    open_source(&plan);
    within_ms = 0;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
    check_status(source_journal_decide(&journal, &plan, 123, &error), HAUL_OK);
    check_equal(within_ms, 123);
    source_journal_fini(&journal);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* Only a decided job waits for its target. */
static void test_source_journal_find__other_ranges_were_decided__goes_on(void)
{
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    struct plan plan;
    rocks_fixture_open(&source);
    options =
        (struct haul_source_options){.store = source.store, .ranges = &range, .range_count = 1};
    check_or_stop(plan_make(&plan, source.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
    check_status(source_journal_decide(&journal, &plan, 1000, &error), HAUL_OK);
    source_journal_fini(&journal);
    source_journal_init(&journal, &options);
    check_status(find_from("k5"), HAUL_IN_DOUBT);
    source_journal_fini(&journal);
    source_journal_init(&journal, &options);
    check_status(find_from("l"), HAUL_OK);
    check_status(source_journal_bind(&journal, "id", &plan, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, 0);
    source_journal_fini(&journal);
    check_equal(left_job_count(source.path), 1);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static void test_source_journal_find__several_left_over__all_are_seen(void)
{
    struct plan plan;
    open_source(&plan);
    begin_and_die(3, &plan, false);
    begin_and_die(5, &plan, false);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_equal(journal.earlier.left_over.count, 2);
    check_status(source_journal_bind(&journal, "id", &plan, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, 2);
    check_status(source_journal_accepted(&journal, &error), HAUL_OK);
    source_journal_fini(&journal);
    check_equal(left_job_count(source.path), 0);
    begin_and_die(3, &plan, false);
    begin_and_die(5, &plan, true); /* after one that is not decided */
    source_journal_init(&journal, &options);
    check_status(find_from(""), HAUL_IN_DOUBT);
    source_journal_fini(&journal);
    plan_fini(&plan);
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &plan, &error), HAUL_OK);
    check_equal(journal.job[0], 5);
    check_equal(journal.earlier.left_over.count, 1);
    source_journal_fini(&journal);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static void test_source_journal_begin__records_forgotten_meanwhile__busy_and_no_journal(void)
{
    struct plan plan;
    open_source(&plan);
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(instance_begin(source.store, journal.name, &error), HAUL_OK);
    check_status(haul_owner_forget(source.path, false, &error), HAUL_OK);
    check_error(source_journal_begin(&journal, &plan, 0, &error), HAUL_BUSY, error);
    check_equal(left_job_count(source.path), 0);
    check_status(instance_begin(source.store, journal.name, &error), HAUL_OK);
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_equal(left_job_count(source.path), 1);
    source_journal_fini(&journal);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static void test_source_journal_adopt__job_that_is_not_decided__hint_names_the_ways(void)
{
    struct plan plan;
    open_source(&plan);
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &plan, &error), HAUL_NOT_FOUND);
    check(strstr(error.hint, "there is nothing to resolve") != NULL);
    source_journal_fini(&journal);
    begin_and_die(3, &plan, false);
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &plan, &error), HAUL_NOT_FOUND);
    check(strstr(error.hint, "source-0303") != NULL);
    check(strstr(error.hint, "`haul resume`") != NULL);
    source_journal_fini(&journal);
    check_equal(left_job_count(source.path), 1);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The path may return, or the target be free again: what has arrived there is worth keeping. */
static void test_source_journal_end__ended_for_now__the_journal_can_go_on(void)
{
    static const enum haul_status outcomes[] = {HAUL_CLOSED,      HAUL_TIMEOUT, HAUL_REFUSED,
                                                HAUL_UNREACHABLE, HAUL_BUSY,    HAUL_STOPPED};
    for (size_t i = 0; i < CHECK_COUNT(outcomes); i++) {
        struct plan plan;
        struct haul_error outcome = {.status = outcomes[i]};
        struct source_ending ending = {.outcome = &outcome, .was_accepted = true};
        open_source(&plan);
        source_journal_init(&journal, &options);
        memset(journal.job, 3, sizeof(journal.job));
        check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
        source_journal_end(&journal, &ending);
        source_journal_fini(&journal);
        source_journal_init(&journal, &options);
        check_status(source_journal_find(&journal, &error), HAUL_OK);
        check_equal(journal.earlier.left_over.count, 1); /* none that was given up */
        source_journal_fini(&journal);
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

/* After a crash between DONE and the removal. */
static void test_source_journal_find__journal_is_done__removed_and_nothing_left_over(void)
{
    struct plan plan;
    open_source(&plan);
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_aborted(journal.file, HAUL_IO, "test", &error), HAUL_OK);
    check_status(job_journal_mark(journal.file, JOURNAL_DONE, true, &error), HAUL_OK);
    source_journal_fini(&journal);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_equal(journal.earlier.left_over.count, 0);
    source_journal_fini(&journal);
    check_equal(left_job_count(source.path), 0);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* It had not met a target when it was given up: any target may have its records. */
static void test_source_journal_bind__aborted_without_a_peer__told_of(void)
{
    struct plan plan;
    open_source(&plan);
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_aborted(journal.file, HAUL_CANCELLED, "test", &error), HAUL_OK);
    source_journal_fini(&journal);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "id", &plan, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, 1);
    source_journal_fini(&journal);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* Its range was handed over meanwhile: it can never continue, and the next job ends it, even one
 * that goes elsewhere with other ranges. */
static void test_source_journal_bind__overtaken_and_of_another_target__aborted(void)
{
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    const struct haul_range other = {.start = text_slice("x"), .end = text_slice("y")};
    struct plan plan;
    struct plan next;
    rocks_fixture_open(&source);
    options =
        (struct haul_source_options){.store = source.store, .ranges = &range, .range_count = 1};
    check_or_stop(plan_make(&plan, source.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_bind(journal.file, "another", "host:1", &error), HAUL_OK);
    source_journal_fini(&journal);
    const uint8_t mover[HAUL_JOB_BYTES] = {9};
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = mover,
                                      .peer = "third",
                                      .plan = &plan,
                                      .new_version = 1,
                                      .epoch = 1};
    check_status(config_version_move(source.store, &options.hooks, &move, &error), HAUL_OK);
    options.ranges = &other;
    check_or_stop(plan_make(&next, source.store, &options, 0, &error) == HAUL_OK);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_equal(journal.earlier.left_over.count, 1);
    check_status(source_journal_bind(&journal, "id", &next, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, 0);
    check_equal(journal_state(journal.earlier.left_over.journals[0])->phase, JOURNAL_PHASE_ABORTED);
    source_journal_fini(&journal);
    plan_fini(&next);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* `haul resolve`: nothing is decided, and the target of a superseded job is there. */
static void test_source_journal_bind__only_tells_of_an_overtaken_job__told_of(void)
{
    struct plan plan;
    struct plan ignored = {.family_count = 0};
    open_source(&plan);
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_bind(journal.file, "id", "host:1", &error), HAUL_OK);
    source_journal_fini(&journal);
    const uint8_t mover[HAUL_JOB_BYTES] = {9};
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = mover,
                                      .peer = "third",
                                      .plan = &plan,
                                      .new_version = 1,
                                      .epoch = 1};
    check_status(config_version_move(source.store, &options.hooks, &move, &error), HAUL_OK);
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &ignored, &error), HAUL_OK);
    check(journal.only_tells);
    check_status(source_journal_bind(&journal, "id", &plan, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, 1);
    source_journal_fini(&journal);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The target owns by this job, and this database was set back: nothing makes it own again. */
static void test_source_journal_yield__undecided_job__decided_as_before(void)
{
    struct plan plan;
    struct plan adopted = {.family_count = 0};
    open_source(&plan);
    begin_and_die(3, &plan, false);
    uint64_t log_sequence = 0;
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_left_over_continue(&journal, &plan, 0, &log_sequence, &error), HAUL_OK);
    check(source_journal_is_undecided(&journal));
    check_status(source_journal_yield(&journal, &plan, 7, &error), HAUL_OK);
    check(!source_journal_is_undecided(&journal));
    struct haul_error outcome = {.status = HAUL_IN_DOUBT};
    source_journal_end(&journal,
                       &(struct source_ending){.outcome = &outcome, .was_accepted = true});
    source_journal_fini(&journal);
    check_error(config_version_check(source.store, &options.hooks, &plan, &error), HAUL_MISMATCH,
                error);
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &adopted, &error), HAUL_OK);
    check_equal(adopted.new_version, 7);
    check(!journal.only_tells);
    source_journal_fini(&journal);
    plan_fini(&adopted);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* What `resolve` finds and does when the target reports that it owns by job 3. */
static void yield_left(bool asks)
{
    struct plan ignored = {.family_count = 0};
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &ignored, &error), HAUL_OK);
    check(journal.only_tells);
    check_equal(journal.asks, asks);
    check_status(source_journal_bind(&journal, "id", &ignored, &error), HAUL_OK);
    check(source_journal_is_undecided(&journal));
    check_status(source_journal_yield_left(&journal, 7, &error), HAUL_OK);
    check(journal.yielded);
    struct haul_error outcome = {.status = HAUL_OK};
    source_journal_end(&journal,
                       &(struct source_ending){.outcome = &outcome, .was_accepted = true});
    source_journal_fini(&journal);
    options.resolve = false;
    check_equal(left_job_count(source.path), 0);
}

static void test_source_journal_yield_left__open_or_given_up__recorded_and_finished(void)
{
    for (unsigned given_up = 0; given_up < 2; given_up++) {
        struct version_claim version;
        struct plan plan;
        open_source(&plan);
        source_journal_init(&journal, &options);
        memset(journal.job, 3, sizeof(journal.job));
        check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
        check_status(job_journal_bind(journal.file, "id", "host:1", &error), HAUL_OK);
        if (given_up != 0) {
            check_status(source_earlier_abort(journal.file, HAUL_CANCELLED, "", &error), HAUL_OK);
        }
        source_journal_fini(&journal);
        yield_left(given_up == 0);
        check_error(config_version_check(source.store, &options.hooks, &plan, &error),
                    HAUL_MISMATCH, error);
        check_status(config_version_get(source.store, &options.hooks, &version, &error), HAUL_OK);
        check_equal(version.version, 7);
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

/* Another database answers, which cannot own by a job that it has never met. */
static void test_source_journal_yield_left__of_another_target__not_found_and_stays(void)
{
    struct plan plan;
    open_source(&plan);
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_bind(journal.file, "id", "host:1", &error), HAUL_OK);
    source_journal_fini(&journal);
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &plan, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "stranger", &plan, &error), HAUL_OK);
    check_status(source_journal_yield_left(&journal, 7, &error), HAUL_NOT_FOUND);
    check(!journal.yielded);
    source_journal_fini(&journal);
    options.resolve = false;
    check_equal(left_job_count(source.path), 1);
    check_status(config_version_check(source.store, &options.hooks, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The ownership record has the job as decided, and the journal is older than that. */
static void test_source_journal_adopt__journal_was_set_back__decided(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    struct plan plan;
    struct plan adopted = {.family_count = 0};
    open_source(&plan);
    begin_and_die(3, &plan, false);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = job,
                                      .peer = "id",
                                      .plan = &plan,
                                      .new_version = 5,
                                      .epoch = 1};
    check_status(config_version_move(source.store, &options.hooks, &move, &error), HAUL_OK);
    check_error(source_left_over_give_up(source.store, job, false, &error), HAUL_IN_DOUBT, error);
    options.resolve = true;
    source_journal_init(&journal, &options);
    check_status(source_journal_adopt(&journal, &adopted, &error), HAUL_OK);
    check(!journal.only_tells);
    check_equal(adopted.new_version, 5);
    source_journal_fini(&journal);
    options.resolve = false;
    plan_fini(&adopted);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* --- a register of the embedder's: the journal is the decision -------------------------------- */

enum { SEED_COUNT = 20, SWEEP_CALLS_MAX = 64 };

static struct fake_disk disk;

static const char *disk_directory(const struct haul_store *store)
{
    (void)store;
    return "/db";
}

static const void *disk_files(const struct haul_store *store)
{
    (void)store;
    return &disk.calls;
}

static const char *disk_identity(const struct haul_store *store)
{
    (void)store;
    return "on a fake disk";
}

static uint64_t disk_sequence(struct haul_store *store)
{
    (void)store;
    return 7;
}

static const struct haul_store_ops disk_ops = {.directory = disk_directory,
                                               .files = disk_files,
                                               .identity = disk_identity,
                                               .sequence = disk_sequence};
static struct haul_store on_disk = {.ops = &disk_ops};

static enum haul_status version_of_embedder(void *context, uint64_t *version,
                                            struct haul_error *failed)
{
    (void)context;
    (void)failed;
    *version = 4;
    return HAUL_OK;
}

/* A frozen job on the fake disk. */
static void freeze_on_disk(const struct plan *plan, unsigned seed)
{
    fake_disk_init(&disk, seed);
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    journal.recorded_version = 4;
    check_status(source_journal_begin(&journal, plan, 0, &error), HAUL_OK);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
}

/* A power failure closes no file and releases nothing. */
static enum haul_status find_after_power_loss(void)
{
    fake_disk_crash(&disk);
    source_journal_init(&journal, &options);
    enum haul_status status = source_journal_find(&journal, &error);
    status = status == HAUL_OK && journal.earlier.decided.count > 0 ? HAUL_IN_DOUBT : status;
    source_journal_fini(&journal);
    return status;
}

/* Call number `call` of the decision fails, then the power does. The decision's result must hold:
 * OK means decided, and any other result but IN_DOUBT means undecided. */
static enum haul_status decide_with_fault(const struct plan *plan, unsigned call, unsigned seed)
{
    freeze_on_disk(plan, seed);
    fake_disk_fail(&disk, call, false);
    enum haul_status decided = source_journal_decide(&journal, plan, 1000, &error);
    fake_disk_fail(&disk, 0, false);
    source_journal_fini(&journal);
    enum haul_status found = find_after_power_loss();
    check(found == HAUL_OK || found == HAUL_IN_DOUBT);
    check(decided != HAUL_OK || found == HAUL_IN_DOUBT);
    check(decided == HAUL_OK || decided == HAUL_IN_DOUBT || found == HAUL_OK);
    fake_disk_fini(&disk);
    return decided;
}

static void test_source_journal_decide__embedders_register_and_power_loss__answer_holds(void)
{
    struct plan plan;
    unsigned doubts = 0;
    unsigned call = 0;
    open_source(&plan);
    options.store = &on_disk;
    options.hooks.version_get = version_of_embedder;
    for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
        check_status(decide_with_fault(&plan, 0, seed), HAUL_OK);
    }
    for (bool reached = true; reached && call < SWEEP_CALLS_MAX;) {
        call++;
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            enum haul_status decided = decide_with_fault(&plan, call, seed);
            reached = decided != HAUL_OK;
            doubts += decided == HAUL_IN_DOUBT;
        }
    }
    check(doubts > 0);
    check(call > 2 && call < SWEEP_CALLS_MAX); /* at least a write and a sync failed */
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The change of the ownership record is the decision. FROZEN must be durable before it, because
 * only frozen jobs are looked up there; the journal may lose the repetition. */
static void test_source_journal_decide__own_register_and_power_loss__answer_holds(void)
{
    struct plan plan;
    unsigned call = 0;
    open_source(&plan);
    options.store = &on_disk;
    for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
        check_status(decide_with_fault(&plan, 0, seed), HAUL_OK);
    }
    for (bool reached = true; reached && call < SWEEP_CALLS_MAX;) {
        call++;
        reached = false;
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            reached = decide_with_fault(&plan, call, seed) != HAUL_OK || reached;
        }
    }
    check(call > 4 && call < SWEEP_CALLS_MAX); /* at least a write, two syncs and a rename */
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The embedder's register has moved on: nothing is written, and nothing was decided. */
static void test_source_journal_decide__embedders_register_moved_on__fenced(void)
{
    struct plan plan;
    open_source(&plan);
    options.store = &on_disk;
    options.hooks.version_get = version_of_embedder;
    freeze_on_disk(&plan, 1);
    journal.recorded_version = 3;
    check_error(source_journal_decide(&journal, &plan, 1000, &error), HAUL_FENCED, error);
    source_journal_fini(&journal);
    check_status(find_after_power_loss(), HAUL_OK);
    fake_disk_fini(&disk);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static char logged[HAUL_LOG_LINE_BYTES_MAX];

static void keep_line(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

/* It had copied, so "it had not begun" would be wrong. */
static void test_source_left_over_continue__plan_cannot_be_read__says_so(void)
{
    static const uint8_t rotten[] = {0xff, 0xff, 0xff};
    static const uint8_t job[HAUL_JOB_BYTES] = {7};
    const struct haul_log log = {.write = keep_line, .level_max = HAUL_LOG_WARNING};
    const struct journal_record records[] = {
        {.type = JOURNAL_PLAN, .plan = slice_of(rotten, sizeof(rotten))},
        {.type = JOURNAL_SNAPSHOT, .snapshot = {.sequence = 1, .wal_sequence = 1}}};
    struct journal *file = NULL;
    struct plan plan;
    uint64_t log_sequence = 0;
    bool existed = false;
    open_source(&plan);
    options.log = &log;
    check_status(job_journal_open(source.store, JOURNAL_SOURCE, job, &file, &existed, &error),
                 HAUL_OK);
    check_status(job_journal_bind(file, "the other", "host:1", &error), HAUL_OK);
    for (size_t i = 0; i < 2; i++) {
        check_status(journal_append(file, &records[i], true, &error), HAUL_OK);
    }
    journal_close(file);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_left_over_continue(&journal, &plan, 1, &log_sequence, &error),
                 HAUL_NOT_FOUND);
    check(strstr(logged, "its plan cannot be read") != NULL);
    source_journal_fini(&journal);
    options.log = NULL;
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_journal_end__resolved_before_released__journal_is_gone),
    CHECK_TEST(test_source_journal_adopt__ownership_cannot_be_read__error_and_the_job_stays),
    CHECK_TEST(test_source_left_over_give_up__decided__in_doubt_and_the_job_stays),
    CHECK_TEST(test_source_journal_end__resolve_failed__the_job_stays),
    CHECK_TEST(test_source_journal_decide__time_that_is_left__waits_no_longer),
    CHECK_TEST(test_source_journal_find__other_ranges_were_decided__goes_on),
    CHECK_TEST(test_source_journal_find__several_left_over__all_are_seen),
    CHECK_TEST(test_source_journal_begin__records_forgotten_meanwhile__busy_and_no_journal),
    CHECK_TEST(test_source_journal_adopt__job_that_is_not_decided__hint_names_the_ways),
    CHECK_TEST(test_source_journal_end__ended_for_now__the_journal_can_go_on),
    CHECK_TEST(test_source_journal_find__journal_is_done__removed_and_nothing_left_over),
    CHECK_TEST(test_source_journal_bind__aborted_without_a_peer__told_of),
    CHECK_TEST(test_source_journal_bind__overtaken_and_of_another_target__aborted),
    CHECK_TEST(test_source_journal_yield__undecided_job__decided_as_before),
    CHECK_TEST(test_source_journal_yield_left__open_or_given_up__recorded_and_finished),
    CHECK_TEST(test_source_journal_yield_left__of_another_target__not_found_and_stays),
    CHECK_TEST(test_source_journal_adopt__journal_was_set_back__decided),
    CHECK_TEST(test_source_journal_bind__only_tells_of_an_overtaken_job__told_of),
    CHECK_TEST(test_source_journal_decide__embedders_register_and_power_loss__answer_holds),
    CHECK_TEST(test_source_journal_decide__own_register_and_power_loss__answer_holds),
    CHECK_TEST(test_source_journal_decide__embedders_register_moved_on__fenced),
    CHECK_TEST(test_source_left_over_continue__plan_cannot_be_read__says_so),
};

CHECK_MAIN("source_journal", tests)
