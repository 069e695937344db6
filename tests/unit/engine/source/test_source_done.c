/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_done.c — answers of a source's record: to a target that has given back something the
 * source does not know of, and to one that waits for jobs that are done. */
#include "source_done.h"

#include <string.h>

#include "failing_store.h"
#include "job_journal.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1};
static const uint8_t second_job[HAUL_JOB_BYTES] = {2};
static const uint8_t return_job[HAUL_JOB_BYTES] = {3};
static const struct haul_hooks no_hooks;
static struct haul_source_options options;
static struct source_journal journal;
static struct haul_error error;
static char last_warning[512];

static void write_log(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)snprintf(last_warning, sizeof(last_warning), "%s", line);
}

static const struct haul_log log_of_test = {.write = write_log, .level_max = HAUL_LOG_WARNING};

static void start(void)
{
    failing_store_init(NULL, 0);
    options = (struct haul_source_options){.store = &failing.base, .log = &log_of_test};
    source_journal_init(&journal, &options);
    (void)snprintf(journal.peer, sizeof(journal.peer), "peer/1");
    last_warning[0] = '\0';
    memset(&error, 0, sizeof(error));
}

static void finish(void)
{
    source_journal_fini(&journal);
    failing_store_fini();
}

static void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = slice_of(from, 1), .end = slice_of(to, 1)};
    const struct haul_source_options asked = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, &failing.base, &asked, 0, &error) == HAUL_OK);
}

