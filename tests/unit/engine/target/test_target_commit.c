/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_commit.c — COMMITTED jobs of a target: they finish without their source, once, and no
 * range that an unfinished job brings is sent on. */
#include "haul_folder.h"
#include "target_commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_version.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "source_intent.h"
#include "target_admission.h"
#include "target_journal.h"
#include "target_left_over.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1, 2, 3};
static const uint8_t other_job[HAUL_JOB_BYTES] = {9};
static struct rocks_fixture fixture;
static struct haul_error error;
static struct haul_hooks hooks;
static uint32_t own_count;
static enum haul_status own_status;

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)new_version;
    own_count++;
    return own_status == HAUL_OK ? HAUL_OK : haul_error_set(failed, own_status, NULL, 0, "not yet");
}

static void start(void)
{
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    hooks = (struct haul_hooks){.own = own};
    own_count = 0;
    own_status = HAUL_OK;
}

static void finish(void)
{
    rocks_fixture_close(&fixture);
}

static void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, fixture.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = plan->old_version + 1;
}

static void append(struct journal *journal, const struct journal_record *record)
{
    check_status(journal_append(journal, record, true, &error), HAUL_OK);
}

/* A target job over k..l whose process died after the record `last`. */
static void leave_at(enum journal_type last)
{
    static struct journal_prepared prepared = {
        .new_version = 1,
        .epoch = 1,
        .digest_count = 2,
        .digests = {{.digest = {.count = 3, .bytes = 30}}, {.digest = {.count = 4, .bytes = 40}}}};
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    make_plan(&plan, "k", "l");
    check_or_stop(job_journal_open(fixture.store, JOURNAL_TARGET, job, &journal, &existed,
                                   &error) == HAUL_OK);
    check_status(job_journal_bind(journal, "the source", "host:1", &error), HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    if (last == JOURNAL_ABORTED) {
        check_status(job_journal_aborted(journal, HAUL_CANCELLED, "no", &error), HAUL_OK);
    } else if (last != JOURNAL_PLAN) {
        append(journal, &(struct journal_record){.type = JOURNAL_PREPARED, .prepared = &prepared});
    }
    if (last == JOURNAL_COMMITTED || last == JOURNAL_DONE) {
        append(journal, &(struct journal_record){.type = JOURNAL_COMMITTED,
                                                 .committed = {.new_version = 1, .epoch = 1}});
    }
    if (last == JOURNAL_DONE) {
        append(journal, &(struct journal_record){.type = JOURNAL_DONE});
    }
    journal_close(journal);
}

static size_t file_count(void)
{
    struct journal_entry *entries = NULL;
    size_t count = 99;
    check_status(job_journal_list(fixture.store, JOURNAL_TARGET, &entries, &count, &error),
                 HAUL_OK);
    free(entries);
    return count;
}

static bool is_imported(void)
{
    bool moved = false;
    uint64_t ignored = 0;
    check_status(config_version_imported(fixture.store, job, &moved, &ignored, &error), HAUL_OK);
    return moved;
}

/* This database has sent k..l to yet another one. */
static void send_on(void)
{
    struct plan plan;
    make_plan(&plan, "k", "l");
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = other_job,
                                      .peer = "the next",
                                      .plan = &plan,
                                      .new_version = 2,
                                      .epoch = 1};
    check_status(config_version_move(fixture.store, &hooks, &move, &error), HAUL_OK);
    plan_fini(&plan);
}

/* The job's source comes back. */
static enum job_knowledge come_back(struct target_journal *journal)
{
    static const char source[] = "the source";
    static struct haul_target_options options;
    haul_control_Hello hello = {.epoch = 1, .resume = true};
    uint64_t new_version = 0;
    options = (struct haul_target_options){.store = fixture.store, .hooks = hooks};
    hello.job.size = HAUL_JOB_BYTES;
    memcpy(hello.job.bytes, job, HAUL_JOB_BYTES);
    hello.source_identity.size = sizeof(source) - 1;
    memcpy(hello.source_identity.bytes, source, sizeof(source) - 1);
    target_journal_init(journal, &options);
    check_status(target_journal_look_up(journal, &hello, &new_version, &error), HAUL_OK);
    return journal->knowledge;
}

static void damage_ownership(void)
{
    char directory[512];
    char path[600];
    check_or_stop(haul_directory_of(fixture.store, directory, sizeof(directory)));
    (void)snprintf(path, sizeof(path), "%s/ownership", directory);
    FILE *file = fopen(path, "wb");
    check_or_stop(file != NULL);
    check(fputs("not a record", file) >= 0);
    check_equal(fclose(file), 0);
}

