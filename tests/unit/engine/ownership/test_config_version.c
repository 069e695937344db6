/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_version.c — the config version in force: from the file beside a database, or from the
 * hooks. */
#include "config_version.h"
#include "haul_folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "fake_disk.h"
#include "ownership_file.h"
#include "plan.h"
#include "rocks_fixture.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1, 2, 3};
static const uint8_t other_job[HAUL_JOB_BYTES] = {9};
static const struct haul_hooks no_hooks;
static struct rocks_fixture fixture;
static struct plan plan;
static struct haul_error error;
static uint64_t hook_version;

static enum haul_status get_hook_version(void *context, uint64_t *version,
                                         struct haul_error *failed)
{
    (void)failed;
    *version = *(uint64_t *)context;
    return HAUL_OK;
}

static struct haul_hooks version_hooks(void)
{
    return (struct haul_hooks){.context = &hook_version, .version_get = get_hook_version};
}

/* As the other side decodes it: with memory for what it has, and none behind. */
static void decode_plan(void)
{
    struct message message;
    plan.new_version = plan.old_version + 1;
    check_or_stop(plan_to_message(&plan, &message) == HAUL_OK);
    plan_fini(&plan);
    check_or_stop(plan_from_message(&plan, &message, &error) == HAUL_OK);
    message_release(&message);
}

static void start(void)
{
    struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    decode_plan();
}

