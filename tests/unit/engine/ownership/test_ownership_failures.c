/* SPDX-License-Identifier: Apache-2.0 */
/* test_ownership_failures.c — each call of the disk and each allocation fails in turn in everything
 * that reads or changes the ownership record: it is told, nothing is taken for an answer, and done
 * again it succeeds. */
#include "config_version.h"
#include "failing_store.h"
#include "given_ranges.h"
#include "job_journal.h"
#include "lost_jobs.h"

static const uint8_t gave[HAUL_JOB_BYTES] = {1};
static const uint8_t took[HAUL_JOB_BYTES] = {2};
static const uint8_t next[HAUL_JOB_BYTES] = {3};
static const char peer[] = "peer/1";
static const struct haul_hooks no_hooks;
static struct plan plan; /* of the step */
static struct ownership given;
static struct haul_error error;

/* --- the record ------------------------------------------------------------------------------- */

static void make_plan(struct plan *made, const char *from, const char *to)
{
    static const char *const families[] = {"default", "one"};
    const struct haul_range range = {.start = slice_of(from, strlen(from)),
                                     .end = slice_of(to, strlen(to))};
    const struct haul_source_options options = {.ranges = &range,
                                                .range_count = 1,
                                                .families = families,
                                                .family_count = 2,
                                                .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(made, &failing.base, &options, 0, &error) == HAUL_OK);
    made->old_version = 6;
}

static struct version_move move_of(enum version_outcome outcome, const uint8_t *job,
                                   uint64_t new_version)
{
    return (struct version_move){.outcome = outcome,
                                 .job = job,
                                 .peer = peer,
                                 .plan = &plan,
                                 .new_version = new_version,
                                 .epoch = 1,
                                 .records = 10,
                                 .bytes = 100};
}

static void moved_before(enum version_outcome outcome, const uint8_t *job, const char *from,
                         const char *to, uint64_t new_version)
{
    make_plan(&plan, from, to);
    const struct version_move move = move_of(outcome, job, new_version);
    check_status(config_version_move(&failing.base, &no_hooks, &move, &error), HAUL_OK);
    plan_fini(&plan);
}

/* b..y was given away in two families, and k..m came back. */
static void two_have_moved(void)
{
    static const char *const families[] = {"one"};
    failing_store_init(families, 1);
    moved_before(VERSION_RELEASED, gave, "b", "y", 5);
    moved_before(VERSION_IMPORTED, took, "k", "m", 6);
    make_plan(&plan, "k", "l");
}

static void look(bool was_failed)
{
    (void)was_failed;
    plan_fini(&plan);
}