/* --- finishing -------------------------------------------------------------------------------- */

static void test_target_commit_finish_all__committed__owned_and_over(void)
{
    start();
    leave_at(JOURNAL_COMMITTED);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 1);
    check(is_imported());
    check_equal(file_count(), 0);
    finish();
}

/* Of both families together. */
static void test_target_commit_finish_all__committed__history_has_what_was_prepared(void)
{
    struct haul_owner *owner = NULL;
    start();
    leave_at(JOURNAL_COMMITTED);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_or_stop(haul_owner_of_store(fixture.store, &owner, &error) == HAUL_OK);
    check_equal(owner->job_count, 1);
    check_equal(owner->jobs[0].records, 7);
    check_equal(owner->jobs[0].bytes, 70);
    check_text(owner->jobs[0].peer, "the source");
    haul_owner_free(owner);
    finish();
}

static void test_target_commit_finish_all__prepared__stays(void)
{
    start();
    leave_at(JOURNAL_PREPARED);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 0);
    check(!is_imported());
    check_equal(file_count(), 1);
    finish();
}

/* A crash came between the record and COMMITTED: what is owned is not removed, whatever the
 * flag. */
static void test_target_commit_finish_all__prepared_and_owned_by_the_record__owned_and_over(void)
{
    struct version_move moved = {
        .outcome = VERSION_IMPORTED, .job = job, .peer = "the source", .new_version = 4};
    struct plan plan;
    start();
    leave_at(JOURNAL_PREPARED);
    make_plan(&plan, "k", "l");
    moved.plan = &plan;
    check_status(config_version_move(fixture.store, &hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
    rocks_fixture_fill(&fixture, 0, "k", 3, 10);
    check_error(target_left_over_force_give_up(fixture.store, job, &error), HAUL_IN_DOUBT, error);
    check(strstr(error.hint, "`haul recv --db DIR` finishes the job") != NULL);
    check_error(target_left_over_give_up(fixture.store, job, NULL, NULL, &error), HAUL_IN_DOUBT,
                error);
    check_equal(rocks_fixture_count(&fixture, "default"), 3);
    check_equal(file_count(), 1);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 1);
    check_equal(file_count(), 0);
    check_equal(rocks_fixture_count(&fixture, "default"), 3);
    finish();
}

static void test_target_commit_finish_all__hook_fails__committed_stays(void)
{
    start();
    leave_at(JOURNAL_COMMITTED);
    own_status = HAUL_IO;
    check_error(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_IO, error);
    check_equal(file_count(), 1);
    finish();
}

static void damage_journal(const uint8_t *id)
{
    char directory[512];
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[600];
    check_or_stop(haul_directory_of(fixture.store, directory, sizeof(directory)));
    journal_name_format(JOURNAL_TARGET, id, name);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    check_or_stop(file != NULL);
    check(fputs("a journal that nobody can read any more", file) >= 0);
    check_equal(fclose(file), 0);
}

/* Whichever of them is listed first. */
static void test_target_commit_finish_all__one_cannot_be_read__the_other_owns(void)
{
    static const uint8_t damaged[][HAUL_JOB_BYTES] = {{0}, {0xff}};
    for (size_t i = 0; i < CHECK_COUNT(damaged); i++) {
        start();
        leave_at(JOURNAL_COMMITTED);
        damage_journal(damaged[i]);
        check_error(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_CORRUPT, error);
        check_equal(own_count, 1);
        check(is_imported());
        check_equal(file_count(), 1);
        finish();
    }
}

/* The power failed before the directory forgot the file. */
/* A job that runs beside this one has its journal open, and may be between COMMITTED and DONE. */
static void test_target_commit_finish_all__one_runs__left_to_it(void)
{
    struct journal *running = NULL;
    start();
    leave_at(JOURNAL_COMMITTED);
    check_or_stop(job_journal_open_existing(fixture.store, JOURNAL_TARGET, job, &running, &error) ==
                  HAUL_OK);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 0);
    check_equal(file_count(), 1);
    journal_close(running);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 1);
    check_equal(file_count(), 0);
    finish();
}

static void test_target_commit_finish_all__done__only_its_file_goes(void)
{
    start();
    leave_at(JOURNAL_DONE);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 0);
    check(!is_imported());
    check_equal(file_count(), 0);
    finish();
}

