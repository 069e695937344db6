/* SPDX-License-Identifier: Apache-2.0 */
/* source_journal.h — the records of a job on the source: the journal, the decision, and what an
 * earlier job of this store has left.
 *
 * Each function writes its records in the order that docs/PROTOCOL.md demands.
 * Thread: the call worker's; before it runs and after it has ended, the owner's. */
#ifndef HAUL_SOURCE_JOURNAL_H
#define HAUL_SOURCE_JOURNAL_H

#include <stdbool.h>

#include "config_version.h"
#include "digest.h"
#include "haul/migration.h"
#include "job_journal.h"
#include "plan.h"
#include "source_earlier.h"

struct source_journal {
    const struct haul_source_options *source; /* borrowed */
    char name[HAUL_IDENTITY_BYTES_MAX];       /* as peers know the database; "": not known yet */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t epoch;            /* of this attempt, from 1 */
    bool continued;            /* an earlier process began the job */
    uint64_t recorded_version; /* of the hook, when the job began */
    bool version_is_given;     /* by a hook or an option */
    struct journal *file;      /* NULL: none */
    struct source_earlier earlier;
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* the target's identity, once it has answered */
    bool has_met;                       /* this process has met a target */
    bool peer_differs;                  /* from the target that the job began with */
    struct digest moved;                /* everything moved, as of the decision; for the history */
    bool only_tells; /* resolve: nothing was decided; only notify a target of jobs that are over */
    bool asks;       /* with only_tells, and `job` is open: does the target already own? */
    uint8_t first_job[HAUL_JOB_BYTES]; /* only_tells: the job of the first Hello */
    bool answers;        /* only_tells, and no journal is left: `job` is finished by the record */
    bool has_lost;       /* this database was set back to before it got back what a target gave */
    bool answered;       /* a target that was set back was notified that a job is decided */
    bool settled;        /* the target owns by the last job from here: nothing is in doubt */
    unsigned done_asked; /* jobs that such a target has named, for a Hello to name */
    size_t asked;        /* only_tells: how many of the remaining jobs were looked at */
    enum version_return returned; /* does, or did, the target own by the job? */
    bool is_owned;                /* and it still does: the decision has taken effect */
    bool came_back;               /* only_tells: the ranges came back, so the job is over on both
                                   * sides */
    bool yielded;                 /* resolve: the target's answer has shown that it owns */
};

void source_journal_init(struct source_journal *journal, const struct haul_source_options *source);
void source_journal_fini(struct source_journal *journal);

/* Find the journals of earlier jobs. Errors: BUSY, and those of journals. */
enum haul_status source_journal_find(struct source_journal *journal,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve: take over the decided job and fill in `plan`. Without one, take over jobs that were
 * given up without their target's knowledge (`only_tells`), or an open job that has met a target
 * (`asks`), because this database may have been set back to before its decision.
 * Errors: NOT_FOUND (none), and those of journals. */
enum haul_status source_journal_adopt(struct source_journal *journal, struct plan *plan,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Write PLAN and SNAPSHOT durably: from here on the job exists. */
enum haul_status source_journal_begin(struct source_journal *journal, const struct plan *plan,
                                      uint64_t snapshot_sequence,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* The target has answered Hello. Bind the job to it, durably, before the plan is sent, and find the
 * earlier jobs to report to it (`earlier.told`).
 * Errors: MISMATCH (the job began with another database, `peer_differs`), NOT_FOUND (only_tells: no
 * job waits for this database), and those of journals. */
enum haul_status source_journal_bind(struct source_journal *journal, const char *identity,
                                     const struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The same for a target that owns by this very job; `returned`: what it has given back. Records
 * nothing: the journal changes only with the decision. Errors: MISMATCH. */
enum haul_status source_journal_meet(struct source_journal *journal, const char *identity,
                                     enum version_return returned,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The target has accepted the plan and dropped the jobs that were reported to it. */
enum haul_status source_journal_accepted(struct source_journal *journal,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Write FROZEN durably, with the last sequence number before it. */
enum haul_status source_journal_frozen(struct source_journal *journal,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Write UNFROZEN, without a sync. */
enum haul_status source_journal_unfrozen(struct source_journal *journal,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Make the decision to commit. OK: it is durable. IN_DOUBT: unknown until the records are read
 * again. Anything else: it was not made; BUSY: another change of the ownership record has not ended
 * within `wait_max_ms`. */
enum haul_status source_journal_decide(struct source_journal *journal, const struct plan *plan,
                                       uint32_t wait_max_ms,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Has the job a journal without a decision to commit? True for each with only_tells. */
bool source_journal_is_undecided(const struct source_journal *journal);
/* Write FROZEN and the decision to commit at `new_version` for a job that its target has already
 * finished. Errors: FENCED (the target has since given the ranges back, or perhaps some of them:
 * nothing is released), those of source_journal_decide; the job is then undecided, or IN_DOUBT. */
enum haul_status source_journal_yield(struct source_journal *journal, const struct plan *plan,
                                      uint64_t new_version,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve with `only_tells`: the target owns by the job, and waits for nothing. Record the
 * hand-over at `new_version` and delete the journal (`yielded`); if the ranges have come back
 * since, only delete the journal (`came_back`). Errors: MISMATCH (perhaps some of them have; or the
 * job was given up, and only the embedder's register can give the ranges away), NOT_FOUND (the job
 * is bound to another database), and those of source_journal_decide and of journals. */
enum haul_status source_journal_yield_left(struct source_journal *journal, uint64_t new_version,
                                           struct haul_error *error) HAUL_MUST_CHECK;
/* Write RELEASED durably. */
enum haul_status source_journal_released(struct source_journal *journal,
                                         struct haul_error *error) HAUL_MUST_CHECK;

struct source_ending {
    struct haul_error *outcome;  /* in: how the job ended; out: why the job was kept */
    bool was_accepted;           /* the target took Hello: it may have a record of the job */
    bool kept;                   /* the target keeps it, whatever the outcome */
    bool peer_knows;             /* the target knows that the job is over */
    const struct job_list *lost; /* jobs that the target reports to have lost; NULL: none */
    const uint8_t *owned_job;    /* an earlier job by which the target reports to own; NULL: none */
};
/* The job is over: finish the journal, or leave it for a later run. */
void source_journal_end(struct source_journal *journal, const struct source_ending *ending);

#endif
