/* SPDX-License-Identifier: Apache-2.0 */
/* process_limit.c — tests threads, address space and descriptors by acquiring them. */
#include "process_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "haul/limits.h"

/* RocksDB opens table files with up to 16 threads; a migration adds some of its own. */
enum { THREAD_COUNT = 24, SPARE_MIB = 64, DESCRIPTOR_COUNT = 48 };
/* One more job of a receiver: a call worker and a few appliers; connection, links, journal and the
 * table files that it writes. */
enum { JOB_THREAD_COUNT = 4, JOB_DESCRIPTOR_COUNT = 16 };

enum {
    THREAD_COUNT_MAX = THREAD_COUNT + JOB_THREAD_COUNT * HAUL_TARGET_JOBS_MAX,
    DESCRIPTOR_COUNT_MAX = DESCRIPTOR_COUNT + JOB_DESCRIPTOR_COUNT * HAUL_TARGET_JOBS_MAX,
};

/* Hold all threads until the lock is released. */
static void *wait_for_lock(void *context)
{
    pthread_mutex_t *lock = context;
    (void)pthread_mutex_lock(lock);
    (void)pthread_mutex_unlock(lock);
    return NULL;
}

static enum haul_status check_space(struct haul_error *error)
{
    size_t size = (size_t)SPARE_MIB << 20;
    void *space = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED) {
        haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no address space for %d MiB more",
                       SPARE_MIB);
        haul_error_hint(error, "raise the limit of address space (ulimit -v)");
        return HAUL_NO_MEMORY;
    }
    (void)munmap(space, size);
    return HAUL_OK;
}

/* RocksDB keeps as many table files open as it may; the soft limit only serves users of
 * select(2). */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A job that runs out of descriptors at its end would be in doubt. */
static enum haul_status check_descriptors(size_t wanted, struct haul_error *error)
{
    int fds[DESCRIPTOR_COUNT_MAX];
    size_t count = 0;
    int failure = 0;
    raise_descriptors();
    while (count < wanted && failure == 0) {
        fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        failure = fds[count] < 0 ? errno : 0;
        count += failure == 0;
    }
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
    if (failure != EMFILE && failure != ENFILE) {
        return HAUL_OK;
    }
    return haul_error_set(error, HAUL_LIMIT, "open", failure,
                          "this process gets only %zu of %zu descriptors", count, wanted);
}

static enum haul_status check_threads(size_t wanted, struct haul_error *error)
{
    pthread_t threads[THREAD_COUNT_MAX];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t count = 0;
    int failure = 0;
    (void)pthread_mutex_lock(&lock);
    while (count < wanted && failure == 0) {
        failure = pthread_create(&threads[count], NULL, wait_for_lock, &lock);
        count += failure == 0;
    }
    enum haul_status status = HAUL_OK;
    if (failure != 0) {
        status = haul_error_set(error, HAUL_LIMIT, "pthread_create", failure,
                                "this process gets only %zu of %zu threads", count, wanted);
        haul_error_hint(error, "raise the limits of processes and of address space (ulimit -u, "
                               "ulimit -v, pids.max of the control group)");
    } else {
        status = check_space(error); /* what is left beside the threads' stacks */
    }
    (void)pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return status;
}

enum haul_status process_limit_check(struct haul_error *error)
{
    enum haul_status status = check_descriptors(DESCRIPTOR_COUNT, error);
    return status == HAUL_OK ? check_threads(THREAD_COUNT, error) : status;
}

enum haul_status process_limit_check_jobs(uint32_t jobs, struct haul_error *error)
{
    enum haul_status status = check_descriptors((size_t)jobs * JOB_DESCRIPTOR_COUNT, error);
    if (status == HAUL_OK) {
        status = check_threads((size_t)jobs * JOB_THREAD_COUNT, error);
    }
    if (status != HAUL_OK) {
        haul_error_hint(error, "take fewer jobs at once with --jobs, or raise the limits of this "
                               "process (ulimit -n, -u and -v)");
    }
    return status;
}