static void test_target_commit_finish_all__sent_on_since__not_owned_again(void)
{
    struct plan plan;
    start();
    leave_at(JOURNAL_COMMITTED);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    send_on();
    leave_at(JOURNAL_COMMITTED);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_equal(own_count, 1);
    check_equal(file_count(), 0);
    make_plan(&plan, "k", "l");
    check_error(config_version_check(fixture.store, &hooks, &plan, &error), HAUL_MISMATCH, error);
    plan_fini(&plan);
    finish();
}

static void test_target_journal_look_up__done__committed_and_not_owned_again(void)
{
    struct target_journal journal;
    start();
    leave_at(JOURNAL_DONE);
    check_equal(come_back(&journal), JOB_COMMITTED);
    check_equal(own_count, 0);
    check_equal(file_count(), 0);
    target_journal_fini(&journal);
    finish();
}

/* A receiver starts, and no source comes. */
static void test_target_start__committed_job_was_left__finished_without_its_source(void)
{
    struct haul_target_options options = {.listen = "127.0.0.1:0",
                                          .transports = {{HAUL_TRANSPORT_TCP}}};
    struct haul_migration *migration = NULL;
    start();
    options.store = fixture.store;
    options.hooks = hooks;
    leave_at(JOURNAL_COMMITTED);
    check_or_stop(haul_target_start(&options, &migration, &error) == HAUL_OK);
    haul_migration_destroy(migration); /* accepted calls run first */
    check_equal(own_count, 1);
    check(is_imported());
    check_equal(file_count(), 0);
    finish();
}

static struct haul_job the_job(void)
{
    struct haul_job left = {.role = HAUL_JOB_TARGET};
    memcpy(left.id, job, HAUL_JOB_BYTES);
    return left;
}

static void test_job_finish__committed__owned_and_over(void)
{
    start();
    const struct haul_job left = the_job();
    leave_at(JOURNAL_COMMITTED);
    check_status(haul_job_finish(fixture.store, NULL, &left, &error), HAUL_OK);
    check(is_imported());
    check_equal(own_count, 0);
    check_error(haul_job_finish(fixture.store, NULL, &left, &error), HAUL_NOT_FOUND, error);
    finish();
}

static void test_job_finish__prepared_or_a_sources__invalid_and_stays(void)
{
    start();
    struct haul_job left = the_job();
    leave_at(JOURNAL_PREPARED);
    check_error(haul_job_finish(fixture.store, NULL, &left, &error), HAUL_INVALID, error);
    left.role = HAUL_JOB_SOURCE;
    check_error(haul_job_finish(fixture.store, NULL, &left, &error), HAUL_INVALID, error);
    check(!is_imported());
    check_equal(file_count(), 1);
    finish();
}

/* --- going on --------------------------------------------------------------------------------- */

/* The preconditions of owning are checked again: here the record, which has become unreadable. */
static void test_target_admission_check__resumed_and_owning_would_fail__refused(void)
{
    struct target_journal journal;
    struct plan plan;
    start();
    leave_at(JOURNAL_PLAN);
    check_equal(come_back(&journal), JOB_COPYING);
    damage_ownership();
    make_plan(&plan, "k", "l");
    check_error(target_admission_check(&journal, &plan, &error), HAUL_CORRUPT, error);
    target_journal_fini(&journal);
    check_equal(file_count(), 1);
    finish();
}

/* Its source was set back to before a hand-over that is recorded here: no changed option repairs
 * that. */
static void test_target_admission_check__resumed_and_the_source_was_set_back__mismatch(void)
{
    struct target_journal journal;
    struct plan plan;
    start();
    leave_at(JOURNAL_PLAN);
    make_plan(&plan, "k", "l");
    const struct version_move move = {.outcome = VERSION_IMPORTED,
                                      .job = other_job,
                                      .peer = "the source",
                                      .plan = &plan,
                                      .new_version = 7,
                                      .epoch = 1};
    check_status(config_version_move(fixture.store, &hooks, &move, &error), HAUL_OK);
    check_equal(come_back(&journal), JOB_COPYING);
    check_error(target_admission_check(&journal, &plan, &error), HAUL_MISMATCH, error);
    check(strstr(error.text, "set back") != NULL);
    check(strstr(error.hint, "on this side lists what it gave") != NULL);
    target_journal_fini(&journal);
    check_equal(file_count(), 1);
    finish();
}

/* --- sending on ------------------------------------------------------------------------------- */

/* Whether a job would send from..to; it checks before it begins. */
static enum haul_status check_sent(const char *from, const char *to)
{
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_source_options options = {
        .store = fixture.store, .to = "127.0.0.1:7447", .ranges = &range, .range_count = 1};
    return haul_source_check(&options, &error);
}

