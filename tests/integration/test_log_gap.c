/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_gap.c — what happens to a source's log during the copy: flush storms and tiny log limits
 * do no harm; a gap in the log ends the job, and the source keeps everything. */
#include <dirent.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "haul/job.h"
#include "haul/migration.h"
#include "migration_wait.h"
#include "raw_batch.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

enum {
    WAIT_MS = 60000,
    RECORDS = 4000,
    FOREIGN_RECORDS = 5,
    VALUE_BYTES = 1000,
    STORM_ROUNDS = 40
};
#define RATE_BYTES_PER_SECOND (UINT64_C(4) << 20)

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_result result;

static void put(uint32_t number, unsigned flags)
{
    char key[32];
    uint8_t memory[128];
    struct raw_batch_writer writer;
    struct haul_error error = {0};
    raw_batch_begin(&writer, memory, sizeof(memory));
    (void)snprintf(key, sizeof(key), "key%08u", number);
    check(raw_batch_put(&writer, 0, text_slice(key), text_slice("written while it was copied")));
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    check_status(source.store->ops->write(source.store, batch, flags, &error), HAUL_OK);
}

static void flush(void)
{
    struct haul_error error = {0};
    check_status(source.store->ops->flush(source.store, &error), HAUL_OK);
}

/* A source whose database drops its log as soon as it can. */
static void open_world(void)
{
    rocks_fixture_make_directory(&source);
    rocks_foreign_make(source.path, &(struct foreign_database){.tiny_log = true});
    struct haul_error error = {0};
    check_or_stop(haul_rocks_store_open(source.path,
                                        &(struct haul_rocks_options){.read_only = false},
                                        &source.store, &error) == HAUL_OK);
    rocks_fixture_open(&target);
    rocks_fixture_fill(&source, 0, "key", RECORDS, VALUE_BYTES);
}

static void close_world(void)
{
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

/* Nothing is written after the hand-over: the freeze waits for the disturbing writer. */
static sem_t disturbed;

static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    (void)context;
    (void)deadline_ms;
    (void)error;
    while (sem_wait(&disturbed) != 0) {
    }
    (void)sem_post(&disturbed);
    return HAUL_OK;
}

/* Run one migration; `disturb` is called once in the middle of the copy. */
static enum haul_status migrate(void (*disturb)(void))
{
    struct haul_link_options link = {.slot_size_bytes = 64 << 10, .peer_timeout_ms = 5000};
    struct haul_target_options target_options = {.store = target.store,
                                                 .listen = "127.0.0.1:0",
                                                 .transports = {{HAUL_TRANSPORT_TCP}},
                                                 .link = link,
                                                 .once = true};
    struct haul_source_options source_options = {.store = source.store,
                                                 .transports = {{HAUL_TRANSPORT_TCP}},
                                                 .link = link,
                                                 .batch_size_bytes_min = 16 << 10,
                                                 .batch_size_bytes_max = 32 << 10,
                                                 .rate_bytes_per_second = RATE_BYTES_PER_SECOND,
                                                 .freeze_max_ms = WAIT_MS,
                                                 .hooks = {.freeze = freeze}};
    struct haul_migration *receiver = NULL;
    struct haul_migration *sender = NULL;
    struct haul_error error = {0};
    check_equal(sem_init(&disturbed, 0, 0), 0);
    check_status(haul_target_start(&target_options, &receiver, &error), HAUL_OK);
    source_options.to = haul_migration_address(receiver);
    check_or_stop(haul_source_start(&source_options, &sender, &error) == HAUL_OK);
    struct haul_progress progress = {0};
    struct pollfd ended = {.fd = haul_migration_fd(sender), .events = POLLIN};
    while (progress.bytes == 0 && poll(&ended, 1, 5) == 0) {
        haul_migration_progress(sender, &progress);
    }
    check_equal(progress.phase, HAUL_PHASE_COPYING);
    disturb();
    (void)sem_post(&disturbed);
    enum haul_status status = migration_wait(sender, WAIT_MS, &result);
    haul_migration_destroy(sender);
    haul_migration_cancel(receiver);
    struct haul_result ignored;
    (void)migration_wait(receiver, WAIT_MS, &ignored);
    haul_migration_destroy(receiver);
    (void)sem_destroy(&disturbed);
    return status;
}

static size_t jobs_of(const struct rocks_fixture *fixture)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    struct haul_error error = {0};
    check_status(haul_jobs_list(fixture->path, &jobs, &count, &error), HAUL_OK);
    free(jobs);
    return count;
}

/* The job ends with GAP, the source has everything, nothing stays on the target. */
static void check_gap(void (*disturb)(void), const char *says)
{
    open_world();
    check_status(migrate(disturb), HAUL_GAP);
    check(strstr(result.error.text, says) != NULL);
    check(result.error.hint[0] != '\0');
    check(rocks_fixture_count(&source, "default") >= RECORDS);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    check_equal(jobs_of(&source), 0);
    check_equal(jobs_of(&target), 0);
    close_world();
}

static void storm(void)
{
    for (uint32_t i = 0; i < STORM_ROUNDS; i++) {
        put(i * 97, 0);
        put(RECORDS + i, 0);
        flush();
    }
}

static void test_migration__flush_storm_and_tiny_log_limit__nothing_lost(void)
{
    open_world();
    check_status(migrate(storm), HAUL_OK);
    check(result.verified);
    check_equal(rocks_fixture_count(&target, "default"), RECORDS + FOREIGN_RECORDS + STORM_ROUNDS);
    check_equal(rocks_fixture_differences(&source, &target, NULL, 0), 0);
    close_world();
}

static void write_without_log(void)
{
    put(17, HAUL_WRITE_NO_WAL);
    put(18, 0);
}

static void test_migration__write_without_log__gap(void)
{
    check_gap(write_without_log, "log");
}

/* All log files but the newest are deleted behind the database's back. */
static void remove_logs(void)
{
    char newest[300] = "";
    char path[600];
    storm();
    for (int pass = 0; pass < 2; pass++) {
        DIR *directory = opendir(source.path);
        const struct dirent *entry;
        while ((entry = readdir(directory)) != NULL) {
            if (strstr(entry->d_name, ".log") == NULL) {
                continue;
            }
            if (pass == 0 && strcmp(entry->d_name, newest) > 0) {
                (void)snprintf(newest, sizeof(newest), "%s", entry->d_name);
            } else if (pass == 1 && strcmp(entry->d_name, newest) != 0) {
                (void)snprintf(path, sizeof(path), "%s/%s", source.path, entry->d_name);
                check_equal(unlink(path), 0);
            }
        }
        (void)closedir(directory);
    }
    put(19, 0);
}

static void test_migration__log_files_deleted__gap(void)
{
    check_gap(remove_logs, "log");
}

static void ingest_foreign_file(void)
{
    rocks_foreign_ingest(source.store, "zz", "ingested");
}

static void test_migration__file_ingested__gap(void)
{
    check_gap(ingest_foreign_file, "ingested");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_migration__flush_storm_and_tiny_log_limit__nothing_lost),
    CHECK_TEST(test_migration__write_without_log__gap),
    CHECK_TEST(test_migration__log_files_deleted__gap),
    CHECK_TEST(test_migration__file_ingested__gap),
};

CHECK_MAIN("log_gap", tests)
