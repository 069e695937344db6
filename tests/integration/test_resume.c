/* SPDX-License-Identifier: Apache-2.0 */
/* test_resume.c — one side is killed with SIGKILL, and the job still ends with exactly one owner
 * and nothing lost. The side that dies is a process of its own: this executable with `--target DIR`
 * or `--source DIR ADDRESS`; as `--writing-source` it changes records all the time. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "haul/migration.h"
#include "migration_wait.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { WAIT_MS = 60000, RECORDS = 40000, VALUE_BYTES = 1000, SLOT_BYTES = 256 << 10 };
#define RATE_BYTES_PER_SECOND (UINT64_C(40) << 20)

static struct haul_link_options link_options(void)
{
    return (struct haul_link_options){.slot_size_bytes = SLOT_BYTES, .peer_timeout_ms = 2000};
}

/* --- the process that dies -------------------------------------------------------------------- */

static struct haul_store *open_store(const char *path, bool keep_log)
{
    struct haul_rocks_options options = {.create_if_missing = true, .keep_log = keep_log};
    struct haul_store *store = NULL;
    struct haul_error error = {0};
    if (haul_rocks_store_open(path, &options, &store, &error) != HAUL_OK) {
        (void)fprintf(stderr, "child: %s\n", error.text);
        exit(3);
    }
    return store;
}

/* Receives one job; writes its address to descriptor 3. */
static int run_target(const char *path, const char *address)
{
    struct haul_target_options options = {
        .store = open_store(path, false),
        .listen = address,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = link_options(),
        .once = true,
        .table_size_bytes = 2 << 20,
    };
    struct haul_migration *target = NULL;
    struct haul_result *result = calloc(1, sizeof(*result));
    struct haul_error error = {0};
    if (haul_target_start(&options, &target, &error) != HAUL_OK) {
        (void)fprintf(stderr, "child: %s\n", error.text);
        return 3;
    }
    (void)dprintf(3, "%s\n", haul_migration_address(target));
    enum haul_status status = migration_wait(target, WAIT_MS, result);
    haul_migration_destroy(target);
    options.store->ops->close(options.store);
    free(result);
    return status == HAUL_OK ? 0 : 1;
}

static struct haul_source_options source_options(struct haul_store *store, const char *address)
{
    return (struct haul_source_options){
        .store = store,
        .to = address,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = link_options(),
        .batch_size_bytes_min = 32 << 10,
        .batch_size_bytes_max = 128 << 10,
        .rate_bytes_per_second = RATE_BYTES_PER_SECOND,
    };
}

/* Overwrites one record and deletes another, all over the range. */
static void change_records(struct haul_store *store, uint64_t round)
{
    char key[32];
    char value[32];
    uint8_t memory[256];
    struct raw_batch_writer writer;
    struct haul_error error = {0};
    raw_batch_begin(&writer, memory, sizeof(memory));
    (void)snprintf(value, sizeof(value), "changed in round %" PRIu64, round);
    (void)snprintf(key, sizeof(key), "key%08" PRIu64, round * 7919 % RECORDS);
    bool fits = raw_batch_put(&writer, 0, text_slice(key), text_slice(value));
    (void)snprintf(key, sizeof(key), "key%08" PRIu64, (round * 104729 + 1) % RECORDS);
    fits = fits && raw_batch_delete(&writer, 0, text_slice(key));
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    if (!fits || store->ops->write(store, batch, 0, &error) != HAUL_OK) {
        (void)fprintf(stderr, "child: %s\n", error.text);
        exit(3);
    }
}

static int run_source(const char *path, const char *address, bool writing)
{
    struct haul_source_options options = source_options(open_store(path, false), address);
    struct haul_migration *source = NULL;
    struct haul_error error = {0};
    struct haul_result *result = calloc(1, sizeof(*result));
    if (haul_source_start(&options, &source, &error) != HAUL_OK) {
        (void)fprintf(stderr, "child: %s\n", error.text);
        return 3;
    }
    (void)dprintf(3, "started\n");
    for (uint64_t round = 0; writing; round++) {
        change_records(options.store, round);
    }
    enum haul_status status = migration_wait(source, WAIT_MS, result);
    haul_migration_destroy(source);
    return status == HAUL_OK ? 0 : 1;
}

