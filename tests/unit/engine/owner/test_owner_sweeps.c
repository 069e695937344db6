/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_sweeps.c — each call of the disk and each allocation fails in turn in what an operator
 * does with a copy of a database, and with jobs that have no target any more. */
#include "config_version.h"
#include "failing_store.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "instance.h"
#include "job_journal.h"
#include "owner_change.h"
#include "owner_copy.h"

enum { COPYING = 1, DECIDED = 2, ABORTED = 3, ARRIVING = 4 };

static const struct haul_hooks no_hooks;
static char name[HAUL_IDENTITY_BYTES_MAX];
static struct haul_error error;

/* --- a database with jobs of every kind ------------------------------------------------------- */

static void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = slice_of(from, strlen(from)),
                                     .end = slice_of(to, strlen(to))};
    const struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, &failing.base, &options, 0, &error) == HAUL_OK);
    plan->new_version = 5;
}

static struct journal *leave(enum journal_role role, uint8_t number, struct plan *plan)
{
    struct journal *journal = NULL;
    bool existed = false;
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, number, sizeof(job));
    check_or_stop(job_journal_open(&failing.base, role, job, &journal, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_plan(journal, plan, &error), HAUL_OK);
    check_status(job_journal_bind(journal, "peer/1", "host:1", &error), HAUL_OK);
    return journal;
}

static void leave_all(void)
{
    struct plan plan;
    const uint64_t snapshot = 1;
    const struct journal_record begun = {
        .type = JOURNAL_SNAPSHOT, .snapshot = {.sequence = snapshot, .wal_sequence = snapshot + 1}};
    failing_store_init(NULL, 0);
    failing_store_put(0, "a");
    check_status(instance_begin(&failing.base, name, &error), HAUL_OK);
    make_plan(&plan, "k", "l");
    struct journal *journal = leave(JOURNAL_SOURCE, COPYING, &plan);
    check_status(journal_append(journal, &begun, true, &error), HAUL_OK);
    journal_close(journal);
    plan_fini(&plan);
    make_plan(&plan, "t", "u");
    journal = leave(JOURNAL_SOURCE, DECIDED, &plan);
    check_status(job_journal_decide_late(journal, 4, 5, &error), HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = journal_job_id(journal),
                                      .peer = "peer/1",
                                      .plan = &plan,
                                      .new_version = 5,
                                      .epoch = 1};
    check_status(config_version_move(&failing.base, &no_hooks, &move, &error), HAUL_OK);
    journal_close(journal);
    plan_fini(&plan);
    make_plan(&plan, "p", "q");
    journal = leave(JOURNAL_SOURCE, ABORTED, &plan);
    check_status(job_journal_aborted(journal, HAUL_CANCELLED, "no", &error), HAUL_OK);
    journal_close(journal);
    plan_fini(&plan);
    make_plan(&plan, "v", "w");
    journal_close(leave(JOURNAL_TARGET, ARRIVING, &plan));
    plan_fini(&plan);
}

static struct instance_place here(const char *identity)
{
    return (struct instance_place){.calls = &failing.disk.calls,
                                   .directory = "/db/haul",
                                   .identity = identity,
                                   .sequence = failing.sequence};
}

/* --- adopting --------------------------------------------------------------------------------- */

static enum haul_status origin(void)
{
    struct instance_view view;
    enum haul_owner_origin seen = HAUL_OWNER_RESET;
    const struct instance_place place = here("in memory");
    enum haul_status status = owner_look_origin(&place, &view, &seen, &error);
    check(status != HAUL_OK || (seen == HAUL_OWNER_SAME && view.state == INSTANCE_SAME));
    return status;
}

static enum haul_status adopt(void)
{
    const struct instance_place place = here("repaired");
    enum haul_status status = owner_adopt(&place, true, &error);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it is this database's: done before */
}

static enum haul_status adopt_unconfirmed(void)
{
    const struct instance_place place = here("repaired");
    enum haul_status status = owner_adopt(&place, false, &error);
    check(status != HAUL_OK);
    check(status != HAUL_UNCONFIRMED || strstr(error.hint, "--accept-two-owners") != NULL);
    return status == HAUL_UNCONFIRMED ? HAUL_OK : status;
}

static enum haul_status forget_unconfirmed(void)
{
    const struct instance_place place = here("in memory");
    enum haul_status status = owner_forget(&place, false, &error);
    check(status != HAUL_OK);
    check(status != HAUL_UNCONFIRMED || strstr(error.hint, "--accept-two-owners") != NULL);
    return status == HAUL_UNCONFIRMED ? HAUL_OK : status;
}

static size_t phases[JOURNAL_PHASE_DONE + 1];

