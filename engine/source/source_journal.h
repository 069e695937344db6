/* SPDX-License-Identifier: Apache-2.0 */
/* source_journal.h — the records of a job on the side that gives: the journal, the decision, and
 * what an earlier job of this store has left.
 *
 * The order in each function is the order that docs/PROTOCOL.md demands of the records.
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
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* the target's, once it has answered */
    bool has_met;                       /* a target, in this process */
    bool peer_differs;                  /* from the one that the job was begun with */
    struct digest moved;                /* of everything, before the decision; for the history */
    bool only_tells; /* resolve: nothing was decided, a target learns which jobs are over */
    bool asks;       /* only_tells, and `job` is open: does the target own already? */
    uint8_t first_job[HAUL_JOB_BYTES]; /* only_tells: of the first Hello */
    bool answers;  /* only_tells, and no journal is left: `job` is done by the record */
    bool has_lost; /* what a target has given back: this database was set back to before that */
    bool answered; /* a target that was set back was told that a job is decided */
    unsigned done_asked; /* jobs that such a target has named, and that a Hello was to name */
    size_t asked;        /* only_tells: of the jobs that are left, how many were looked at */
    enum version_return returned; /* the target owns by the job, or owned until it gave back */
    bool is_owned;                /* and it still does: what is decided has happened */
    bool came_back;               /* only_tells, and so it was: the job is over on both sides */
    bool yielded; /* resolve: it owns, found out by what it said and not by this job's end */
};

void source_journal_init(struct source_journal *journal, const struct haul_source_options *source);
void source_journal_fini(struct source_journal *journal);

/* What is left of earlier jobs? Errors: BUSY, and those of journals. */
enum haul_status source_journal_find(struct source_journal *journal,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve: take over the job that was decided, and `plan` is filled in; or, when there is none,
 * those that were given up and whose target does not know yet (`only_tells`); or one that is open,
 * and has met a target (`asks`): this database may have been set back to before its decision.
 * Errors: NOT_FOUND (none), and those of journals. */
enum haul_status source_journal_adopt(struct source_journal *journal, struct plan *plan,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* PLAN and SNAPSHOT, durably: from here on the job exists. */
enum haul_status source_journal_begin(struct source_journal *journal, const struct plan *plan,
                                      uint64_t snapshot_sequence,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* The target has answered Hello: bind the job to it, durably, before the plan is sent, and find out
 * which earlier jobs to tell it of (`earlier.told`).
 * Errors: MISMATCH (the job was begun with another database, `peer_differs`), NOT_FOUND
 * (only_tells: no job waits for this database), and those of journals. */
enum haul_status source_journal_bind(struct source_journal *journal, const char *identity,
                                     const struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The same of a target that owns by this very job, and says what it has given back of it. Nothing
 * is recorded: until the decision is, the journal says what it says. Errors: MISMATCH. */
enum haul_status source_journal_meet(struct source_journal *journal, const char *identity,
                                     enum version_return returned,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The target has accepted the plan, and has nothing left of the jobs that it was told of. */
enum haul_status source_journal_accepted(struct source_journal *journal,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* FROZEN, durably, with the last sequence number before it. */
enum haul_status source_journal_frozen(struct source_journal *journal,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* UNFROZEN, lazily. */
enum haul_status source_journal_unfrozen(struct source_journal *journal,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* The decision to commit. OK: it is durable. IN_DOUBT: nobody knows before the records are read
 * again. Anything else: it was not made; BUSY: another change of the ownership record has not ended
 * within `wait_max_ms`. */
enum haul_status source_journal_decide(struct source_journal *journal, const struct plan *plan,
                                       uint32_t wait_max_ms,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Has the job a journal without a decision to commit? So has each that only tells. */
bool source_journal_is_undecided(const struct source_journal *journal);
/* FROZEN and the decision to commit at `new_version`, of a job that its target has finished
 * already. Errors: FENCED (the target has given the ranges back since, or perhaps some of them:
 * nothing is released), those of source_journal_decide; the job is then undecided, or IN_DOUBT. */
enum haul_status source_journal_yield(struct source_journal *journal, const struct plan *plan,
                                      uint64_t new_version,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve, `only_tells`: the target owns by the job, and does not wait for anything. The
 * hand-over is recorded at `new_version`, and the journal goes (`yielded`); when the ranges came
 * back since, only the journal goes (`came_back`). Errors: MISMATCH (perhaps some of them did; or
 * the job was given up, and only the embedder's register can give the ranges away), NOT_FOUND (the
 * job is bound to another database), and those of source_journal_decide and of journals. */
enum haul_status source_journal_yield_left(struct source_journal *journal, uint64_t new_version,
                                           struct haul_error *error) HAUL_MUST_CHECK;
/* RELEASED, durably. */
enum haul_status source_journal_released(struct source_journal *journal,
                                         struct haul_error *error) HAUL_MUST_CHECK;

struct source_ending {
    struct haul_error *outcome;  /* in: how it ended; out: why a job that may not end was kept */
    bool was_accepted;           /* the target took Hello: it may have a record of the job */
    bool kept;                   /* and keeps it, whatever the outcome is */
    bool peer_knows;             /* and knows that it is over */
    const struct job_list *lost; /* NULL, or what the target has lost, it says */
    const uint8_t *owned_job;    /* NULL, or an earlier one by which the target says that it owns */
};
/* The job is over: finish the journal, or leave it for a later run. */
void source_journal_end(struct source_journal *journal, const struct source_ending *ending);

#endif