struct child {
    pid_t pid;
    char line[128]; /* the address that it reported */
};

static struct child start_child(const char *role, const char *path, const char *address)
{
    struct child child = {.pid = -1};
    int pipes[2];
    if (pipe(pipes) != 0) {
        return child;
    }
    child.pid = fork();
    if (child.pid == 0) {
        (void)dup2(pipes[1], 3);
        (void)execl("/proc/self/exe", "test_resume", role, path, address, (char *)NULL);
        _exit(127);
    }
    (void)close(pipes[1]);
    struct pollfd wait = {.fd = pipes[0], .events = POLLIN};
    size_t used = 0;
    while (used < sizeof(child.line) - 1 && strchr(child.line, '\n') == NULL &&
           poll(&wait, 1, WAIT_MS) > 0) {
        ssize_t size = read(pipes[0], child.line + used, sizeof(child.line) - 1 - used);
        if (size <= 0) {
            break;
        }
        used += (size_t)size;
    }
    child.line[strcspn(child.line, "\n")] = '\0';
    (void)close(pipes[0]);
    return child;
}

static void kill_child(const struct child *child)
{
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
}

static int wait_child(const struct child *child)
{
    int status = -1;
    (void)waitpid(child->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- the world -------------------------------------------------------------------------------- */

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct child receiver;
static struct haul_result result;

/* The target's database belongs to the child; this process opens it only to compare. */
static void open_world(void)
{
    memset(&result, 0, sizeof(result));
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
    target.store->ops->close(target.store);
    target.store = NULL;
    rocks_fixture_fill(&source, 0, "key", RECORDS, VALUE_BYTES);
    receiver = start_child("--target", target.path, "127.0.0.1:0");
}

static void check_equal_and_close(void)
{
    target.store = open_store(target.path, false);
    check_equal(rocks_fixture_differences(&source, &target, NULL, 0), 0);
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

static void wait_for_bytes(struct haul_migration *migration, uint64_t bytes)
{
    struct haul_progress progress = {0};
    struct pollfd ended = {.fd = haul_migration_fd(migration), .events = POLLIN};
    while (progress.bytes < bytes && poll(&ended, 1, 5) == 0) {
        haul_migration_progress(migration, &progress);
    }
}

static struct haul_migration *start_source(struct haul_source_options *options)
{
    struct haul_migration *migration = NULL;
    struct haul_error error = {0};
    check_status(haul_source_start(options, &migration, &error), HAUL_OK);
    return migration;
}

static void test_resume__target_killed_again_and_again__commits(void)
{
    open_world();
    char address[128];
    (void)snprintf(address, sizeof(address), "%s", receiver.line);
    struct haul_source_options options = source_options(source.store, address);
    struct haul_migration *migration = start_source(&options);
    for (uint64_t megabytes = 5; migration != NULL && megabytes <= 25; megabytes += 10) {
        wait_for_bytes(migration, megabytes << 20);
        kill_child(&receiver);
        receiver = start_child("--target", target.path, address);
    }
    check_status(migration_wait(migration, WAIT_MS, &result), HAUL_OK);
    check(result.retries >= 3);
    check(result.resumed && result.verified);
    haul_migration_destroy(migration);
    check_equal(wait_child(&receiver), 0);
    check_equal_and_close();
}

/* The source's process is killed in the copy; another one sends the same again. */
static void kill_and_restart_source(const char *role, bool keep_log)
{
    struct haul_error error = {0};
    open_world();
    source.store->ops->close(source.store);
    struct child sender = start_child(role, source.path, receiver.line);
    (void)poll(NULL, 0, 300); /* somewhere in the copy; any moment will do */
    kill_child(&sender);
    source.store = open_store(source.path, keep_log);
    if (!keep_log) {
        change_records(source.store, 1);
        check_status(source.store->ops->flush(source.store, &error), HAUL_OK);
    }
    struct haul_source_options options = source_options(source.store, receiver.line);
    struct haul_migration *migration = NULL;
    enum haul_status status = HAUL_BUSY;
    /* The target may not have noticed yet that its source is gone. */
    for (int i = 0; i < 100 && status == HAUL_BUSY; i++) {
        migration = start_source(&options);
        status = migration_wait(migration, WAIT_MS, &result);
        haul_migration_destroy(migration);
        (void)poll(NULL, 0, status == HAUL_BUSY ? 50 : 0);
    }
    check_status(status, HAUL_OK);
    check(result.verified);
    check_equal(wait_child(&receiver), 0);
    check_equal_and_close();
}

static void test_resume__source_killed__goes_on(void)
{
    kill_and_restart_source("--source", true);
    check(result.resumed);
}

static void test_resume__source_killed_among_writes__goes_on_and_replays_the_log(void)
{
    kill_and_restart_source("--writing-source", true);
    check(result.resumed);
}

static void test_resume__source_killed_and_log_gone__copies_anew(void)
{
    kill_and_restart_source("--writing-source", false);
    check(!result.resumed);
}

/* --- around the decision ---------------------------------------------------------------------- */

static void kill_receiver(void *context, uint64_t new_version)
{
    (void)context;
    (void)new_version;
    kill_child(&receiver);
}

static void test_resume__target_killed_at_the_decision__commits_when_it_is_back(void)
{
    open_world();
    char address[128];
    (void)snprintf(address, sizeof(address), "%s", receiver.line);
    struct haul_source_options options = source_options(source.store, address);
    options.rate_bytes_per_second = 0;
    options.hooks.release = kill_receiver;
    struct haul_migration *migration = start_source(&options);
    struct haul_progress progress = {0};
    while (progress.phase != HAUL_PHASE_RETRYING && progress.phase != HAUL_PHASE_ENDED) {
        (void)poll(NULL, 0, 5);
        haul_migration_progress(migration, &progress);
    }
    receiver = start_child("--target", target.path, address);
    check_status(migration_wait(migration, WAIT_MS, &result), HAUL_OK);
    haul_migration_destroy(migration);
    check_equal(wait_child(&receiver), 0);
    check_equal_and_close();
}

static void test_resume__source_gives_up_behind_the_decision__resolve_finishes(void)
{
    open_world();
    struct haul_source_options options = source_options(source.store, receiver.line);
    options.rate_bytes_per_second = 0;
    options.retry_max_ms = 1;
    options.hooks.release = kill_receiver;
    struct haul_migration *migration = start_source(&options);
    check_status(migration_wait(migration, WAIT_MS, &result), HAUL_IN_DOUBT);
    haul_migration_destroy(migration);

    struct haul_error error = {0};
    check_status(haul_source_start(&options, &migration, &error), HAUL_IN_DOUBT);
    receiver = start_child("--target", target.path, "127.0.0.1:0");
    struct haul_source_options resolve = source_options(source.store, receiver.line);
    resolve.resolve = true;
    migration = start_source(&resolve);
    check_status(migration_wait(migration, WAIT_MS, &result), HAUL_OK);
    haul_migration_destroy(migration);
    check_equal(wait_child(&receiver), 0);
    /* There is no journal any more; the record would answer a source that comes back. */
    resolve.retry_max_ms = 1;
    migration = start_source(&resolve);
    check_status(migration_wait(migration, WAIT_MS, &result), HAUL_REFUSED);
    haul_migration_destroy(migration);
    check_equal_and_close();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_resume__target_killed_again_and_again__commits),
    CHECK_TEST(test_resume__source_killed__goes_on),
    CHECK_TEST(test_resume__source_killed_among_writes__goes_on_and_replays_the_log),
    CHECK_TEST(test_resume__source_killed_and_log_gone__copies_anew),
    CHECK_TEST(test_resume__target_killed_at_the_decision__commits_when_it_is_back),
    CHECK_TEST(test_resume__source_gives_up_behind_the_decision__resolve_finishes),
};

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--target") == 0) {
        return run_target(argv[2], argv[3]);
    }
    if (argc == 4 && strcmp(argv[1], "--source") == 0) {
        return run_source(argv[2], argv[3], false);
    }
    if (argc == 4 && strcmp(argv[1], "--writing-source") == 0) {
        return run_source(argv[2], argv[3], true);
    }
    return check_main("resume", tests, CHECK_COUNT(tests), argc, argv);
}