/* `silent`: calls that only tidy up. */
static void sweep(enum haul_status (*act)(void), unsigned disk_calls_min, unsigned silent)
{
    const struct failing_step step = {.error = &error,
                                      .prepare = two_have_moved,
                                      .act = act,
                                      .look = look,
                                      .disk_calls_min = disk_calls_min,
                                      .silent = silent};
    failing_sweep(&step);
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum haul_status get(void)
{
    struct version_claim claim;
    enum haul_status status = config_version_get(&failing.base, &no_hooks, &claim, &error);
    check(status != HAUL_OK || claim.version == 6);
    return status;
}

static enum haul_status check_plan(void)
{
    return config_version_check(&failing.base, &no_hooks, &plan, &error);
}

static enum haul_status check_peer(void)
{
    return config_version_check_peer(&failing.base, &no_hooks, peer, &plan, &error);
}

static enum haul_status names_family(void)
{
    bool named = false;
    enum haul_status status = config_version_names_family(&failing.base, "one", &named, &error);
    check(status != HAUL_OK || named);
    return status;
}

static enum haul_status released(void)
{
    bool moved = false;
    uint64_t version = 0;
    enum haul_status status =
        config_version_released(&failing.base, gave, &moved, &version, &error);
    check(status != HAUL_OK || (moved && version == 5));
    return status;
}

static enum haul_status imported(void)
{
    bool moved = false;
    uint64_t version = 0;
    enum haul_status status =
        config_version_imported(&failing.base, took, &moved, &version, &error);
    check(status != HAUL_OK || (moved && version == 6));
    return status;
}

static enum haul_status returned(void)
{
    enum version_return answer = (enum version_return)99;
    enum haul_status status = config_version_returned(&failing.base, gave, peer, &answer, &error);
    check(status != HAUL_OK || answer != (enum version_return)99);
    return status;
}

static enum haul_status has_from(void)
{
    bool has = false;
    enum haul_status status = config_version_has_from(&failing.base, &plan, peer, &has, &error);
    check(status != HAUL_OK || has);
    return status;
}

static enum haul_status has_given(void)
{
    bool has = true;
    enum haul_status status = config_version_has_given(&failing.base, &plan, peer, &has, &error);
    check(status != HAUL_OK || !has);
    return status;
}

static void test_config_version__nth_call_fails__told_and_no_answer(void)
{
    enum haul_status (*const acts[])(void) = {get,          check_plan, check_peer,
                                              names_family, released,   imported,
                                              returned,     has_from,   has_given};
    for (size_t i = 0; i < CHECK_COUNT(acts); i++) {
        sweep(acts[i], 1, 0);
    }
}

/* --- changing --------------------------------------------------------------------------------- */

static enum haul_status settle(void)
{
    return config_version_settle(&failing.base, &error);
}

static enum haul_status release(void)
{
    const struct version_move move = move_of(VERSION_RELEASED, next, 7);
    return config_version_move(&failing.base, &no_hooks, &move, &error);
}

static enum haul_status rehearse(void)
{
    const struct version_move move = move_of(VERSION_RELEASED, next, 7);
    return config_version_rehearse(&failing.base, &no_hooks, &move, &error);
}

/* The source has given only a part of the plan. */
static enum haul_status import_given(void)
{
    struct version_move move = move_of(VERSION_IMPORTED, next, 7);
    move.given = &given;
    return config_version_move(&failing.base, &no_hooks, &move, &error);
}

static void given_in_part(void)
{
    struct key_range range;
    two_have_moved();
    plan_fini(&plan);
    make_plan(&plan, "c", "e");
    ownership_init(&given);
    check_or_stop(key_range_init(&range, slice_of("d", 1), slice_of("f", 1)) == HAUL_OK);
    const struct ownership_move part = {
        .family = "one", .ranges = &range, .range_count = 1, .mark = {.state = OWNERSHIP_RELEASED}};
    check_status(ownership_put(&given, &part), HAUL_OK);
    key_range_fini(&range);
}

static void check_given_in_part(bool was_failed)
{
    bool moved = false;
    uint64_t version = 0;
    (void)was_failed;
    check_status(config_version_imported(&failing.base, next, &moved, &version, &error), HAUL_OK);
    check(moved && version == 7);
    plan_fini(&plan);
    make_plan(&plan, "d", "e"); /* of which "default" is still given away */
    check_error(check_plan(), HAUL_MISMATCH, error);
    check(strstr(error.text, "default") != NULL);
    plan_fini(&plan);
    ownership_fini(&given);
}

static void test_config_version_move__nth_call_fails__told_and_moved_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = given_in_part,
                                             .act = import_given,
                                             .look = check_given_in_part,
                                             .disk_calls_min = 5};
    sweep(settle, 1, 1);
    sweep(release, 5, 0);
    sweep(rehearse, 2, 1);
    failing_sweep(&step);
}

/* A change of all families: that the last one worked must not hide that another one did not. */
static void test_ownership_put__all_families_and_memory_runs_out__told(void)
{
    enum { ALLOCATIONS_MIN = 3, ALLOCATIONS_MAX = 50 }; /* one a family at least */
    static const char *const families[] = {"one", "two", ""};
    unsigned at = 1;
    for (bool failed = true; failed && at < ALLOCATIONS_MAX; at++) {
        struct key_range range;
        ownership_init(&given);
        check_or_stop(key_range_init(&range, slice_of("b", 1), slice_of("k", 1)) == HAUL_OK);
        struct ownership_move move = {
            .ranges = &range, .range_count = 1, .mark = {.state = OWNERSHIP_RELEASED}};
        for (size_t i = 0; i < CHECK_COUNT(families); i++) {
            move.family = families[i];
            check_status(ownership_put(&given, &move), HAUL_OK);
        }
        move.mark.state = OWNERSHIP_IMPORTED;
        failing_memory_fail(at);
        enum haul_status status = ownership_put(&given, &move);
        failed = failing_memory_failed();
        check_status(status, failed ? HAUL_NO_MEMORY : HAUL_OK);
        key_range_fini(&range);
        ownership_fini(&given);
    }
    check(at > ALLOCATIONS_MIN && at < ALLOCATIONS_MAX);
}

/* --- an embedder's register ------------------------------------------------------------------- */

static enum haul_status register_fails(void *context, uint64_t *version, struct haul_error *failed)
{
    (void)context;
    *version = 6;
    return haul_error_set(failed, HAUL_TIMEOUT, "register", 0, "the register does not answer");
}

