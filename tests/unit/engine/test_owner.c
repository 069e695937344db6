/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner.c — the ownership record in an operator's hands: reading it, taking ranges back,
 * forgetting, making a damaged one again, deleting what was handed over, and ending jobs whose
 * other side is lost. */
#include "haul/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "haul/job.h"
#include "job_journal.h"
#include "owner_change.h"
#include "owner_copy.h"
#include "ownership_file.h"
#include "rocks_fixture.h"
#include "version_record.h"

enum { RECORD_COUNT = 10 };

static const uint8_t job[HAUL_JOB_BYTES] = {1, 2, 3};
static const uint8_t other_job[HAUL_JOB_BYTES] = {4, 5, 6};
static const struct haul_owner_selection everything;
static struct rocks_fixture fixture;
static struct haul_error error;

static void start(void)
{
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    rocks_fixture_fill(&fixture, 0, "a", RECORD_COUNT, 10);
    rocks_fixture_fill(&fixture, 0, "b", RECORD_COUNT, 10);
    rocks_fixture_fill(&fixture, 0, "c", RECORD_COUNT, 10);
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

static void move_as(const uint8_t id[HAUL_JOB_BYTES], enum version_outcome outcome,
                    const char *from, const char *to)
{
    const struct haul_hooks no_hooks = {.context = NULL};
    struct plan plan;
    make_plan(&plan, from, to);
    const struct version_move moved = {.outcome = outcome,
                                       .job = id,
                                       .peer = "the other",
                                       .plan = &plan,
                                       .new_version = 1,
                                       .epoch = 1,
                                       .records = RECORD_COUNT};
    check_status(version_record_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
}

static void move(enum version_outcome outcome, const char *from, const char *to)
{
    move_as(job, outcome, from, to);
}

static enum haul_owner_state state_of(const char *from, const char *to)
{
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_owner *owner = NULL;
    check_status(haul_owner_of_store(fixture.store, &owner, &error), HAUL_OK);
    enum haul_owner_state state = haul_owner_state_of(owner, "default", &range);
    haul_owner_free(owner);
    return state;
}

/* A journal of this database: PEER, PLAN, and what `types` names. */
static struct journal *make_journal(enum journal_role role, const char *from, const char *to)
{
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    make_plan(&plan, from, to);
    check_or_stop(job_journal_open(fixture.store, role, job, &journal, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_bind(journal, "the other", "host:1", &error), HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    return journal;
}

static void append(struct journal *journal, const struct journal_record *record)
{
    check_status(journal_append(journal, record, true, &error), HAUL_OK);
}

/* A source that died behind its decision. */
static void leave_decided(void)
{
    struct journal *journal = make_journal(JOURNAL_SOURCE, "b", "c");
    append(journal, &(struct journal_record){.type = JOURNAL_SNAPSHOT,
                                             .snapshot = {.sequence = 1, .wal_sequence = 1}});
    append(journal, &(struct journal_record){.type = JOURNAL_FROZEN, .frozen_sequence = 2});
    journal_close(journal);
    move(VERSION_RELEASED, "b", "c");
}

static void leave_prepared(void)
{
    static struct journal_prepared prepared = {.new_version = 1, .epoch = 1};
    struct journal *journal = make_journal(JOURNAL_TARGET, "b", "c");
    append(journal, &(struct journal_record){.type = JOURNAL_PREPARED, .prepared = &prepared});
    journal_close(journal);
}

static size_t list_jobs(struct haul_job *first)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    check_status(haul_jobs_list(fixture.path, &jobs, &count, &error), HAUL_OK);
    if (count > 0) {
        *first = jobs[0];
    }
    free(jobs);
    return count;
}

static size_t job_count(void)
{
    struct haul_job ignored;
    return list_jobs(&ignored);
}

static void damage(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    FILE *file = fopen(path, "r+");
    check_or_stop(file != NULL);
    check_equal(fseek(file, 24, SEEK_SET), 0);
    check(fputs("damage", file) >= 0);
    check_equal(fclose(file), 0);
}

static void damage_journal(enum journal_role role)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(role, job, name);
    damage(name);
}

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
    check_status(haul_owner_reclaim(fixture.path, &everything, false, &error), HAUL_UNCONFIRMED);
    check(strstr(error.text, "the other") != NULL);
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

/* The target may own the rest, and has to hear of it. */
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
    check_status(owner_reclaim(&calls, directory, &everything, true, &error), HAUL_BUSY);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_equal(state_of("c", "d"), HAUL_OWNER_RELEASED);
    check_status(owner_reclaim(&calls, directory, &everything, true, &error), HAUL_OK);
    check_equal(state_of("b", "d"), HAUL_OWNER_OWN);
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
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_BUSY);
    journal_close(journal);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_OK);
    finish();
}

