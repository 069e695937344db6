/* SPDX-License-Identifier: Apache-2.0 */
/* target_record.h — what the target does to its store and its records for one job, apart from the
 * blocks: looking the job up, checking the plan, positions, PREPARED, owning, clearing.
 *
 * The order in each function is the order that docs/PROTOCOL.md demands of the records.
 * Thread: the call worker's; the loop reads the plain members between two calls. */
#ifndef HAUL_TARGET_RECORD_H
#define HAUL_TARGET_RECORD_H

#include <stdbool.h>

#include "apply_stream.h"
#include "digest.h"
#include "haul/migration.h"
#include "journal.h"
#include "lost_jobs.h"
#include "message.h"
#include "plan.h"
#include "target_arrived.h"
#include "target_held.h"
#include "version_record.h"

enum { TARGET_PATH_BYTES_MAX = 1024, TARGET_WAITING_COUNT_MAX = 16 };

struct target_record {
    const struct haul_target_options *target; /* borrowed */
    char name[HAUL_IDENTITY_BYTES_MAX]; /* as peers know the database; "": none in particular */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t epoch;
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* the source's, by its Hello */
    char peer_address[JOURNAL_ADDRESS_BYTES_MAX + 1];
    bool source_is_told; /* its config version comes from a register outside haul */
    /* Other jobs of the source that are over, HAUL_JOB_BYTES each: as its plan says, or its Abort.
     * The loop sets them while no call runs. */
    uint8_t *over;
    size_t over_count;
    bool owns_by_over; /* this database owns by `owned_job`, which was said to be one of them */
    uint8_t owned_job[HAUL_JOB_BYTES];
    struct journal *journal;               /* NULL: the job has none yet, or no more */
    enum job_phase phase;                  /* as the journal said when the source came */
    enum version_return returned;          /* committed: what the source has got back since */
    uint8_t given_back_by[HAUL_JOB_BYTES]; /* the newest job by which it has */
    bool has_given_back;
    struct job_list between;       /* jobs with the source by which one of the two owns */
    struct job_list lost;          /* those of the plan's that this database knows nothing of */
    struct job_list their_between; /* as the plan says */
    struct job_list their_lost;
    struct plan plan;
    bool has_plan; /* of the journal, or of the source */
    bool resumed;
    uint64_t given_sequence; /* what was decided on, as Commit has it; 0: not known */
    bool refused;            /* that is not here, and nothing was changed */
    /* The source has no attempt: what it says that the job has given. */
    bool was_done;
    struct ownership given;
    struct haul_error given_error; /* or why that cannot be read */
    uint64_t given_records;        /* 0, with 0 bytes: not known */
    uint64_t given_bytes;
    uint8_t waiting[TARGET_WAITING_COUNT_MAX * HAUL_JOB_BYTES]; /* for this source's decision */
    size_t waiting_count;
    bool held_before; /* an attempt before this one has prepared it, and it was not gone on with */
    uint64_t checked_sequence; /* of the store, when the job's ranges were found fit */
    struct target_left left;   /* by the attempt before this one, as the loop knows it */
    char warning[HAUL_ERROR_HINT_BYTES_MAX]; /* what to look at once it owns; else "" */
    char begun_anew[192]; /* resumed, and nothing that had arrived counts: why; else "" */
    bool reserved;        /* the hook was told */
    struct target_held_others others; /* whose database this job writes to as well */
    enum haul_lane lane;
    /* Resumed: where each stream stands, and from where deltas go on. */
    struct stream_position *positions; /* one a stream; NULL: all at their beginning */
    uint64_t delta_next_batch;
    /* Resumed after the last stream: digests of the range as it is, one a family; else NULL. */
    struct digest *base_digests;
    char staging[TARGET_PATH_BYTES_MAX]; /* of table files, if the lane ingests */
    const struct haul_steps *steps;      /* of the call that runs; NULL: to the end */
};

void target_record_init(struct target_record *record, const struct haul_target_options *target);
/* Removes staging files; the journal stays where it stands. */
void target_record_fini(struct target_record *record);

/* The job by which this database turned out to own, though the source says that it is over; NULL:
 * none. Ownership: the record's. */
const uint8_t *target_record_owned_job(const struct target_record *record);
/* Take over what the source says of its other jobs. Errors: NO_MEMORY, PROTOCOL. */
enum haul_status target_record_note_over(struct target_record *record, struct haul_slice jobs,
                                         struct haul_error *error) HAUL_MUST_CHECK;

/* Read the records of the job that Hello names. Errors: MISMATCH (it is another source's), FENCED
 * (a newer attempt was here), and those of journals and store. */
enum haul_status target_record_look_up(struct target_record *record,
                                       const haul_control_Hello *hello, uint64_t *new_version,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Hold the plan (taken over, also on error) against the store and the records; then PLAN stands.
 * The embedder is asked first. Nothing is changed before it is known that the plan fits; then jobs
 * that are in its way, or that it says are over, are given up.
 * Errors: those of the hook and of target_plan_look; BUSY (another job has its hand on these
 * ranges); MISMATCH (the journal has another plan, or a job that is said to be over is another
 * source's). A new job that fails here leaves no journal, and no family that was made for it. */
enum haul_status target_record_check(struct target_record *record, struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* These positions are durable in the store. */
enum haul_status target_record_positions(struct target_record *record,
                                         const struct stream_position *positions, size_t count,
                                         struct haul_error *error) HAUL_MUST_CHECK;

/* Everything is durable in the store and equal: PREPARED. `digests`: one a family. */
enum haul_status target_record_prepare(struct target_record *record,
                                       const haul_control_Prepare *prepare,
                                       const struct digest *digests,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Remove table files that a job without a process has left. Errors: LIMIT (a path is too long). */
enum haul_status target_record_remove_staging(struct haul_store *store,
                                              const uint8_t job[HAUL_JOB_BYTES],
                                              struct haul_error *error) HAUL_MUST_CHECK;

/* End a job that no process runs: clear its ranges and staging files. `hooks`: unreserve is told;
 * NULL: none. `steps`: of the clearing; NULL: to the end. Errors: IN_DOUBT (it is prepared, or
 * more), and those of journals and store. */
enum haul_status target_record_give_up(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                       const struct haul_hooks *hooks,
                                       const struct haul_steps *steps,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* The same of one that is prepared, too: its source is lost. Errors: IN_DOUBT (it is committed). */
enum haul_status target_record_force_give_up(struct haul_store *store,
                                             const uint8_t job[HAUL_JOB_BYTES],
                                             struct haul_error *error) HAUL_MUST_CHECK;

/* The source has decided: COMMITTED, the version moves, the hook; then the job is DONE. What a
 * crash left undone of it is done when this job is looked up, or another one's plan is checked.
 * Errors: MISMATCH (of a job that was done: nothing of it is ours, and nothing was changed), those
 * of journals and of the record. */
enum haul_status target_record_own(struct target_record *record, uint64_t new_version,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* The job ends without a commit: remove what it copied, then its records; and so for the jobs that
 * the source's Abort named (target_record_note_over). */
enum haul_status target_record_clear(struct target_record *record, const struct haul_error *reason,
                                     struct haul_error *error) HAUL_MUST_CHECK;

#endif