static void finish(void)
{
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static enum haul_status move_job(const struct haul_hooks *hooks, enum version_outcome outcome,
                                 const uint8_t *id, uint64_t new_version)
{
    const struct version_move move = {.outcome = outcome,
                                      .job = id,
                                      .peer = "the other database",
                                      .plan = &plan,
                                      .expected = hook_version,
                                      .new_version = new_version,
                                      .epoch = 1};
    return config_version_move(fixture.store, hooks, &move, &error);
}

static enum haul_status move(enum version_outcome outcome, uint64_t new_version)
{
    return move_job(&no_hooks, outcome, job, new_version);
}

static void check_version(uint64_t expected)
{
    struct version_claim claim = {.version = UINT64_MAX, .authoritative = true};
    check_status(config_version_get(fixture.store, &no_hooks, &claim, &error), HAUL_OK);
    check_equal(claim.version, expected);
    check(!claim.authoritative);
}

static bool is_released(const uint8_t *of)
{
    bool released = false;
    uint64_t new_version = 0;
    check_status(config_version_released(fixture.store, of, &released, &new_version, &error),
                 HAUL_OK);
    check(!released || new_version == 5);
    return released;
}

static void test_config_version_get__no_file__counter_at_0(void)
{
    start();
    check_version(0);
    finish();
}

static void test_config_version_get__hook__its_version(void)
{
    start();
    struct haul_hooks hooks = version_hooks();
    struct version_claim claim = {.version = 0};
    hook_version = 77;
    check_status(config_version_get(fixture.store, &hooks, &claim, &error), HAUL_OK);
    check_equal(claim.version, 77);
    check(claim.authoritative);
    finish();
}

static void test_config_version_move__released__kept_and_range_refused(void)
{
    start();
    check_status(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    check(!is_released(job));
    check_status(move(VERSION_RELEASED, 5), HAUL_OK);
    rocks_fixture_reopen(&fixture);
    check_version(5);
    check(is_released(job));
    check(!is_released(other_job));
    check_error(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_MISMATCH,
                error);
    check(strstr(error.text, "the other database") != NULL);
    finish();
}

static void test_config_version_move__imported__ours_to_send(void)
{
    start();
    check_status(move(VERSION_IMPORTED, 5), HAUL_OK);
    check_version(5);
    check(!is_released(job));
    check_status(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    finish();
}

/* Any part that was handed over counts, in whichever family and range of the plan. */
static void test_config_version_check__second_family_handed_over__mismatch(void)
{
    static const char *const names[] = {"default", "second"};
    struct plan whole;
    start();
    (void)rocks_fixture_family(&fixture, "second");
    struct haul_source_options options = {
        .lane = HAUL_LANE_WRITE_BATCH, .families = &names[1], .family_count = 1};
    plan_fini(&plan);
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    check_status(move(VERSION_RELEASED, 5), HAUL_OK);
    options.families = names;
    options.family_count = 2;
    check_or_stop(plan_make(&whole, fixture.store, &options, 0, &error) == HAUL_OK);
    check_error(config_version_check(fixture.store, &no_hooks, &whole, &error), HAUL_MISMATCH,
                error);
    check(strstr(error.text, "'second'") != NULL);
    plan_fini(&whole);
    options.family_count = 1;
    check_or_stop(plan_make(&whole, fixture.store, &options, 0, &error) == HAUL_OK);
    check_status(config_version_check(fixture.store, &no_hooks, &whole, &error), HAUL_OK);
    plan_fini(&whole);
    finish();
}

/* The job moves all families of the plan. */
static void test_config_version_move__two_families__both_are_handed_over(void)
{
    static const char *const names[] = {"default", "second"};
    struct plan part;
    start();
    (void)rocks_fixture_family(&fixture, "second");
    struct haul_source_options options = {
        .lane = HAUL_LANE_WRITE_BATCH, .families = names, .family_count = 2};
    plan_fini(&plan);
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    check_status(move(VERSION_RELEASED, 5), HAUL_OK);
    options.family_count = 1;
    for (size_t i = 0; i < 2; i++) {
        options.families = &names[i];
        check_or_stop(plan_make(&part, fixture.store, &options, 0, &error) == HAUL_OK);
        check_error(config_version_check(fixture.store, &no_hooks, &part, &error), HAUL_MISMATCH,
                    error);
        check(strstr(error.text, names[i]) != NULL);
        plan_fini(&part);
    }
    finish();
}

/* Every attempt of a job has a later epoch; the first attempt of the next job begins at 1 again. */
static void test_config_version_move__after_a_job_of_many_attempts__moves(void)
{
    struct version_move to = {
        .outcome = VERSION_IMPORTED, .job = job, .peer = "", .plan = &plan, .new_version = 1};
    struct ownership ownership;
    char directory[300];
    start();
    to.epoch = 3;
    check_status(config_version_move(fixture.store, &no_hooks, &to, &error), HAUL_OK);
    to.job = other_job;
    to.epoch = 1;
    check_status(config_version_move(fixture.store, &no_hooks, &to, &error), HAUL_OK);
    check_version(2);
    check_or_stop(haul_directory_of(fixture.store, directory, sizeof(directory)));
    check_or_stop(ownership_read(NULL, directory, &ownership, &error) == HAUL_OK);
    check_equal(ownership.epoch, 3);
    ownership_fini(&ownership);
    finish();
}

/* Other jobs raised the version while this one ran: that does not fail it. */
static void test_config_version_move__version_went_on__one_later(void)
{
    start();
    check_status(move(VERSION_IMPORTED, 5), HAUL_OK);
    check_status(move_job(&no_hooks, VERSION_IMPORTED, other_job, 3), HAUL_OK);
    check_version(6);
    finish();
}

static void test_config_version_move__another_job_moved_a_part__fenced_unchanged(void)
{
    start();
    check_status(move_job(&no_hooks, VERSION_RELEASED, other_job, 5), HAUL_OK);
    check_status(move(VERSION_RELEASED, 6), HAUL_FENCED);
    check_version(5);
    check(!is_released(job));
    finish();
}

/* The database owns what came back, and not the rest. */
static void test_config_version_check__part_taken_back__mismatch(void)
{
    struct key_range range;
    start();
    check_status(move(VERSION_RELEASED, 1), HAUL_OK);
    check_or_stop(key_range_init(&range, slice_of("m", 1), slice_of("q", 1)) == HAUL_OK);
    struct plan part = plan;
    part.ranges = &range;
    part.range_count = 1;
    const struct version_move back = {.outcome = VERSION_IMPORTED,
                                      .job = other_job,
                                      .peer = "the other database",
                                      .plan = &part,
                                      .new_version = 2,
                                      .epoch = 1};
    check_status(config_version_move(fixture.store, &no_hooks, &back, &error), HAUL_OK);
    check_status(config_version_check(fixture.store, &no_hooks, &part, &error), HAUL_OK);
    check_error(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_MISMATCH,
                error);
    key_range_fini(&range);
    finish();
}

static void test_config_version_move__moved_before__nothing_moves(void)
{
    start();
    check_status(move(VERSION_RELEASED, 5), HAUL_OK);
    check_status(move(VERSION_RELEASED, 5), HAUL_OK);
    check_version(5);
    /* The range came back: the job's hand-over is not repeated. */
    check_status(move_job(&no_hooks, VERSION_IMPORTED, other_job, 6), HAUL_OK);
    check_status(move(VERSION_RELEASED, 5), HAUL_OK);
    check_status(config_version_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    check_version(6);
    finish();
}

static void test_config_version_rehearse__would_fail__same_error_and_unchanged(void)
{
    const struct version_move to = {
        .outcome = VERSION_RELEASED, .job = job, .peer = "", .plan = &plan, .new_version = 9};
    start();
    check_status(config_version_rehearse(fixture.store, &no_hooks, &to, &error), HAUL_OK);
    check_version(0);
    check_status(move_job(&no_hooks, VERSION_RELEASED, other_job, 5), HAUL_OK);
    check_error(config_version_rehearse(fixture.store, &no_hooks, &to, &error), HAUL_FENCED, error);
    check_version(5);
    finish();
}

/* The embedder owns the register: it is compared, and nothing is written beside the database. */
/* Whether the peer, at this version, may still own what it sends. */
static enum haul_status peer_at(const char *peer, uint64_t version)
{
    plan.old_version = version;
    memset(&error, 0, sizeof(error));
    enum haul_status status =
        config_version_check_peer(fixture.store, &no_hooks, peer, &plan, &error);
    plan.old_version = 0;
    return status;
}

static void test_config_version_check_peer__older_than_its_own_hand_over__mismatch(void)
{
    start();
    check_status(peer_at("the other database", 0), HAUL_OK);
    check_status(move(VERSION_IMPORTED, 5), HAUL_OK);
    check_status(peer_at("the other database", 4), HAUL_MISMATCH);
    check(strstr(error.text, "at version 5, and is at version 4") != NULL);
    check_status(peer_at("the other database", 5), HAUL_OK);
    check_status(peer_at("a third database", 4), HAUL_OK);
    check_status(peer_at("", 4), HAUL_OK);
    hook_version = 4;
    const struct haul_hooks hooks = version_hooks();
    check_status(
        config_version_check_peer(fixture.store, &hooks, "the other database", &plan, &error),
        HAUL_OK);
    finish();
}

/* Ranges that went on to a third database do not belong to the first either; returned ones do. */
static void test_config_version_check_peer__moved_on__mismatch_unless_to_the_peer(void)
{
    for (int back = 0; back < 2; back++) {
        start();
        check_status(move(VERSION_IMPORTED, 5), HAUL_OK);
        const struct version_move on = {.outcome = VERSION_RELEASED,
                                        .job = other_job,
                                        .peer = back == 1 ? "the other database" : "a third",
                                        .plan = &plan,
                                        .new_version = 6,
                                        .epoch = 1};
        check_status(config_version_move(fixture.store, &no_hooks, &on, &error), HAUL_OK);
        check_status(peer_at("the other database", 4), back == 1 ? HAUL_OK : HAUL_MISMATCH);
        check_status(peer_at("a third", 4), HAUL_OK);
        finish();
    }
}

static void test_config_version_check_peer__other_ranges__nothing_against_them(void)
{
    struct plan part;
    const struct haul_range range = {.start = text_slice("x"), .end = text_slice("y")};
    struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    start();
    check_or_stop(plan_make(&part, fixture.store, &options, 0, &error) == HAUL_OK);
    const struct version_move took = {.outcome = VERSION_IMPORTED,
                                      .job = job,
                                      .peer = "the other database",
                                      .plan = &part,
                                      .new_version = 5,
                                      .epoch = 1};
    check_status(config_version_move(fixture.store, &no_hooks, &took, &error), HAUL_OK);
    check_status(peer_at("the other database", 4), HAUL_MISMATCH);
    struct plan whole = plan;
    const struct haul_range after = {.start = text_slice("y"), .end = text_slice("z")};
    options.ranges = &after;
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    check_status(peer_at("the other database", 4), HAUL_OK);
    plan_fini(&plan);
    plan = whole;
    plan_fini(&part);
    finish();
}

static void move_with(const char *peer, enum version_outcome outcome, const uint8_t *id,
                      const char *from, const char *to)
{
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan part;
    check_or_stop(plan_make(&part, fixture.store, &options, 0, &error) == HAUL_OK);
    const struct version_move moved = {
        .outcome = outcome, .job = id, .peer = peer, .plan = &part, .new_version = 1, .epoch = 1};
    check_status(config_version_move(fixture.store, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&part);
}

static enum version_return returned_to(const char *peer)
{
    enum version_return returned = VERSION_RETURN_UNTOLD;
    check_status(config_version_returned(fixture.store, job, peer, &returned, &error), HAUL_OK);
    return returned;
}

/* What the peer gave away before the job came, or to others, does not matter for the job. */
static void test_config_version_returned__given_back__all_or_perhaps(void)
{
    static const uint8_t ids[4][HAUL_JOB_BYTES] = {{11}, {12}, {13}, {14}};
    bool has = false;
    start();
    move_with("peer/1", VERSION_RELEASED, ids[0], "a", "b");
    move_with("peer/1", VERSION_IMPORTED, job, "k", "m");
    check_equal(returned_to("peer/1"), VERSION_KEPT);
    check_status(config_version_has_from(fixture.store, &plan, "peer/1", &has, &error), HAUL_OK);
    check(has);
    check_status(config_version_has_from(fixture.store, &plan, "peer/2", &has, &error), HAUL_OK);
    check(!has);
    move_with("peer/2", VERSION_RELEASED, ids[1], "l", "m");
    check_equal(returned_to("peer/1"), VERSION_KEPT);
    move_with("peer/1", VERSION_RELEASED, ids[2], "k", "l");
    check_equal(returned_to("peer/1"), VERSION_PERHAPS_RETURNED);
    check_status(config_version_has_from(fixture.store, &plan, "peer/1", &has, &error), HAUL_OK);
    check(!has);
    move_with("peer/2", VERSION_IMPORTED, ids[3], "l", "m");
    move_with("peer/1", VERSION_RELEASED, ids[3], "l", "m");
    check_equal(returned_to("peer/1"), VERSION_RETURNED);
    finish();
}

/* The history does not reach back that far. */
static void test_config_version_returned__job_is_not_in_the_history__by_the_map(void)
{
    static const uint8_t other[HAUL_JOB_BYTES] = {11};
    start();
    move_with("peer/1", VERSION_IMPORTED, other, "k", "m");
    check_equal(returned_to("peer/1"), VERSION_KEPT);
    move_with("peer/1", VERSION_RELEASED, other, "k", "l");
    check_equal(returned_to("peer/1"), VERSION_PERHAPS_RETURNED);
    move_with("peer/1", VERSION_RELEASED, other_job, "l", "m");
    check_equal(returned_to("peer/1"), VERSION_RETURNED);
    finish();
}

static void test_config_version_move__hook__compared_no_file(void)
{
    start();
    struct haul_hooks hooks = version_hooks();
    const struct version_move late = {
        .outcome = VERSION_RELEASED, .job = job, .peer = "", .plan = &plan, .expected = 4};
    hook_version = 5;
    check_status(move_job(&hooks, VERSION_RELEASED, job, 6), HAUL_OK);
    check_error(config_version_move(fixture.store, &hooks, &late, &error), HAUL_FENCED, error);
    check_version(0);
    finish();
}

/* The source decided: the embedder's register may have changed meanwhile. */
static void test_config_version_move__hook_and_import_at_another_version__moves(void)
{
    start();
    struct haul_hooks hooks = version_hooks();
    const struct version_move late = {
        .outcome = VERSION_IMPORTED, .job = job, .peer = "", .plan = &plan, .new_version = 5};
    hook_version = 7;
    check_status(config_version_move(fixture.store, &hooks, &late, &error), HAUL_OK);
    finish();
}

/* --- ten thousand jobs ------------------------------------------------------------------------ */

/* Jobs move the last of them; the earlier ones only fill the record. */
enum { JOB_COUNT = 10000, MOVED_COUNT = 50, FILE_BYTES_MAX = 600000, WRITES_MAX = 4 };

static char many_directory[512];
static struct file_calls quick_calls;

static int sync_nothing(void *context, int fd)
{
    (void)context;
    (void)fd;
    return 0;
}

static uint64_t write_count;
static uint64_t written_bytes;

static ssize_t count_pwrite(void *context, int fd, const void *data, size_t size, uint64_t offset)
{
    write_count++;
    written_bytes += size;
    return file_calls_system.pwrite(context, fd, data, size, offset);
}

static const char *many_directory_of(const struct haul_store *store)
{
    (void)store;
    return many_directory;
}

static const void *many_files(const struct haul_store *store)
{
    (void)store;
    return &quick_calls;
}

static const struct haul_store_ops many_ops = {.directory = many_directory_of, .files = many_files};
static struct haul_store many = {.ops = &many_ops};
static const char *const many_peers[] = {"one", "two", "three"};

/* Job number `number` moves one of a thousand neighbours back and forth between three databases. */
static void range_of_many(uint32_t number, struct key_range *range)
{
    char start_key[16];
    char end_key[16];
    (void)snprintf(start_key, sizeof(start_key), "slot%05u", number * 7 % 1000);
    (void)snprintf(end_key, sizeof(end_key), "slot%05u", number * 7 % 1000 + 1);
    check_or_stop(key_range_init(range, slice_of(start_key, 9), slice_of(end_key, 9)) == HAUL_OK);
}

static bool is_given(uint32_t number)
{
    return number / 1000 % 2 == 0;
}

static enum haul_status fill_record(void *context, struct ownership *ownership,
                                    struct haul_error *failed)
{
    (void)context;
    (void)failed;
    for (uint32_t number = 0; number < JOB_COUNT - MOVED_COUNT; number++) {
        struct key_range range;
        range_of_many(number, &range);
        struct ownership_job job_done = {.act = is_given(number) ? OWNERSHIP_GAVE : OWNERSHIP_TOOK,
                                         .old_version = number,
                                         .new_version = number + 1};
        memcpy(job_done.id, &number, sizeof(number));
        struct ownership_move part = {.family = "default", .ranges = &range, .range_count = 1};
        part.mark.state = is_given(number) ? OWNERSHIP_RELEASED : OWNERSHIP_IMPORTED;
        memcpy(part.mark.job, job_done.id, sizeof(part.mark.job));
        check_or_stop(ownership_peer(ownership, many_peers[number % 3], &job_done.peer) == HAUL_OK);
        part.mark.peer = job_done.peer;
        check_or_stop(ownership_put(ownership, &part) == HAUL_OK);
        check_or_stop(ownership_note(ownership, &job_done) == HAUL_OK);
        key_range_fini(&range);
    }
    ownership->config_version = JOB_COUNT - MOVED_COUNT;
    return HAUL_OK;
}

static void move_one_of_many(uint32_t number)
{
    uint8_t id[HAUL_JOB_BYTES] = {0};
    struct key_range range;
    memcpy(id, &number, sizeof(number));
    range_of_many(number, &range);
    struct plan one = plan;
    one.ranges = &range;
    one.range_count = 1;
    const struct version_move to = {.outcome =
                                        is_given(number) ? VERSION_RELEASED : VERSION_IMPORTED,
                                    .job = id,
                                    .peer = many_peers[number % 3],
                                    .plan = &one,
                                    .new_version = number + 1,
                                    .epoch = 1};
    check_status(config_version_move(&many, &no_hooks, &to, &error), HAUL_OK);
    key_range_fini(&range);
}

static void test_config_version_move__ten_thousand_jobs__bounded(void)
{
    char path[600];
    struct stat file;
    start();
    quick_calls = file_calls_system;
    quick_calls.fsync = sync_nothing;
    quick_calls.pwrite = count_pwrite;
    (void)snprintf(many_directory, sizeof(many_directory), "%s", fixture.path);
    (void)snprintf(path, sizeof(path), "%s/haul", fixture.path);
    check_or_stop(ownership_update(&quick_calls, path, fill_record, NULL, &error) == HAUL_OK);
    write_count = 0;
    written_bytes = 0;
    for (uint32_t number = JOB_COUNT - MOVED_COUNT; number < JOB_COUNT; number++) {
        move_one_of_many(number);
    }
    check(write_count > 0 && write_count <= (uint64_t)WRITES_MAX * MOVED_COUNT);
    check(written_bytes / MOVED_COUNT < FILE_BYTES_MAX);
    (void)snprintf(path, sizeof(path), "%s/haul/ownership", fixture.path);
    check_or_stop(stat(path, &file) == 0);
    check(file.st_size < FILE_BYTES_MAX);
    check_version(JOB_COUNT);
    finish();
}

/* --- a move that was in doubt ----------------------------------------------------------------- */

enum { SEED_COUNT = 20, SWEEP_CALLS_MAX = 200 };

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

static const struct haul_store_ops disk_ops = {.directory = disk_directory, .files = disk_files};
static struct haul_store on_disk = {.ops = &disk_ops};

/* Call number `call` of the move fails. True: the job was in doubt, is settled, and the power
 * fails. */
static bool settle_after(unsigned call)
{
    const struct version_move to = {.outcome = VERSION_RELEASED,
                                    .job = job,
                                    .peer = "",
                                    .plan = &plan,
                                    .new_version = 1,
                                    .epoch = 1};
    fake_disk_fail(&disk, call, false);
    enum haul_status status = config_version_move(&on_disk, &no_hooks, &to, &error);
    fake_disk_fail(&disk, 0, false);
    if (status != HAUL_IN_DOUBT) {
        return false;
    }
    check_status(config_version_settle(&on_disk, &error), HAUL_OK);
    fake_disk_crash(&disk);
    return true;
}

static void test_config_version_settle__move_in_doubt_then_power_lost__released(void)
{
    unsigned doubts = 0;
    start();
    for (unsigned call = 1; call < SWEEP_CALLS_MAX; call++) {
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            bool released = false;
            uint64_t new_version = 0;
            fake_disk_init(&disk, seed);
            if (settle_after(call)) {
                check_status(
                    config_version_released(&on_disk, job, &released, &new_version, &error),
                    HAUL_OK);
                check(released);
                doubts++;
            }
            fake_disk_fini(&disk);
        }
    }
    check(doubts > 0);
    finish();
}

/* An ownership_change: every possible family, but none of the plan's. */
static enum haul_status move_all_families(void *context, struct ownership *ownership,
                                          struct haul_error *failed)
{
    struct key_range all = {.start = NULL};
    enum haul_status status = HAUL_OK;
    (void)context;
    (void)failed;
    check_status(key_range_init(&all, slice_of(NULL, 0), slice_of(NULL, 0)), HAUL_OK);
    for (int i = 0; status == HAUL_OK && i < OWNERSHIP_FAMILY_COUNT_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "family %d", i);
        const struct ownership_move one = {.family = name,
                                           .ranges = &all,
                                           .range_count = 1,
                                           .mark = {.state = OWNERSHIP_IMPORTED}};
        status = ownership_put(ownership, &one);
    }
    key_range_fini(&all);
    return status;
}

static void test_config_version_move__record_is_full__limit_and_unchanged(void)
{
    char directory[300];
    start();
    check_or_stop(haul_directory_of(fixture.store, directory, sizeof(directory)));
    check_or_stop(ownership_update(NULL, directory, move_all_families, NULL, &error) == HAUL_OK);
    check_error(move(VERSION_RELEASED, 5), HAUL_LIMIT, error);
    check(strstr(error.text, "too many separate ranges") != NULL);
    check(error.hint[0] != '\0');
    check(!is_released(job));
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_config_version_move__record_is_full__limit_and_unchanged),
    CHECK_TEST(test_config_version_get__no_file__counter_at_0),
    CHECK_TEST(test_config_version_get__hook__its_version),
    CHECK_TEST(test_config_version_move__released__kept_and_range_refused),
    CHECK_TEST(test_config_version_move__imported__ours_to_send),
    CHECK_TEST(test_config_version_check__second_family_handed_over__mismatch),
    CHECK_TEST(test_config_version_move__two_families__both_are_handed_over),
    CHECK_TEST(test_config_version_move__after_a_job_of_many_attempts__moves),
    CHECK_TEST(test_config_version_move__version_went_on__one_later),
    CHECK_TEST(test_config_version_move__another_job_moved_a_part__fenced_unchanged),
    CHECK_TEST(test_config_version_check__part_taken_back__mismatch),
    CHECK_TEST(test_config_version_move__moved_before__nothing_moves),
    CHECK_TEST(test_config_version_rehearse__would_fail__same_error_and_unchanged),
    CHECK_TEST(test_config_version_check_peer__older_than_its_own_hand_over__mismatch),
    CHECK_TEST(test_config_version_check_peer__moved_on__mismatch_unless_to_the_peer),
    CHECK_TEST(test_config_version_check_peer__other_ranges__nothing_against_them),
    CHECK_TEST(test_config_version_returned__given_back__all_or_perhaps),
    CHECK_TEST(test_config_version_returned__job_is_not_in_the_history__by_the_map),
    CHECK_TEST(test_config_version_move__hook__compared_no_file),
    CHECK_TEST(test_config_version_move__hook_and_import_at_another_version__moves),
    CHECK_TEST(test_config_version_move__ten_thousand_jobs__bounded),
    CHECK_TEST(test_config_version_settle__move_in_doubt_then_power_lost__released),
};

CHECK_MAIN("config_version", tests)
