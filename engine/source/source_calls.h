/* SPDX-License-Identifier: Apache-2.0 */
/* source_calls.h — the slow calls of a source's job: those that wait for the disk or for the
 * embedder's hooks. The job's own call worker runs them one after another.
 *
 * While a call runs, the job's records belong to the call worker. Thread: the loop's. */
#ifndef HAUL_SOURCE_CALLS_H
#define HAUL_SOURCE_CALLS_H

#include "call_worker.h"
#include "clock.h"
#include "freeze_calls.h"
#include "lost_jobs.h"
#include "source_copy.h"
#include "source_intent.h"
#include "source_session.h"

enum { HAUL_WAITING_BYTES_MAX = 256 };

/* What a Welcome contains about the answering database. */
struct source_peer {
    char identity[HAUL_IDENTITY_BYTES_MAX];
    struct version_claim version;
    bool owns;                             /* the ranges, by this very job */
    enum version_return returned;          /* or it owned them until it gave them back */
    enum job_knowledge knowledge;          /* what its records contain of the job */
    uint8_t given_back_by[HAUL_JOB_BYTES]; /* the newest job by which it gave us something */
    bool names_given_back;
    uint8_t waiting[HAUL_WAITING_BYTES_MAX]; /* ids of jobs of this source that are prepared */
    size_t waiting_bytes;
    struct job_list between; /* jobs by which, in its view, one of the two owns */
};

struct source_calls {
    struct source_intent *intent; /* borrowed, like the next two */
    const struct source_copy *copy;
    const struct haul_clock *clock;
    struct call_worker *worker; /* NULL: not created, or finished */
    struct freeze_calls freezes;
    struct call bind;
    struct call accepted;
    struct call decide;
    struct call released;
    struct source_peer welcomed; /* of the last Welcome */
    struct source_peer bound;    /* the peer of the running bind; the call worker's */
    bool asks_again;             /* bind has found another job for a Hello to name */
    struct message commit;       /* the message that bind wants to send; without a type: none */
    struct job_list lost;        /* jobs of which bind has found no record here */
    struct job_list between;     /* jobs by which, in our records, one of the two owns */
    struct source_proof proof;   /* of the job, made by bind */
    uint8_t *told_proofs;        /* of the earlier jobs to report; owned */
    bool bind_again;             /* bind was running for an earlier Welcome */
    uint64_t decide_until_ns;
    /* The call worker's while freeze or unfreeze runs. */
    uint64_t frozen_ns; /* when the freeze hook was called */
    bool hook_called;   /* whether the unfreeze hook must be called */
};

/* Errors: those of call_worker_create. */
enum haul_status source_calls_create(struct source_calls *calls, struct source_intent *intent,
                                     const struct source_copy *copy, const struct haul_clock *clock,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Submitted calls run to their end first. A second call does nothing. */
void source_calls_destroy(struct source_calls *calls);

/* Bind the job to the database whose Welcome has arrived. */
void source_calls_bind(struct source_calls *calls, const haul_control_Welcome *welcome);
/* The target has accepted the plan: the jobs that it supersedes are over there. */
void source_calls_accepted(struct source_calls *calls);
void source_calls_freeze(struct source_calls *calls);
void source_calls_unfreeze(struct source_calls *calls);
/* Wait for the lock of the ownership record until `until_ns` at most. */
void source_calls_decide(struct source_calls *calls, uint64_t until_ns);
void source_calls_released(struct source_calls *calls);

/* The next call that has returned, as an event for the session. */
enum source_calls_news {
    SOURCE_CALLS_NOTHING,
    SOURCE_CALLS_EVENT,
    SOURCE_CALLS_TIDIED, /* the session does not wait for this call */
};
enum source_calls_news source_calls_next(struct source_calls *calls, struct source_event *event);

/* The calls that run or must still run, for a message; NULL: none. */
const char *source_calls_waited_for(const struct source_calls *calls);

#endif
