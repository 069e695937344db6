/* SPDX-License-Identifier: Apache-2.0 */
/* call_worker.h — one thread for calls that may take long (hooks, records, checks, clearing), so
 * that the loop keeps answering its peer. One call at a time, in order.
 *
 * A call lives in the object that submits it and is submitted at most once at a time, so the worker
 * needs no queue that could fill up. An object with a running call notes what else it needs, and
 * submits that after the result has arrived. */
#ifndef HAUL_CALL_WORKER_H
#define HAUL_CALL_WORKER_H

#include <stdbool.h>

#include "haul/status.h"

struct call_worker;

struct call {
    /* Sets error->status. */
    void (*run)(void *context, struct haul_error *error);
    void *context;
    struct haul_error error; /* the result; status OK: success */
    bool under_way;          /* submitted, result not taken yet */
    struct call *next;       /* the worker's */
};

/* Errors: NO_MEMORY, LIMIT. */
enum haul_status call_worker_create(struct call_worker **worker,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Waits for the running call, and runs the submitted calls that still wait. */
void call_worker_destroy(struct call_worker *worker);

/* Ownership: `call` belongs to the caller, who leaves it unchanged until the result is taken or the
 * worker is destroyed. It must not be under way (asserted). Thread: the loop's, as for
 * call_worker_result. */
void call_worker_submit(struct call_worker *worker, struct call *call);
/* The next call that has returned, in order; NULL: none. */
struct call *call_worker_result(struct call_worker *worker);
/* Readable while there is a result. */
int call_worker_fd(const struct call_worker *worker);

#endif