/* What it brings here is not known. */
static void test_owner_reclaim__a_target_journal_is_damaged__corrupt_and_the_way_out(void)
{
    start();
    move(VERSION_RELEASED, "b", "c");
    leave_prepared();
    damage_journal(JOURNAL_TARGET);
    check_status(haul_owner_reclaim(fixture.path, &everything, true, &error), HAUL_CORRUPT);
    check(strstr(error.hint, "haul cancel") != NULL);
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
        check_status(haul_owner_forget(fixture.path, false, &error), HAUL_UNCONFIRMED);
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
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_BUSY);
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
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_BUSY);
    check_equal(job_count(), 2);
    journal_close(journal);
    check_status(haul_owner_forget(fixture.path, true, &error), HAUL_OK);
    check_equal(job_count(), 0);
    finish();
}

static void do_not_pause(void *context, unsigned pause_ms)
{
    (void)context;
    (void)pause_ms;
}

/* A change that has read the record would put it back. */
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
    check_status(owner_forget(&place, true, &error), HAUL_BUSY);
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
    check_status(haul_owner_read(fixture.path, &owner, &error), HAUL_CORRUPT);
    check_status(haul_owner_rebuild(fixture.path, false, &error), HAUL_UNCONFIRMED);
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_OK);
    check_equal(state_of("b", "c"), HAUL_OWNER_RELEASED);
    check_equal(state_of("c", "d"), HAUL_OWNER_OWN);
    check_status(haul_owner_read(fixture.path, &owner, &error), HAUL_OK);
    check_equal(owner->config_version, 7);
    haul_owner_free(owner);
    finish();
}

/* The record alone knew of the decision: what may be the other's is not ours. */
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
    check_status(version_record_released(fixture.store, job, &moved, &new_version, &error),
                 HAUL_OK);
    check(!moved);
    check_status(haul_owner_reclaim(fixture.path, &everything, false, &error), HAUL_UNCONFIRMED);
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
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_CORRUPT);
    check(strstr(error.hint, "haul cancel") != NULL);
    check_equal(list_jobs(&left), 1);
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_OK);
    check_status(haul_owner_rebuild(fixture.path, true, &error), HAUL_OK);
    finish();
}

/* --- deleting --------------------------------------------------------------------------------- */

static void test_owner_drop__handed_over__exactly_that(void)
{
    struct haul_owner_dropped dropped;
    start();
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_NOT_FOUND);
    move(VERSION_RELEASED, "b", "c");
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_OK);
    check_equal(dropped.ranges, 1);
    check_equal(rocks_fixture_count(&fixture, "default"), 2 * RECORD_COUNT);
    finish();
}

static void test_owner_drop__not_confirmed__in_doubt_and_all_stays(void)
{
    struct haul_owner_dropped dropped;
    start();
    leave_decided();
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_IN_DOUBT);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    finish();
}

/* What an operator does while drop works: taking the second piece back, when drop asks for the
 * size of the `reclaim_at`-th piece or clears that one. */
static const struct haul_store_ops *real_ops;
static unsigned reclaim_at;
static enum haul_status reclaimed;

static void reclaim_second(void)
{
    const struct haul_range range = {.start = text_slice("c"), .end = text_slice("d")};
    const struct haul_owner_selection second = {.ranges = &range, .range_count = 1};
    char directory[1024];
    struct haul_error ignored;
    struct file_calls calls = file_calls_system;
    calls.pause = do_not_pause;
    check(haul_directory_of(fixture.store, directory, sizeof(directory)));
    if (reclaim_at > 0 && --reclaim_at == 0) {
        reclaimed = owner_reclaim(&calls, directory, &second, true, &ignored);
    }
}

static enum haul_status size_and_reclaim(struct haul_store *store, uint32_t family,
                                         struct haul_slice from, struct haul_slice to,
                                         uint64_t *bytes, struct haul_error *failed)
{
    reclaim_second();
    return real_ops->range_size(store, family, from, to, bytes, failed);
}

static enum haul_status clear_and_reclaim(struct haul_store *store, uint32_t family,
                                          struct haul_slice from, struct haul_slice to,
                                          const struct haul_steps *steps, struct haul_error *failed)
{
    reclaim_second();
    return real_ops->range_clear(store, family, from, to, steps, failed);
}

static enum haul_status drop_and_reclaim(bool while_it_clears, struct haul_owner_dropped *dropped)
{
    real_ops = fixture.store->ops;
    struct haul_store_ops ops = *real_ops;
    ops.range_size = while_it_clears ? ops.range_size : size_and_reclaim;
    ops.range_clear = while_it_clears ? clear_and_reclaim : ops.range_clear;
    reclaim_at = 2;
    fixture.store->ops = &ops;
    enum haul_status status = haul_owner_drop(fixture.store, &everything, dropped, &error);
    fixture.store->ops = real_ops;
    check_equal(reclaim_at, 0);
    return status;
}

static void test_owner_drop__taken_back_before_its_turn__busy_and_it_stays(void)
{
    struct haul_owner_dropped dropped;
    start();
    move(VERSION_RELEASED, "a", "b");
    move_as(other_job, VERSION_RELEASED, "c", "d");
    check_status(drop_and_reclaim(false, &dropped), HAUL_BUSY);
    check_status(reclaimed, HAUL_OK);
    check_equal(dropped.ranges, 1);
    check_equal(state_of("c", "d"), HAUL_OWNER_OWN);
    check_equal(rocks_fixture_count(&fixture, "default"), 2 * RECORD_COUNT);
    finish();
}

