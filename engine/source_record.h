/* SPDX-License-Identifier: Apache-2.0 */
/* source_record.h — the records of a job on the side that gives: the journal, the decision, and
 * what an earlier job of this store has left.
 *
 * The order in each function is the order that docs/PROTOCOL.md demands of the records.
 * Thread: the call worker's; before it runs and after it has ended, the owner's. */
#ifndef HAUL_SOURCE_RECORD_H
#define HAUL_SOURCE_RECORD_H

#include <stdbool.h>

#include "digest.h"
#include "haul/migration.h"
#include "job_journal.h"
#include "plan.h"
#include "source_earlier.h"
#include "version_record.h"

struct source_record {
    const struct haul_source_options *source; /* borrowed */
    char name[HAUL_IDENTITY_BYTES_MAX];       /* as peers know the database; "": not known yet */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t epoch;            /* of this attempt, from 1 */
    bool continued;            /* an earlier process began the job */
    uint64_t recorded_version; /* of the hook, when the job began */
    bool version_is_given;     /* by a hook or an option */
    struct journal *journal;   /* NULL: none */
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

void source_record_init(struct source_record *record, const struct haul_source_options *source);
void source_record_fini(struct source_record *record);

/* What is left of earlier jobs? Errors: BUSY, and those of journals. */
enum haul_status source_record_find(struct source_record *record,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve: take over the job that was decided, and `plan` is filled in; or, when there is none,
 * those that were given up and whose target does not know yet (`only_tells`); or one that is open,
 * and has met a target (`asks`): this database may have been set back to before its decision.
 * Errors: NOT_FOUND (none), and those of journals. */
enum haul_status source_record_adopt(struct source_record *record, struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* PLAN and SNAPSHOT, durably: from here on the job exists. */
enum haul_status source_record_begin(struct source_record *record, const struct plan *plan,
                                     uint64_t snapshot_sequence,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The plan of what an earlier process has left, undecided; source_record_find was called.
 * Errors: NOT_FOUND (there is none, or nothing of it was copied), and those of journals. */
enum haul_status source_record_left_plan(const struct source_record *record, struct plan *plan,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Go on with what an earlier process has left: its job and streams (into `plan`), the next epoch,
 * the log from where that job began (`*log_sequence`); SNAPSHOT stands again, durably.
 * Errors: NOT_FOUND (there is none, or it cannot go on, which is logged with the reason: begin a
 * new one), and those of journals. */
enum haul_status source_record_continue(struct source_record *record, struct plan *plan,
                                        uint64_t snapshot_sequence, uint64_t *log_sequence,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* The target has answered Hello: bind the job to it, durably, before the plan is sent, and find out
 * which earlier jobs to tell it of (`earlier.told`).
 * Errors: MISMATCH (the job was begun with another database, `peer_differs`), NOT_FOUND
 * (only_tells: no job waits for this database), and those of journals. */
enum haul_status source_record_bind(struct source_record *record, const char *identity,
                                    const struct plan *plan,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The same of a target that owns by this very job, and says what it has given back of it. Nothing
 * is recorded: until the decision is, the journal says what it says. Errors: MISMATCH. */
enum haul_status source_record_meet(struct source_record *record, const char *identity,
                                    enum version_return returned,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* only_tells: may the target that was met own by `job`? Not one that it is not bound to. */
bool source_record_is_met(const struct source_record *record);
/* only_tells: it does not. An open job that waits for its answer has it now, durably. Errors: those
 * of job_journal_bind. */
enum haul_status source_record_not_owned(struct source_record *record,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* only_tells: take the next job (`job`, `epoch`) that the target which was met may own by, and that
 * no Hello has named yet. False: there is none. */
bool source_record_ask_next(struct source_record *record);
/* only_tells, and the target owns by none: which of its jobs are over (`earlier.told`)? Errors:
 * NOT_FOUND (none: they are not decided, or wait for another database), NO_MEMORY. */
enum haul_status source_record_tell(struct source_record *record,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The target has accepted the plan, and has nothing left of the jobs that it was told of. */
enum haul_status source_record_accepted(struct source_record *record,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* FROZEN, durably, with the last sequence number before it. */
enum haul_status source_record_frozen(struct source_record *record,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* UNFROZEN, lazily. */
enum haul_status source_record_unfrozen(struct source_record *record,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* The decision to commit. OK: it is durable. IN_DOUBT: nobody knows before the records are read
 * again. Anything else: it was not made; BUSY: another change of the ownership record has not ended
 * within `wait_max_ms`. */
enum haul_status source_record_decide(struct source_record *record, const struct plan *plan,
                                      uint32_t wait_max_ms,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Has the job a journal without a decision to commit? So has each that only tells. */
bool source_record_is_undecided(const struct source_record *record);
/* FROZEN and the decision to commit at `new_version`, of a job that its target has finished
 * already. Errors: FENCED (the target has given the ranges back since, or perhaps some of them:
 * nothing is released), those of source_record_decide; the job is then undecided, or IN_DOUBT. */
enum haul_status source_record_yield(struct source_record *record, const struct plan *plan,
                                     uint64_t new_version,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve, `only_tells`: the target owns by the job, and does not wait for anything. The
 * hand-over is recorded at `new_version`, and the journal goes (`yielded`); when the ranges came
 * back since, only the journal goes (`came_back`). Errors: MISMATCH (perhaps some of them did; or
 * the job was given up, and only the embedder's register can give the ranges away), NOT_FOUND (the
 * job is bound to another database), and those of source_record_decide and of journals. */
enum haul_status source_record_yield_left(struct source_record *record, uint64_t new_version,
                                          struct haul_error *error) HAUL_MUST_CHECK;
/* RELEASED, durably. */
enum haul_status source_record_released(struct source_record *record,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* End a job that no process runs. Errors: IN_DOUBT (it was decided), UNCONFIRMED (without
 * `accept_two_owners`: it may have been, before the database was restored), those of journals. */
enum haul_status source_record_give_up(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                       bool accept_two_owners,
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
void source_record_end(struct source_record *record, const struct source_ending *ending);

#endif