/* The jobs by their phases, in the journals of this database. */
static void count_phases(const char *identity)
{
    memset(phases, 0, sizeof(phases));
    for (uint8_t number = COPYING; number <= ARRIVING; number++) {
        struct journal *journal = NULL;
        struct journal_config config = {
            .directory = "/db/haul",
            .role = number == ARRIVING ? JOURNAL_TARGET : JOURNAL_SOURCE,
            .identity = identity,
            .calls = &failing.disk.calls,
        };
        memset(config.job_id, number, sizeof(config.job_id));
        check_status(journal_open(&config, &journal, &error), HAUL_OK);
        if (journal != NULL) {
            const struct journal_state *state = journal_state(journal);
            phases[state->phase]++;
            bool may_be_older = number == COPYING && strcmp(identity, "repaired") == 0;
            check_equal(state->restored, may_be_older);
            check_text(state->peer, "peer/1");
        }
        journal_close(journal);
    }
    check_equal(phases[JOURNAL_PHASE_ABORTED], 1);
    check_equal(phases[JOURNAL_PHASE_COPYING], 1);
}

static void look_adopted(bool was_failed)
{
    (void)was_failed;
    count_phases("repaired");
}

static void look_unchanged(bool was_failed)
{
    (void)was_failed;
    count_phases("in memory");
}

static void sweep(enum haul_status (*act)(void), void (*look)(bool was_failed), unsigned calls_min,
                  unsigned silent)
{
    const struct failing_step step = {.error = &error,
                                      .prepare = leave_all,
                                      .act = act,
                                      .look = look,
                                      .disk_calls_min = calls_min,
                                      .silent = silent,
                                      .fixed_path = true};
    failing_sweep(&step);
}

static void test_owner_adopt__nth_call_fails__told_and_adopted_when_done_again(void)
{
    sweep(adopt, look_adopted, 30, 3);
    sweep(adopt_unconfirmed, look_unchanged, 2, 0);
}

static void test_owner_adopt__lost_its_last_writes__asks_and_says_how(void)
{
    leave_all();
    struct instance_place place = here("in memory");
    place.sequence = 0;
    check_error(owner_adopt(&place, false, &error), HAUL_UNCONFIRMED, error);
    check(strstr(error.text, "has lost its last writes") != NULL);
    check(strstr(error.hint, "--accept-two-owners") != NULL);
    failing_store_fini();
}

static void test_owner_look_origin__nth_call_fails__told(void)
{
    sweep(origin, look_unchanged, 6, 0);
}

static void test_owner_forget__nth_call_fails__told_and_unchanged(void)
{
    sweep(forget_unconfirmed, look_unchanged, 4, 0);
}

/* --- a damaged record ------------------------------------------------------------------------- */

static void record_is_damaged(void)
{
    leave_all();
    struct fake_inode *file = fake_disk_find(&failing.disk, "/db/haul/ownership");
    check_or_stop(file != NULL);
    memset(file->bytes, 0x55, file->size);
    memset(file->platter, 0x55, file->size);
}

/* It is not damaged any more: done before. */
static enum haul_status rebuild(void)
{
    enum haul_status status = owner_rebuild(&failing.disk.calls, "/db/haul", true, &error);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static void look_rebuilt(bool was_failed)
{
    uint8_t job[HAUL_JOB_BYTES];
    bool moved = false;
    uint64_t new_version = 0;
    struct plan plan;
    (void)was_failed;
    memset(job, DECIDED, sizeof(job));
    check_status(config_version_released(&failing.base, job, &moved, &new_version, &error),
                 HAUL_OK);
    check(moved);
    check_equal(new_version, 5);
    make_plan(&plan, "t", "u");
    check_status(config_version_check(&failing.base, &no_hooks, &plan, &error), HAUL_MISMATCH);
    plan_fini(&plan);
    count_phases("in memory");
}

static void test_owner_rebuild__decided_and_nth_call_fails__told_and_the_same_when_done_again(void)
{
    const struct failing_step step = {.error = &error,
                                      .prepare = record_is_damaged,
                                      .act = rebuild,
                                      .look = look_rebuilt,
                                      .disk_calls_min = 20,
                                      .silent = 1, /* the search for a free name */
                                      .fixed_path = true};
    failing_sweep(&step);
}

/* --- an operator ends jobs -------------------------------------------------------------------- */

static struct haul_job job_of(uint8_t number)
{
    struct haul_job job = {.role = number == ARRIVING ? HAUL_JOB_TARGET : HAUL_JOB_SOURCE};
    memset(job.id, number, sizeof(job.id));
    return job;
}

/* One that is not there any more was ended by an earlier attempt. */
static enum haul_status ended(enum haul_status status)
{
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static enum haul_status give_up_source(void)
{
    const struct haul_job job = job_of(COPYING);
    return ended(haul_job_give_up(&failing.base, &job, &error));
}

static enum haul_status give_up_target(void)
{
    const struct haul_job job = job_of(ARRIVING);
    return ended(haul_job_give_up(&failing.base, &job, &error));
}

static enum haul_status force_give_up(void)
{
    const struct haul_job job = job_of(ARRIVING);
    return ended(haul_job_force_give_up(&failing.base, &job, true, &error));
}

static enum haul_status end_decided(void)
{
    const struct haul_job job = job_of(DECIDED);
    return ended(haul_job_end_decided(&failing.base, &job, true, &error));
}

static enum haul_status forget_over(void)
{
    const struct haul_job job = job_of(ABORTED);
    return ended(haul_job_forget_over(&failing.base, &job, true, &error));
}

static enum haul_status finish(void)
{
    const struct haul_job job = job_of(ARRIVING);
    enum haul_status status = haul_job_finish(&failing.base, NULL, &job, &error);
    check(status != HAUL_OK); /* it is not committed */
    return status == HAUL_INVALID && strstr(error.text, "too long") == NULL ? HAUL_OK : status;
}

static void damage(uint8_t number)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/db/haul/%s-", number == ARRIVING ? "target" : "source");
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        size_t used = strlen(path);
        (void)snprintf(path + used, sizeof(path) - used, "%02x", number);
    }
    size_t used = strlen(path);
    (void)snprintf(path + used, sizeof(path) - used, ".journal");
    struct fake_inode *file = fake_disk_find(&failing.disk, path);
    check_or_stop(file != NULL);
    memset(file->bytes + 60, 0x55, 30);
    memset(file->platter + 60, 0x55, 30);
}