static void test_owner_drop__taken_back_while_it_goes__that_is_busy(void)
{
    struct haul_owner_dropped dropped;
    start();
    move(VERSION_RELEASED, "a", "b");
    move_as(other_job, VERSION_RELEASED, "c", "d");
    check_status(drop_and_reclaim(true, &dropped), HAUL_OK);
    check_status(reclaimed, HAUL_BUSY);
    check_equal(dropped.ranges, 2);
    check_equal(state_of("c", "d"), HAUL_OWNER_RELEASED);
    check_equal(rocks_fixture_count(&fixture, "default"), RECORD_COUNT);
    finish();
}

static void test_owner_drop__a_target_waits_for_its_plan__busy_and_all_stays(void)
{
    struct haul_owner_dropped dropped;
    struct journal *journal = NULL;
    bool existed = false;
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(
        job_journal_open(fixture.store, JOURNAL_TARGET, other_job, &journal, &existed, &error),
        HAUL_OK);
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_BUSY);
    journal_close(journal);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_OK);
    finish();
}

static void test_owner_drop__a_plan_cannot_be_read__all_stays(void)
{
    static const uint8_t rotten[] = {0xff, 0xff, 0xff};
    struct haul_owner_dropped dropped;
    struct journal *journal = NULL;
    bool existed = false;
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(
        job_journal_open(fixture.store, JOURNAL_TARGET, other_job, &journal, &existed, &error),
        HAUL_OK);
    check_status(job_journal_bind(journal, "the other", "host:1", &error), HAUL_OK);
    append(journal, &(struct journal_record){.type = JOURNAL_PLAN,
                                             .plan = slice_of(rotten, sizeof(rotten))});
    journal_close(journal);
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_CORRUPT);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
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
    check_status(haul_job_give_up(fixture.store, &left, &error), HAUL_IN_DOUBT);
    check_status(haul_job_force_give_up(fixture.store, &left, false, &error), HAUL_UNCONFIRMED);
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
    check_status(haul_job_force_give_up(fixture.store, &left, false, &error), HAUL_UNCONFIRMED);
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
    check_status(haul_job_force_give_up(fixture.store, &left, false, &error), HAUL_UNCONFIRMED);
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
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_IN_DOUBT);
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
    check_status(haul_job_end_decided(fixture.store, &left, false, &error), HAUL_UNCONFIRMED);
    check_equal(job_count(), 1);
    check_status(haul_job_end_decided(fixture.store, &left, true, &error), HAUL_OK);
    check_equal(job_count() + (state_of("b", "c") != HAUL_OWNER_RELEASED), 0);
    finish();
}

/* --- copies ----------------------------------------------------------------------------------- */

/* The journal's file becomes another one with the same bytes, as cp -r makes it. */
static void copy_journal(enum journal_role role)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[1024];
    char copy[1100];
    static char bytes[1 << 20];
    journal_name_format(role, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    (void)snprintf(copy, sizeof(copy), "%s.new", path);
    FILE *from = fopen(path, "rb");
    FILE *to = fopen(copy, "wb");
    check_or_stop(from != NULL && to != NULL);
    size_t size = fread(bytes, 1, sizeof(bytes), from);
    check(size > 0 && size < sizeof(bytes));
    check_equal(fwrite(bytes, 1, size, to), size);
    check_equal(fclose(from) + fclose(to), 0);
    check_equal(rename(copy, path), 0);
}

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
    check_status(haul_job_force_give_up(fixture.store, &left, true, &error), HAUL_MISMATCH);
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
    check_status(haul_owner_adopt(fixture.path, false, &error), HAUL_UNCONFIRMED);
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
    check_status(haul_source_check(&options, &error), HAUL_MISMATCH);
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
    CHECK_TEST(test_owner_drop__handed_over__exactly_that),
    CHECK_TEST(test_owner_drop__not_confirmed__in_doubt_and_all_stays),
    CHECK_TEST(test_owner_drop__taken_back_before_its_turn__busy_and_it_stays),
    CHECK_TEST(test_owner_drop__taken_back_while_it_goes__that_is_busy),
    CHECK_TEST(test_owner_drop__a_target_waits_for_its_plan__busy_and_all_stays),
    CHECK_TEST(test_owner_drop__a_plan_cannot_be_read__all_stays),
    CHECK_TEST(test_job_force_give_up__prepared__only_with_the_risk_accepted),
    CHECK_TEST(test_job_force_give_up__damaged_journal__moved_aside),
    CHECK_TEST(test_job_force_give_up__damaged_and_decided__the_record_is_asked),
    CHECK_TEST(test_job_force_give_up__source_has_decided__in_doubt_and_the_way_out),
    CHECK_TEST(test_job_end_decided__risk_accepted__over_and_still_released),
};
CHECK_MAIN("owner", tests)
