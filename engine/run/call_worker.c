/* SPDX-License-Identifier: Apache-2.0 */
/* call_worker.c — a thread between two lists of calls. */
#include "call_worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assertion.h"
#include "clock.h"
#include "condition.h"

struct call_list {
    struct call *first;
    struct call **end; /* where the next call is linked in */
};

struct call_worker {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    struct call_list waiting;
    struct call_list done;
    bool closed;
    int fd;
    pthread_t thread;
    bool started;
};

static void list_init(struct call_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_put(struct call_list *list, struct call *call)
{
    call->next = NULL;
    *list->end = call;
    list->end = &call->next;
}

static struct call *list_take(struct call_list *list)
{
    struct call *call = list->first;
    if (call != NULL) {
        list->first = call->next;
        list->end = list->first == NULL ? &list->first : list->end;
    }
    return call;
}

/* NULL: closed, and nothing waits. */
static struct call *wait_for_call(struct call_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    while (worker->waiting.first == NULL && !worker->closed) {
        (void)condition_wait(&worker->changed, &worker->lock, CLOCK_NEVER);
    }
    struct call *call = list_take(&worker->waiting);
    (void)pthread_mutex_unlock(&worker->lock);
    return call;
}

static void report(struct call_worker *worker, struct call *call)
{
    (void)pthread_mutex_lock(&worker->lock);
    bool first = worker->done.first == NULL;
    list_put(&worker->done, call);
    if (first) {
        (void)eventfd_write(worker->fd, 1);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

static void *run_thread(void *argument)
{
    struct call_worker *worker = argument;
    struct call *call;
    while ((call = wait_for_call(worker)) != NULL) {
        call->run(call->context, &call->error);
        report(worker, call);
    }
    return NULL;
}

enum haul_status call_worker_create(struct call_worker **out, struct haul_error *error)
{
    struct call_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a worker");
    }
    (void)pthread_mutex_init(&worker->lock, NULL);
    condition_init(&worker->changed);
    list_init(&worker->waiting);
    list_init(&worker->done);
    worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->fd < 0) {
        haul_error_set(error, HAUL_LIMIT, "eventfd", errno, "cannot start a worker");
        call_worker_destroy(worker);
        return HAUL_LIMIT;
    }
    int result = pthread_create(&worker->thread, NULL, run_thread, worker);
    worker->started = result == 0;
    if (!worker->started) {
        call_worker_destroy(worker);
        return haul_error_set(error, HAUL_LIMIT, "pthread_create", result, "cannot start a worker");
    }
    *out = worker;
    return HAUL_OK;
}

void call_worker_destroy(struct call_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->started) {
        (void)pthread_mutex_lock(&worker->lock);
        worker->closed = true;
        (void)pthread_cond_signal(&worker->changed);
        (void)pthread_mutex_unlock(&worker->lock);
        (void)pthread_join(worker->thread, NULL);
    }
    if (worker->fd >= 0) {
        (void)close(worker->fd);
    }
    (void)pthread_cond_destroy(&worker->changed);
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker);
}

void call_worker_submit(struct call_worker *worker, struct call *call)
{
    haul_assert(!call->under_way);
    call->under_way = true;
    call->error = (struct haul_error){.status = HAUL_OK};
    (void)pthread_mutex_lock(&worker->lock);
    list_put(&worker->waiting, call);
    (void)pthread_cond_signal(&worker->changed);
    (void)pthread_mutex_unlock(&worker->lock);
}

struct call *call_worker_result(struct call_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    struct call *call = list_take(&worker->done);
    if (call != NULL && worker->done.first == NULL) {
        eventfd_t value = 0;
        (void)eventfd_read(worker->fd, &value);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    if (call != NULL) {
        call->under_way = false;
    }
    return call;
}

int call_worker_fd(const struct call_worker *worker)
{
    return worker->fd;
}
