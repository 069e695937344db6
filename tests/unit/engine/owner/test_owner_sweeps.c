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
    return status == HAUL_UNCONFIRMED ? HAUL_OK : status;
}

static enum haul_status forget_unconfirmed(void)
{
    const struct instance_place place = here("in memory");
    enum haul_status status = owner_forget(&place, false, &error);
    check(status != HAUL_OK);
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

static void test_owner_look_origin__nth_call_fails__told(void)
{
    sweep(origin, look_unchanged, 6, 0);
}

static void test_owner_forget__nth_call_fails__told_and_unchanged(void)
{
    sweep(forget_unconfirmed, look_unchanged, 4, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_adopt__nth_call_fails__told_and_adopted_when_done_again),
    CHECK_TEST(test_owner_look_origin__nth_call_fails__told),
    CHECK_TEST(test_owner_forget__nth_call_fails__told_and_unchanged),
};
CHECK_MAIN("owner_sweeps", tests)
