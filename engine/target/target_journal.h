/* SPDX-License-Identifier: Apache-2.0 */
/* target_journal.h — the journal of one job on the target, in the order of its records: looking the
 * job up, positions, PREPARED, owning, clearing. target_admission.h writes PLAN.
 *
 * Each function writes in the order that docs/PROTOCOL.md demands.
 * Thread: the call worker's; the loop reads the plain members between two calls. */
#ifndef HAUL_TARGET_JOURNAL_H
#define HAUL_TARGET_JOURNAL_H

#include <stdbool.h>

#include "apply_stream.h"
#include "config_version.h"
#include "digest.h"
#include "haul/migration.h"
#include "journal.h"
#include "lost_jobs.h"
#include "message.h"
#include "plan.h"
#include "space_claims.h"
#include "staging.h"
#include "target_arrived.h"
#include "target_held.h"
#include "target_others.h"

enum { TARGET_WAITING_COUNT_MAX = 16 };

struct target_journal {
    const struct haul_target_options *target; /* borrowed */
    char name[HAUL_IDENTITY_BYTES_MAX];       /* as peers know the database; "": no name */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t epoch;
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* the source's name, by its Hello */
    char peer_address[JOURNAL_ADDRESS_BYTES_MAX + 1];
    bool source_is_told; /* its config version comes from a register outside haul */
    /* Other jobs of the source that are over, HAUL_JOB_BYTES each, as listed in its plan or Abort.
     * The loop sets them while no call runs. */
    uint8_t *over;
    size_t over_count;
    uint8_t *over_proofs; /* SOURCE_PROOF_BYTES each; NULL: none */
    bool owns_by_over;    /* this database owns by `owned_job`, which is in the list */
    uint8_t owned_job[HAUL_JOB_BYTES];
    struct journal *file;                  /* NULL: the job has no journal yet, or it was removed */
    enum job_knowledge knowledge;          /* by the journal, when the source came */
    enum version_return returned;          /* committed: how much the source has got back since */
    uint8_t given_back_by[HAUL_JOB_BYTES]; /* the newest job that gave something back */
    bool has_given_back;
    struct job_list between;       /* jobs with this source by which one of the two owns */
    struct job_list lost;          /* jobs of the plan's list that this database has no record of */
    struct job_list their_between; /* by the plan */
    struct job_list their_lost;
    struct source_proof proof; /* of the source's last Plan, Commit or Abort */
    bool told_to_end;          /* by the source's Abort, not by this side */
    struct plan plan;
    bool has_plan; /* from the journal, or from the source */
    bool resumed;
    uint64_t given_sequence; /* the state that was decided on, by Commit; 0: unknown */
    bool refused;            /* that state is not here; nothing was changed */
    /* The source has no attempt: what the job gave, by the source's report. */
    bool was_done;
    struct ownership given;
    struct haul_error given_error; /* or why the source cannot read it */
    uint64_t given_records;        /* 0, with 0 bytes: unknown */
    uint64_t given_bytes;
    uint8_t waiting[TARGET_WAITING_COUNT_MAX * HAUL_JOB_BYTES]; /* waiting for the decision */
    size_t waiting_count;
    bool held_before; /* an earlier attempt prepared the job, and no attempt has continued it */
    uint64_t checked_sequence; /* of the store, when the job's ranges passed the checks */
    struct target_left left;   /* by the previous attempt, from the loop */
    struct digest owned;       /* everything by which it owns; zeros: not known */
    char warning[HAUL_ERROR_HINT_BYTES_MAX]; /* for the operator, once it owns; else "" */
    char begun_anew[192];             /* resumed, but the copy starts over: the reason; else "" */
    bool reserved;                    /* the reserve hook was called */
    struct target_held_others others; /* prepared jobs of the same database */
    enum haul_lane lane;
    /* Resumed: the position of each stream, and where deltas continue. */
    struct stream_position *positions; /* one a stream; NULL: all start at their beginning */
    uint64_t delta_next_batch;
    /* Resumed after the last stream: digests of the present range, one a family; else NULL. */
    struct digest *base_digests;
    char staging[STAGING_PATH_BYTES_MAX]; /* of table files, if the lane ingests */
    /* Set by the loop while no call runs: */
    bool beside_others;             /* the receiver runs other jobs */
    struct space_claim claim;       /* of the job */
    const struct haul_steps *steps; /* of the running call; NULL: runs to the end */
};

void target_journal_init(struct target_journal *journal, const struct haul_target_options *target);
/* Removes the job's staging files, and all of them if it is the only one; the journal stays as it
 * is. */
void target_journal_fini(struct target_journal *journal);

/* Did the source that speaks begin the job? Errors: AUTH. */
enum haul_status target_journal_check_proof(const struct target_journal *journal,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* The job by which this database owns although the source lists it as over; NULL: none. Ownership:
 * the journal's. */
const uint8_t *target_journal_owned_job(const struct target_journal *journal);
/* Keep the source's list of its other jobs that are over, and the proofs that they are its own.
 * Errors: NO_MEMORY, PROTOCOL. */
enum haul_status target_journal_note_over(struct target_journal *journal, struct haul_slice jobs,
                                          struct haul_slice proofs,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Does this database own by a job that the source lists as over? Only a decision makes it own, and
 * a source gives up only undecided jobs, so this source was set back. Ranges that the source has
 * got back do not count.
 * Errors: MISMATCH (`owned_job`), those of the ownership record. */
enum haul_status target_journal_check_none_owned(struct target_journal *journal,
                                                 struct haul_error *error) HAUL_MUST_CHECK;
/* The job as target_newcomer, for dealing with other jobs. Everything is borrowed. */
struct target_newcomer target_journal_newcomer(const struct target_journal *journal);
/* The job's epoch: the number of its source's attempts, from 1. */
uint64_t target_journal_epoch(const struct journal_state *state);

/* Read the journal of the job that Hello names.
 * Errors: MISMATCH (it belongs to another source), FENCED (a newer attempt was here), and those of
 * journals and store. */
enum haul_status target_journal_look_up(struct target_journal *journal,
                                        const haul_control_Hello *hello, uint64_t *new_version,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* Record these positions, which are durable in the store. */
enum haul_status target_journal_positions(struct target_journal *journal,
                                          const struct stream_position *positions, size_t count,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* All records are durable in the store and equal to the source's: write PREPARED. `digests`: one a
 * family. */
enum haul_status target_journal_prepare(struct target_journal *journal,
                                        const haul_control_Prepare *prepare,
                                        const struct digest *digests,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* The source has decided: write COMMITTED, raise the version, call the hook, write DONE. After a
 * crash the remaining steps are done when this job is looked up, or when another job's plan is
 * checked.
 * Errors: MISMATCH (a job that was done: none of its ranges are ours; nothing was changed), those
 * of journals and of the ownership record. */
enum haul_status target_journal_own(struct target_journal *journal, uint64_t new_version,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* The job ends without a commit: remove its records from the store, then its journal; and do the
 * same for the jobs that the source's Abort named (target_journal_note_over). Errors: AUTH (the
 * source did not begin them; nothing was changed), those of journals and store. */
enum haul_status target_journal_clear(struct target_journal *journal,
                                      const struct haul_error *reason,
                                      struct haul_error *error) HAUL_MUST_CHECK;

#endif
