/* SPDX-License-Identifier: Apache-2.0 */
/* call_worker.h — one thread for calls that may take their time (hooks, records, checks, clearing),
 * so that the loop keeps answering its peer. One call at a time, in order. */
#ifndef HAUL_CALL_WORKER_H
#define HAUL_CALL_WORKER_H

#include <stdint.h>

#include "haul/status.h"

struct call_worker;

enum { CALL_WORKER_CALLS_MAX = 16 };

struct call {
    uint32_t tag; /* the caller's; comes back with the result */
    /* Sets error->status. */
    void (*run)(void *context, struct haul_error *error);
    void *context;
};

struct call_result {
    uint32_t tag;
    struct haul_error error; /* status OK: it worked */
};

/* Errors: NO_MEMORY, LIMIT. */
enum haul_status call_worker_create(struct call_worker **worker,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Waits for the running call; calls that still wait are run too: they were promised. */
void call_worker_destroy(struct call_worker *worker);

/* At most CALL_WORKER_CALLS_MAX may wait (asserted). */
void call_worker_submit(struct call_worker *worker, const struct call *call);
/* Errors: AGAIN. */
enum haul_status call_worker_result(struct call_worker *worker,
                                    struct call_result *result) HAUL_MUST_CHECK;
int call_worker_fd(const struct call_worker *worker);

#endif