static void test_source_check__target_job_in_any_state__not_sent_on(void)
{
    static const struct {
        enum journal_type last;
        enum haul_status expected;
        const char *hint;
    } cases[] = {
        {JOURNAL_PLAN, HAUL_BUSY, "let its source finish it (`haul send`), or give it up"},
        {JOURNAL_PREPARED, HAUL_IN_DOUBT, "its source finishes it (`haul status` there)"},
        {JOURNAL_COMMITTED, HAUL_BUSY, "`haul recv` or `haul cancel` on this database finishes it"},
        {JOURNAL_ABORTED, HAUL_BUSY, "let its source finish it"},
        {JOURNAL_DONE, HAUL_OK, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start();
        leave_at(cases[i].last);
        error.hint[0] = '\0';
        check_status(check_sent("k", "kz"), cases[i].expected);
        check(strstr(error.hint, cases[i].hint) != NULL);
        check_status(check_sent("l", "m"), HAUL_OK);
        finish();
    }
}

/* What an aborted job had brought is gone; a job without a plan has brought nothing. */
static void test_source_check__target_job_has_nothing_here__sent_on(void)
{
    struct journal *journal = NULL;
    bool existed = false;
    start();
    leave_at(JOURNAL_ABORTED);
    check_error(check_sent("k", "kz"), HAUL_BUSY, error);
    check(strstr(error.text, "target-0102030000000000") != NULL);
    check_or_stop(job_journal_open(fixture.store, JOURNAL_TARGET, job, &journal, &existed,
                                   &error) == HAUL_OK);
    check_status(job_journal_mark(journal, JOURNAL_CLEARED, true, &error), HAUL_OK);
    journal_close(journal);
    check_status(check_sent("k", "kz"), HAUL_OK);
    check_or_stop(job_journal_open(fixture.store, JOURNAL_TARGET, other_job, &journal, &existed,
                                   &error) == HAUL_OK);
    check(!existed);
    journal_close(journal);
    check_status(check_sent("k", "kz"), HAUL_OK);
    finish();
}

static void test_source_check__target_job_has_finished__sent_on(void)
{
    start();
    leave_at(JOURNAL_COMMITTED);
    check_status(target_commit_finish_all(fixture.store, &hooks, &error), HAUL_OK);
    check_status(check_sent("k", "l"), HAUL_OK);
    finish();
}

static void test_source_intent_begin__target_job_is_prepared__in_doubt(void)
{
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    struct haul_source_options options = {
        .to = "127.0.0.1:7447", .ranges = &range, .range_count = 1};
    struct source_intent sent = {.snapshot = NULL};
    start();
    options.store = fixture.store;
    leave_at(JOURNAL_PREPARED);
    check_status(source_intent_init(&sent, &options, &error), HAUL_OK);
    check_error(source_intent_begin(&sent, &error), HAUL_IN_DOUBT, error);
    source_intent_fini(&sent);
    check_equal(file_count(), 1);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_commit_finish_all__committed__owned_and_over),
    CHECK_TEST(test_target_commit_finish_all__committed__history_has_what_was_prepared),
    CHECK_TEST(test_target_commit_finish_all__prepared__stays),
    CHECK_TEST(test_target_commit_finish_all__prepared_and_owned_by_the_record__owned_and_over),
    CHECK_TEST(test_target_commit_finish_all__hook_fails__committed_stays),
    CHECK_TEST(test_target_commit_finish_all__one_cannot_be_read__the_other_owns),
    CHECK_TEST(test_target_commit_finish_all__one_runs__left_to_it),
    CHECK_TEST(test_target_commit_finish_all__done__only_its_file_goes),
    CHECK_TEST(test_target_commit_finish_all__sent_on_since__not_owned_again),
    CHECK_TEST(test_target_journal_look_up__done__committed_and_not_owned_again),
    CHECK_TEST(test_target_start__committed_job_was_left__finished_without_its_source),
    CHECK_TEST(test_job_finish__committed__owned_and_over),
    CHECK_TEST(test_job_finish__prepared_or_a_sources__invalid_and_stays),
    CHECK_TEST(test_target_admission_check__resumed_and_owning_would_fail__refused),
    CHECK_TEST(test_target_admission_check__resumed_and_the_source_was_set_back__mismatch),
    CHECK_TEST(test_source_check__target_job_in_any_state__not_sent_on),
    CHECK_TEST(test_source_check__target_job_has_nothing_here__sent_on),
    CHECK_TEST(test_source_check__target_job_has_finished__sent_on),
    CHECK_TEST(test_source_intent_begin__target_job_is_prepared__in_doubt),
};
CHECK_MAIN("target_commit", tests)