static void move(enum version_outcome outcome, const uint8_t *id, const char *from, const char *to)
{
    struct plan plan;
    make_plan(&plan, from, to);
    const struct version_move moved = {.outcome = outcome,
                                       .job = id,
                                       .peer = "peer/1",
                                       .plan = &plan,
                                       .new_version = 5,
                                       .epoch = 1};
    check_status(config_version_move(&failing.base, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
}

static enum haul_status returned(const char *from, const char *to, enum version_return how,
                                 bool is_named)
{
    struct plan plan;
    make_plan(&plan, from, to);
    if (is_named) {
        source_done_note_lost(&journal, return_job);
    }
    enum haul_status status = source_done_check_returned(&journal, &plan, how, is_named, &error);
    plan_fini(&plan);
    return status;
}

/* --- given back ------------------------------------------------------------------------------- */

/* Two decided jobs: the answer to one does not leave the other one without an owner. */
static void test_source_done_check_returned__not_known_here__each_job_is_in_doubt(void)
{
    bool moved = true;
    uint64_t version = 0;
    start();
    move(VERSION_RELEASED, job, "b", "k");
    move(VERSION_RELEASED, second_job, "m", "y");
    check_status(returned("b", "k", VERSION_RETURNED, true), HAUL_MISMATCH);
    check(strstr(error.text, "nobody owns") != NULL);
    check(strstr(error.hint, "--reclaim --accept-two-owners") != NULL);
    check(strstr(last_warning, "set back") != NULL);
    check_status(returned("m", "y", VERSION_RETURNED, true), HAUL_MISMATCH);
    check_status(returned("b", "k", VERSION_RETURNED, true), HAUL_MISMATCH);
    check_status(config_version_imported(&failing.base, return_job, &moved, &version, &error),
                 HAUL_OK);
    check(!moved);
    finish();
}

static void test_source_done_check_returned__a_part_not_known_here__nobody_knows_which(void)
{
    start();
    move(VERSION_RELEASED, job, "b", "k");
    check_status(returned("b", "k", VERSION_PERHAPS_RETURNED, true), HAUL_MISMATCH);
    check(strstr(error.text, "nobody knows which") != NULL);
    check(strstr(error.hint, "for those that it gave back: `haul owner --reclaim") != NULL);
    finish();
}

/* An older release reports that everything came back, but not by which job. */
static void test_source_done_check_returned__not_named__the_map_tells(void)
{
    start();
    move(VERSION_RELEASED, job, "b", "k");
    check_status(returned("b", "k", VERSION_RETURNED, false), HAUL_MISMATCH);
    check_status(returned("b", "k", VERSION_KEPT, false), HAUL_OK);
    check_status(returned("b", "k", VERSION_RETURN_UNTOLD, false), HAUL_OK);
    move(VERSION_IMPORTED, return_job, "b", "k");
    check_status(returned("b", "k", VERSION_RETURNED, false), HAUL_OK);
    finish();
}

/* The report is recorded durably first; then the journal is removed. */
static void test_source_done_check_returned__known_here__settled_and_no_matter(void)
{
    start();
    move(VERSION_RELEASED, job, "b", "k");
    move(VERSION_IMPORTED, return_job, "b", "d");
    check_status(returned("b", "k", VERSION_PERHAPS_RETURNED, true), HAUL_OK);
    check_text(last_warning, "");
    source_done_note_lost(&journal, return_job);
    fake_disk_fail(&failing.disk, 1, true);
    struct plan plan;
    make_plan(&plan, "b", "k");
    check(source_done_check_returned(&journal, &plan, VERSION_RETURNED, true, &error) != HAUL_OK);
    plan_fini(&plan);
    fake_disk_fail(&failing.disk, 0, false);
    finish();
}

/* The operator has taken it back meanwhile: no part is left without an owner. */
static void test_source_done_check_returned__not_known_and_owned_here__no_matter(void)
{
    start();
    move(VERSION_RELEASED, job, "b", "k");
    move(VERSION_IMPORTED, second_job, "b", "k");
    check_status(returned("b", "k", VERSION_RETURNED, true), HAUL_OK);
    finish();
}

static enum haul_status get_version(void *context, uint64_t *version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    *version = 7;
    return HAUL_OK;
}

/* The embedder's register knows who owns; what lies beside the database does not count. */
static void test_source_done_check_returned__embedder_has_a_register__no_matter(void)
{
    start();
    move(VERSION_RELEASED, job, "b", "k");
    options.hooks.version_get = get_version;
    check_status(returned("b", "k", VERSION_RETURNED, false), HAUL_OK);
    check_status(returned("b", "k", VERSION_PERHAPS_RETURNED, true), HAUL_OK);
    options.hooks.version_get = NULL;
    check_status(returned("b", "k", VERSION_RETURNED, false), HAUL_MISMATCH);
    finish();
}

/* --- waiting ---------------------------------------------------------------------------------- */

static enum haul_status answer(const uint8_t *waiting, size_t count, struct message *commit,
                               bool *asks_again)
{
    const struct source_done_peer peer = {.knowledge = JOB_PREPARED,
                                          .waiting = slice_of(waiting, count * HAUL_JOB_BYTES)};
    memset(commit, 0, sizeof(*commit));
    *asks_again = false;
    error = (struct haul_error){.status = HAUL_NOT_FOUND};
    return source_done_answer(&journal, &peer, commit, asks_again, &error);
}

/* The target waits for both jobs, of which nothing is left here; the last Hello named the first. */
static void both_are_waited_for(uint8_t waiting[2 * HAUL_JOB_BYTES])
{
    memcpy(waiting, job, HAUL_JOB_BYTES);
    memcpy(waiting + HAUL_JOB_BYTES, second_job, HAUL_JOB_BYTES);
    check_status(source_done_adopt(&journal, &error), HAUL_OK);
    memcpy(journal.job, job, HAUL_JOB_BYTES);
}

/* The target waits for a job of which nothing is left, and for another one. */
static void test_source_done_answer__first_one_came_back__the_other_one_is_answered(void)
{
    struct message commit;
    uint8_t waiting[2 * HAUL_JOB_BYTES];
    bool asks_again = false;
    start();
    move(VERSION_RELEASED, job, "b", "k");
    move(VERSION_RELEASED, second_job, "m", "y");
    move(VERSION_IMPORTED, return_job, "b", "k");
    both_are_waited_for(waiting);
    check_error(answer(waiting, 2, &commit, &asks_again), HAUL_UNCONFIRMED, error);
    check(!asks_again && !journal.answered && commit.type != MESSAGE_COMMIT);
    check(strstr(error.hint, "--accept-two-owners") != NULL);
    options.accept_two_owners = true;
    check_status(answer(waiting, 2, &commit, &asks_again), HAUL_OK);
    check(asks_again && commit.type != MESSAGE_COMMIT);
    check(memcmp(journal.job, second_job, HAUL_JOB_BYTES) == 0);
    check_status(answer(waiting, 2, &commit, &asks_again), HAUL_OK);
    check(!asks_again && journal.answered && commit.type == MESSAGE_COMMIT);
    check(strstr(last_warning, "more finished jobs (1)") != NULL);
    message_release(&commit);
    finish();
}

/* One at a time; how many more there are is for the operator. */
static void
test_source_done_answer__both_can_be_answered__the_first_and_the_others_are_counted(void)
{
    struct message commit;
    uint8_t waiting[2 * HAUL_JOB_BYTES];
    bool asks_again = false;
    start();
    move(VERSION_RELEASED, job, "b", "k");
    move(VERSION_RELEASED, second_job, "m", "y");
    both_are_waited_for(waiting);
    options.accept_two_owners = true;
    check_status(answer(waiting, 2, &commit, &asks_again), HAUL_OK);
    check(!asks_again && journal.answered && commit.type == MESSAGE_COMMIT);
    check(strstr(last_warning, "more finished jobs (1)") != NULL);
    message_release(&commit);
    finish();
}

static void test_source_done_answer__all_came_back__the_first_ones_reason(void)
{
    struct message commit;
    bool asks_again = true;
    start();
    move(VERSION_RELEASED, job, "b", "k");
    move(VERSION_IMPORTED, return_job, "b", "k");
    check_status(answer(job, 1, &commit, &asks_again), HAUL_MISMATCH);
    check(strstr(error.hint, "haul verify --to") != NULL);
    check(!asks_again && !journal.answered && commit.type != MESSAGE_COMMIT);
    check_status(answer(second_job, 1, &commit, &asks_again), HAUL_NOT_FOUND); /* unknown */
    finish();
}

/* --- the freeze ------------------------------------------------------------------------------- */

/* The number of a decided job's last freeze; none of another job, nor of one whose journal was set
 * back to before the decision. */
static void test_source_done_frozen_at__each_step_of_a_job__that_of_the_decision(void)
{
    for (int restored = 0; restored < 2; restored++) {
        struct plan plan;
        start();
        failing_store_put(0, "k");
        check_equal(source_done_frozen_at(&journal), 0);
        make_plan(&plan, "b", "k");
        plan.new_version = 1;
        memcpy(journal.job, job, HAUL_JOB_BYTES);
        check_status(source_journal_begin(&journal, &plan, failing.sequence, &error), HAUL_OK);
        check_status(source_journal_frozen(&journal, &error), HAUL_OK);
        check(journal_state(journal.file)->frozen_sequence > 0);
        check_equal(source_done_frozen_at(&journal), 0);
        if (restored != 0) {
            check_status(job_journal_mark(journal.file, JOURNAL_RESTORED, true, &error), HAUL_OK);
        }
        check_status(source_journal_decide(&journal, &plan, 0, &error), HAUL_OK);
        check_equal(source_done_frozen_at(&journal), restored != 0 ? 0 : failing.sequence);
        plan_fini(&plan);
        finish();
    }
}

/* --- what an operator can do ------------------------------------------------------------------ */

static void test_source_done_hint__nothing_given_and_a_range_given__names_resolve_then(void)
{
    start();
    source_done_hint(&journal, &error);
    check(strstr(error.hint, "`haul send` begins a new one") != NULL);
    check(strstr(error.hint, "haul resolve") == NULL);
    move(VERSION_RELEASED, job, "b", "k");
    source_done_hint(&journal, &error);
    check(strstr(error.hint, "waits for a finished one: `haul resolve --db DIR") != NULL);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_done_check_returned__not_known_here__each_job_is_in_doubt),
    CHECK_TEST(test_source_done_check_returned__a_part_not_known_here__nobody_knows_which),
    CHECK_TEST(test_source_done_check_returned__not_named__the_map_tells),
    CHECK_TEST(test_source_done_check_returned__known_here__settled_and_no_matter),
    CHECK_TEST(test_source_done_check_returned__not_known_and_owned_here__no_matter),
    CHECK_TEST(test_source_done_check_returned__embedder_has_a_register__no_matter),
    CHECK_TEST(test_source_done_answer__first_one_came_back__the_other_one_is_answered),
    CHECK_TEST(test_source_done_answer__both_can_be_answered__the_first_and_the_others_are_counted),
    CHECK_TEST(test_source_done_answer__all_came_back__the_first_ones_reason),
    CHECK_TEST(test_source_done_hint__nothing_given_and_a_range_given__names_resolve_then),
    CHECK_TEST(test_source_done_frozen_at__each_step_of_a_job__that_of_the_decision),
};

CHECK_MAIN("source_done", tests)
