/* SPDX-License-Identifier: Apache-2.0 */
/* migration_thread.c — thread, progress, cancellation and end of a migration. */
#include "migration_thread.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "assertion.h"
#include "thread_place.h"
#include "thread_priority.h"

const char *haul_phase_name(enum haul_phase phase)
{
    static const char *const names[] = {"listening",   "connecting", "planning",   "copying",
                                        "catching up", "frozen",     "committing", "retrying",
                                        "aborting",    "ended"};
    return names[phase];
}

enum haul_status migration_random(uint8_t *bytes, size_t size_bytes)
{
    /* getrandom returns up to 256 bytes completely or not at all. */
    haul_assert(size_bytes <= 256);
    return getrandom(bytes, size_bytes, 0) == (ssize_t)size_bytes ? HAUL_OK : HAUL_IO;
}

enum haul_status migration_init(struct haul_migration *migration, struct haul_error *error)
{
    (void)pthread_mutex_init(&migration->lock, NULL);
    migration->initialized = true;
    migration->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    migration->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (migration->request_fd < 0 || migration->ended_fd < 0) {
        return haul_error_set(error, HAUL_LIMIT, "eventfd", errno, "cannot start a migration");
    }
    return HAUL_OK;
}

void migration_place_near(struct haul_migration *migration, const struct link_address *local,
                          const struct haul_log *log)
{
    if (migration->cpu_list != NULL || migration->placed) {
        return;
    }
    migration->placed = true;
    int node = link_address_node(local);
    if (thread_place_node(node)) {
        haul_log(log, HAUL_LOG_INFO, "running on NUMA node %d, where the network card is", node);
    }
}

static void *run_thread(void *argument)
{
    struct haul_migration *migration = argument;
    thread_priority_wait_turn();
    migration->run(migration);
    struct haul_progress progress = migration->result.progress;
    progress.phase = HAUL_PHASE_ENDED;
    migration_publish(migration, &progress);
    (void)eventfd_write(migration->ended_fd, 1);
    return NULL;
}

