/* SPDX-License-Identifier: Apache-2.0 */
/* call_worker.c — a thread between two mailboxes. */
#include "call_worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "assertion.h"
#include "clock.h"
#include "mailbox.h"

struct call_worker {
    struct mailbox *calls;
    struct mailbox *results;
    pthread_t thread;
    bool started;
};

static void *run_thread(void *argument)
{
    struct call_worker *worker = argument;
    struct call call;
    while (mailbox_pop_wait(worker->calls, &call, CLOCK_NEVER) == HAUL_OK) {
        struct call_result result = {.tag = call.tag};
        call.run(call.context, &result.error);
        enum haul_status status = mailbox_push_wait(worker->results, &result, CLOCK_NEVER);
        haul_assert(status == HAUL_OK || status == HAUL_CLOSED);
    }
    return NULL;
}

enum haul_status call_worker_create(struct call_worker **out, struct haul_error *error)
{
    struct call_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a worker");
    }
    enum haul_status status =
        mailbox_create(CALL_WORKER_CALLS_MAX, sizeof(struct call), &worker->calls);
    if (status == HAUL_OK) {
        status =
            mailbox_create(CALL_WORKER_CALLS_MAX, sizeof(struct call_result), &worker->results);
    }
    if (status == HAUL_OK) {
        int result = pthread_create(&worker->thread, NULL, run_thread, worker);
        worker->started = result == 0;
        status = result == 0 ? HAUL_OK : HAUL_LIMIT;
    }
    if (status != HAUL_OK) {
        call_worker_destroy(worker);
        return haul_error_set(error, status, "pthread_create", 0, "cannot start a worker");
    }
    *out = worker;
    return HAUL_OK;
}

void call_worker_destroy(struct call_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->results != NULL) {
        mailbox_close(worker->results);
    }
    if (worker->calls != NULL) {
        mailbox_close(worker->calls);
    }
    if (worker->started) {
        (void)pthread_join(worker->thread, NULL);
    }
    mailbox_destroy(worker->calls);
    mailbox_destroy(worker->results);
    free(worker);
}

void call_worker_submit(struct call_worker *worker, const struct call *call)
{
    enum haul_status status = mailbox_push(worker->calls, call);
    haul_assert(status == HAUL_OK);
}

enum haul_status call_worker_result(struct call_worker *worker, struct call_result *result)
{
    return mailbox_pop(worker->results, result);
}

int call_worker_fd(const struct call_worker *worker)
{
    return mailbox_fd(worker->results);
}
