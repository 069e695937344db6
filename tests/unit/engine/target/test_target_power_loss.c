/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_power_loss.c — the target's records when a call of the disk fails and the power fails
 * after it: every answer holds, with a register of the embedder's and without. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config_version.h"
#include "fake_disk.h"
#include "rocks_fixture.h"
#include "target_admission.h"
#include "target_journal.h"

enum { SEED_COUNT = 4, SWEEP_CALLS_MAX = 128, NEW_VERSION = 5 };

static struct rocks_fixture fixture; /* the records of keys; journals lie on the fake disk */
static struct haul_store_ops ops;
static struct fake_disk disk;
static struct haul_target_options options;
static struct target_journal journal;
static struct haul_error error;

/* The embedder's register, which keeps what it was given. */
static uint64_t embedder_version;
static bool embedder_owns;

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

static enum haul_status get_version(void *context, uint64_t *version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    *version = embedder_version;
    return HAUL_OK;
}

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    check_equal(new_version, NEW_VERSION);
    embedder_version = new_version;
    embedder_owns = true;
    return HAUL_OK;
}

static bool was_owned(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    (void)context;
    (void)job;
    return embedder_owns;
}

static void start(bool has_register)
{
    rocks_fixture_open(&fixture);
    ops = *fixture.store->ops;
    ops.directory = disk_directory;
    ops.files = disk_files;
    fixture.store->ops = &ops;
    options = (struct haul_target_options){.store = fixture.store};
    if (has_register) {
        options.hooks =
            (struct haul_hooks){.version_get = get_version, .own = own, .was_owned = was_owned};
    }
}

static void greet(bool resume)
{
    haul_control_Hello hello = {.epoch = 1, .resume = resume};
    uint64_t new_version = 0;
    hello.job.size = HAUL_JOB_BYTES;
    memset(hello.job.bytes, 1, HAUL_JOB_BYTES);
    target_journal_init(&journal, &options);
    check_status(target_journal_look_up(&journal, &hello, &new_version, &error), HAUL_OK);
}

static enum haul_status prepare(void)
{
    haul_control_Prepare message = {.new_version = NEW_VERSION, .epoch = 1};
    struct digest digests[1] = {{.count = 0}};
    return target_journal_prepare(&journal, &message, digests, &error);
}

/* A job that has copied everything, on a new disk. */
static void copy_all(unsigned seed)
{
    struct haul_source_options source = {.lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    fake_disk_init(&disk, seed);
    embedder_version = NEW_VERSION - 1;
    embedder_owns = false;
    greet(false);
    check_or_stop(plan_make(&plan, fixture.store, &source, NEW_VERSION - 1, &error) == HAUL_OK);
    plan.new_version = NEW_VERSION;
    check_status(target_admission_check(&journal, &plan, &error), HAUL_OK);
}

/* The job's state for a process that comes after the power loss. */
static enum job_knowledge look_after_power_loss(void)
{
    fake_disk_fail(&disk, 0, false);
    target_journal_fini(&journal);
    fake_disk_crash(&disk);
    greet(true);
    return journal.knowledge;
}

static void finish_disk(void)
{
    target_journal_fini(&journal);
    fake_disk_fini(&disk);
}

static enum haul_status prepare_with_fault(unsigned call, unsigned seed)
{
    copy_all(seed);
    fake_disk_fail(&disk, call, false);
    enum haul_status status = prepare();
    enum job_knowledge knowledge = look_after_power_loss();
    check(knowledge == JOB_PREPARED || (status != HAUL_OK && knowledge == JOB_COPYING));
    finish_disk();
    return status;
}

/* Own with a fault: once an answer was given it owns for good, and a prepared job stays
 * prepared. */
static enum haul_status own_with_fault(unsigned call, unsigned seed)
{
    bool moved = false;
    uint64_t new_version = 0;
    copy_all(seed);
    check_status(prepare(), HAUL_OK);
    fake_disk_fail(&disk, call, false);
    enum haul_status status = target_journal_own(&journal, NEW_VERSION, &error);
    bool was_told = embedder_owns;
    enum job_knowledge knowledge = look_after_power_loss();
    check(knowledge == JOB_COMMITTED ||
          (knowledge == JOB_PREPARED && status != HAUL_OK && !was_told));
    check_status(config_version_imported(fixture.store, journal.job, &moved, &new_version, &error),
                 HAUL_OK);
    bool has_register = options.hooks.version_get != NULL;
    check(has_register ? embedder_owns == (knowledge == JOB_COMMITTED)
                       : moved == (knowledge == JOB_COMMITTED));
    finish_disk();
    return status;
}

/* Every call of the disk fails once; `step` returns OK when it reached none. */
static void sweep(enum haul_status (*step)(unsigned call, unsigned seed), unsigned calls_min)
{
    unsigned call = 0;
    bool reached = true;
    for (; reached && call < SWEEP_CALLS_MAX; call++) {
        reached = call == 0;
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            enum haul_status status = step(call, seed);
            check(call > 0 || status == HAUL_OK);
            reached = reached || disk.call_count == 0 || status != HAUL_OK;
        }
    }
    check(call >= calls_min && call < SWEEP_CALLS_MAX);
}

static void test_target_journal_prepare__power_loss__prepared_when_it_said_so(void)
{
    start(true);
    sweep(prepare_with_fault, 2);
    rocks_fixture_close(&fixture);
}

static void test_target_journal_own__embedders_register_and_power_loss__told_only_when_durable(void)
{
    start(true);
    sweep(own_with_fault, 2);
    rocks_fixture_close(&fixture);
}

static void test_target_journal_own__own_record_and_power_loss__owned_for_good(void)
{
    start(false);
    sweep(own_with_fault, 2);
    rocks_fixture_close(&fixture);
}

/* A source never resends what its target has reported as durable. */
static void test_target_journal_positions__power_loss__positions_stay(void)
{
    const struct stream_position position = {
        .stream = 0, .next_batch = 7, .finished = true, .resumable = true};
    start(true);
    for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
        copy_all(seed);
        check_status(target_journal_positions(&journal, &position, 1, &error), HAUL_OK);
        check_equal(look_after_power_loss(), JOB_COPYING);
        const struct journal_stream *found = NULL;
        for (size_t i = 0; i < journal_state(journal.file)->stream_count; i++) {
            found = &journal_state(journal.file)->streams[i];
        }
        check(found != NULL && found->position.next_batch == 7 && found->position.finished);
        finish_disk();
    }
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_journal_positions__power_loss__positions_stay),
    CHECK_TEST(test_target_journal_prepare__power_loss__prepared_when_it_said_so),
    CHECK_TEST(test_target_journal_own__embedders_register_and_power_loss__told_only_when_durable),
    CHECK_TEST(test_target_journal_own__own_record_and_power_loss__owned_for_good),
};
CHECK_MAIN("target_power_loss", tests)