static void two_are_damaged(void)
{
    leave_all();
    damage(COPYING);
    damage(ARRIVING);
}

static enum haul_status set_aside_source(void)
{
    const struct haul_job job = job_of(COPYING);
    return ended(haul_job_force_give_up(&failing.base, &job, true, &error));
}

/* A journal that is DONE may be left: it counts as gone. */
static void look_gone(bool was_failed)
{
    size_t count = failing_store_file_count(".journal");
    check(was_failed ? count == 3 || count == 4 : count == 3);
}

/* The target has to learn of it. */
static void look_kept(bool was_failed)
{
    (void)was_failed;
    check_equal(failing_store_file_count(".journal"), 4);
}

/* `silent`: calls that tidy up, and those of a first look, which is taken again. */
static void sweep_of_store(void (*prepare)(void), enum haul_status (*act)(void),
                           void (*look)(bool was_failed), unsigned silent)
{
    const struct failing_step step = {.error = &error,
                                      .prepare = prepare,
                                      .act = act,
                                      .look = look,
                                      .disk_calls_min = 6,
                                      .silent = silent,
                                      .silent_memory = true,
                                      /* a damaged journal is one that cannot be read */
                                      .without_memory = prepare == two_are_damaged};
    failing_sweep(&step);
}

static void test_job__nth_call_fails__told_and_ended_when_done_again(void)
{
    sweep_of_store(leave_all, give_up_source, look_kept, 0);
    sweep_of_store(leave_all, give_up_target, look_gone, 0);
    sweep_of_store(leave_all, force_give_up, look_gone, 4);
    sweep_of_store(leave_all, end_decided, look_gone, 1);
    sweep_of_store(leave_all, forget_over, look_gone, 0);
    sweep_of_store(two_are_damaged, set_aside_source, look_gone, 1);
    sweep_of_store(two_are_damaged, force_give_up, look_gone, 1);
}

static int identity_of_copy(void *context, int fd, struct file_identity *identity)
{
    int result = fake_disk_identity(context, fd, identity);
    identity->birth_ns++;
    return result;
}

static void test_job__database_is_a_copy__each_call_refused(void)
{
    enum haul_status (*const acts[])(void) = {give_up_source, give_up_target, force_give_up,
                                              end_decided,    forget_over,    finish};
    leave_all();
    failing.disk.calls.identity = identity_of_copy;
    for (size_t i = 0; i < CHECK_COUNT(acts); i++) {
        check_error(acts[i](), HAUL_MISMATCH, error);
        check(strstr(error.text, "copy") != NULL);
    }
    failing.disk.calls.identity = fake_disk_identity;
    look_unchanged(false);
    failing_store_fini();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_job__nth_call_fails__told_and_ended_when_done_again),
    CHECK_TEST(test_job__database_is_a_copy__each_call_refused),
    CHECK_TEST(test_owner_adopt__nth_call_fails__told_and_adopted_when_done_again),
    CHECK_TEST(test_owner_adopt__lost_its_last_writes__asks_and_says_how),
    CHECK_TEST(test_owner_look_origin__nth_call_fails__told),
    CHECK_TEST(test_owner_forget__nth_call_fails__told_and_unchanged),
    CHECK_TEST(test_owner_rebuild__decided_and_nth_call_fails__told_and_the_same_when_done_again),
};
CHECK_MAIN("owner_sweeps", tests)