static void test_config_version__register_does_not_answer__told(void)
{
    static const struct haul_hooks hooks = {.version_get = register_fails};
    struct version_claim claim;
    two_have_moved();
    struct version_move move = move_of(VERSION_RELEASED, next, 7);
    move.expected = 6;
    check_error(config_version_get(&failing.base, &hooks, &claim, &error), HAUL_TIMEOUT, error);
    check_error(config_version_move(&failing.base, &hooks, &move, &error), HAUL_TIMEOUT, error);
    check_error(config_version_rehearse(&failing.base, &hooks, &move, &error), HAUL_TIMEOUT, error);
    plan_fini(&plan);
    failing_store_fini();
}

/* --- what was given --------------------------------------------------------------------------- */

static enum haul_status newest(void)
{
    uint8_t job[HAUL_JOB_BYTES] = {0};
    bool found = false;
    enum haul_status status = given_ranges_newest(&failing.base, peer, job, &found, &error);
    check(status != HAUL_OK || (found && memcmp(job, gave, sizeof(job)) == 0));
    return status;
}

static enum haul_status know(void)
{
    bool known = false;
    enum haul_status status = given_ranges_know(&failing.base, gave, peer, &known, &error);
    check(status != HAUL_OK || known);
    return status;
}

static enum haul_status moved(void)
{
    struct digest sum = {.count = 0};
    enum haul_status status = given_ranges_moved(&failing.base, gave, OWNERSHIP_GAVE, &sum, &error);
    check(status != HAUL_OK || sum.count == 10);
    return status;
}

static enum haul_status commit(void)
{
    struct message message;
    struct ownership read;
    enum haul_status status = given_ranges_commit(&failing.base, gave, peer, &message, &error);
    if (status == HAUL_OK) {
        status = given_ranges_read(&read, &message.as.commit, &error);
        check(status != HAUL_OK || read.family_count == 2);
        message_release(&message);
    }
    if (status == HAUL_OK) {
        ownership_fini(&read);
    }
    return status;
}

static void test_given_ranges__nth_call_fails__told_and_no_answer(void)
{
    sweep(newest, 1, 0);
    sweep(know, 1, 0);
    sweep(moved, 1, 0);
    sweep(commit, 1, 0);
}

/* --- jobs of a lost record -------------------------------------------------------------------- */

static enum haul_status list_jobs(void)
{
    struct job_list between = {.size_bytes = 0};
    enum haul_status status = lost_jobs_list(&failing.base, &no_hooks, peer, &between, &error);
    check(status != HAUL_OK || job_list_count(&between) == 2);
    return status;
}

static enum haul_status look_jobs(void)
{
    struct job_list between = {.size_bytes = 0};
    struct job_list lost = {.size_bytes = 0};
    (void)job_list_add(&between, gave);
    (void)job_list_add(&between, next);
    enum haul_status status = lost_jobs_look(&failing.base, &no_hooks, &between, &lost, &error);
    check(status != HAUL_OK || job_list_count(&lost) == 1);
    return status;
}

static enum haul_status note_jobs(void)
{
    struct job_list lost = {.size_bytes = 0};
    (void)job_list_add(&lost, gave);
    return lost_jobs_note(&failing.base, peer, &lost, &error);
}

static enum haul_status check_jobs(void)
{
    const struct failing_held held = failing_hold();
    struct owner_piece piece = {.family = "default"};
    const struct owner_pieces pieces = {.items = &piece, .count = 1};
    check_or_stop(key_range_init(&piece.range, slice_of("c", 1), slice_of("d", 1)) == HAUL_OK);
    failing_go_on(&held);
    enum haul_status status = lost_jobs_check(&failing.base, &pieces, &error);
    key_range_fini(&piece.range);
    return status;
}

static void test_lost_jobs__nth_call_fails__told_and_no_answer(void)
{
    sweep(list_jobs, 1, 0);
    sweep(look_jobs, 1, 0);
    sweep(note_jobs, 4, 0);
    sweep(check_jobs, 1, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_config_version__nth_call_fails__told_and_no_answer),
    CHECK_TEST(test_config_version_move__nth_call_fails__told_and_moved_when_done_again),
    CHECK_TEST(test_ownership_put__all_families_and_memory_runs_out__told),
    CHECK_TEST(test_config_version__register_does_not_answer__told),
    CHECK_TEST(test_given_ranges__nth_call_fails__told_and_no_answer),
    CHECK_TEST(test_lost_jobs__nth_call_fails__told_and_no_answer),
};
CHECK_MAIN("ownership_failures", tests)