static enum haul_status create_thread(struct haul_migration *migration, pthread_attr_t *attributes,
                                      struct haul_error *error)
{
    if (migration->cpu_list != NULL) {
        enum haul_status status = thread_place_cpus(migration->cpu_list, attributes, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    int result = pthread_create(&migration->thread, attributes, run_thread, migration);
    if (result != 0) {
        return haul_error_set(error, HAUL_LIMIT, "pthread_create", result,
                              "cannot start the migration's thread");
    }
    migration->started = true;
    return HAUL_OK;
}

enum haul_status migration_start(struct haul_migration *migration, struct haul_error *error)
{
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes); /* glibc's cannot fail */
    enum haul_status status = create_thread(migration, &attributes, error);
    (void)pthread_attr_destroy(&attributes);
    return status;
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void migration_fini(struct haul_migration *migration)
{
    if (migration->initialized) {
        close_if_open(migration->request_fd);
        close_if_open(migration->ended_fd);
        (void)pthread_mutex_destroy(&migration->lock);
    }
    option_report_fini(&migration->options);
}

void migration_report_options(struct haul_migration *migration, struct option_report *report)
{
    option_report_fini(&migration->options);
    migration->options = *report;
    *report = (struct option_report){.items = NULL};
    migration->result.option_differences = migration->options.items;
    migration->result.option_difference_count = migration->options.count;
}

void migration_drain_request(struct haul_migration *migration)
{
    eventfd_t ignored;
    (void)eventfd_read(migration->request_fd, &ignored);
}

bool migration_take_rate(struct haul_migration *migration, uint64_t *bytes_per_second)
{
    uint64_t wanted = atomic_exchange(&migration->rate, 0);
    if (wanted == 0) {
        return false;
    }
    *bytes_per_second = wanted - 1;
    return true;
}

void migration_publish(struct haul_migration *migration, const struct haul_progress *progress)
{
    migration_publish_jobs(migration, progress, NULL, 0);
}

void migration_publish_jobs(struct haul_migration *migration, const struct haul_progress *progress,
                            const struct haul_job_progress *jobs, size_t count)
{
    (void)pthread_mutex_lock(&migration->lock);
    migration->progress = *progress;
    for (size_t i = 0; i < count; i++) {
        migration->jobs[i] = jobs[i];
    }
    migration->job_count = count;
    (void)pthread_mutex_unlock(&migration->lock);
}

bool migration_take_cancel(struct haul_migration *migration, uint8_t job[HAUL_JOB_BYTES])
{
    (void)pthread_mutex_lock(&migration->lock);
    bool any = migration->cancel_count > 0;
    if (any) {
        memcpy(job, migration->cancels[--migration->cancel_count], HAUL_JOB_BYTES);
    }
    (void)pthread_mutex_unlock(&migration->lock);
    return any;
}

/* --- public ----------------------------------------------------------------------------------- */

const char *haul_migration_address(const struct haul_migration *migration)
{
    return migration->address;
}

void haul_migration_progress(struct haul_migration *migration, struct haul_progress *progress)
{
    (void)pthread_mutex_lock(&migration->lock);
    *progress = migration->progress;
    (void)pthread_mutex_unlock(&migration->lock);
}

size_t haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                           size_t count_max)
{
    (void)pthread_mutex_lock(&migration->lock);
    size_t count = migration->job_count < count_max ? migration->job_count : count_max;
    for (size_t i = 0; i < count; i++) {
        jobs[i] = migration->jobs[i];
    }
    (void)pthread_mutex_unlock(&migration->lock);
    return count;
}

/* With the lock held. */
static void note_cancel(struct haul_migration *migration, const uint8_t job[HAUL_JOB_BYTES])
{
    bool noted = migration->cancel_count == HAUL_TARGET_JOBS_MAX; /* the caller may try again */
    for (size_t i = 0; i < migration->cancel_count; i++) {
        noted = noted || memcmp(migration->cancels[i], job, HAUL_JOB_BYTES) == 0;
    }
    if (!noted) {
        memcpy(migration->cancels[migration->cancel_count++], job, HAUL_JOB_BYTES);
    }
}

enum haul_status haul_migration_cancel_job(struct haul_migration *migration,
                                           const uint8_t job[HAUL_JOB_BYTES])
{
    bool runs = false;
    (void)pthread_mutex_lock(&migration->lock);
    for (size_t i = 0; i < migration->job_count; i++) {
        runs = runs || memcmp(migration->jobs[i].job, job, HAUL_JOB_BYTES) == 0;
    }
    if (runs) {
        note_cancel(migration, job);
    }
    (void)pthread_mutex_unlock(&migration->lock);
    (void)eventfd_write(migration->request_fd, 1);
    return runs ? HAUL_OK : HAUL_NOT_FOUND;
}

/* Safe in a signal handler. */
static void request(struct haul_migration *migration, enum migration_request wanted)
{
    int saved_errno = errno;
    int now = atomic_load(&migration->request);
    while (now < (int)wanted &&
           !atomic_compare_exchange_weak(&migration->request, &now, (int)wanted)) {
    }
    (void)eventfd_write(migration->request_fd, 1);
    errno = saved_errno;
}

void haul_migration_stop(struct haul_migration *migration)
{
    request(migration, MIGRATION_STOPS);
}

void haul_migration_cancel(struct haul_migration *migration)
{
    request(migration, MIGRATION_CANCELS);
}

void haul_migration_rate(struct haul_migration *migration, uint64_t bytes_per_second)
{
    uint64_t limit = bytes_per_second == UINT64_MAX ? UINT64_MAX - 1 : bytes_per_second;
    atomic_store(&migration->rate, limit + 1);
    (void)eventfd_write(migration->request_fd, 1);
}

int haul_migration_fd(const struct haul_migration *migration)
{
    return migration->ended_fd;
}

bool haul_migration_ended(struct haul_migration *migration, uint32_t timeout_ms)
{
    struct pollfd wait = {.fd = migration->ended_fd, .events = POLLIN};
    int limit = timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
    if (!migration->joined && poll(&wait, 1, limit) > 0) {
        (void)pthread_join(migration->thread, NULL);
        migration->joined = true;
    }
    return migration->joined;
}

const struct haul_result *haul_migration_result(const struct haul_migration *migration)
{
    haul_assert(migration->joined);
    return &migration->result;
}

void haul_migration_destroy(struct haul_migration *migration)
{
    if (migration == NULL) {
        return;
    }
    if (migration->started && !migration->joined) {
        haul_migration_stop(migration);
        (void)pthread_join(migration->thread, NULL);
    }
    migration->destroy(migration);
}
