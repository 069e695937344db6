/* SPDX-License-Identifier: Apache-2.0 */
/* job_journal.h — the records of a migration in the order its driver makes them: journal.h with the
 * plan encoded, positions cut to size, and the file found beside the store. */
#ifndef HAUL_JOB_JOURNAL_H
#define HAUL_JOB_JOURNAL_H

#include <stdbool.h>

#include "haul/migration.h"
#include "journal.h"
#include "journal_directory.h"
#include "plan.h"
#include "stream_position.h"

/* Open the journal of a job, or create one. `*existed`: it existed, with its records.
 * Errors: those of journal_open and journal_create. */
enum haul_status job_journal_open(const struct haul_store *store, enum journal_role role,
                                  const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                  bool *existed, struct haul_error *error) HAUL_MUST_CHECK;

/* The same for a job that begins under `name`, as returned by instance_begin; "": for no particular
 * database. Errors: also those of instance_hold. */
enum haul_status job_journal_begin(const struct haul_store *store, const char *name,
                                   enum journal_role role, const uint8_t job[HAUL_JOB_BYTES],
                                   struct journal **journal, bool *existed,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Open it only if it exists. Errors: NOT_FOUND, BUSY (its process is running), and those of
 * journal_open. */
enum haul_status job_journal_open_existing(const struct haul_store *store, enum journal_role role,
                                           const uint8_t job[HAUL_JOB_BYTES],
                                           struct journal **journal,
                                           struct haul_error *error) HAUL_MUST_CHECK;

/* Open it for reading only, also while its process runs. Errors: NOT_FOUND, those of
 * journal_open. */
enum haul_status job_journal_look(const struct haul_store *store, enum journal_role role,
                                  const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* The journals of a store and role. Ownership: `*entries` is the caller's (free). Errors: those of
 * journal_directory_list. */
enum haul_status job_journal_list(const struct haul_store *store, enum journal_role role,
                                  struct journal_entry **entries, size_t *count,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* A job that was given up here, perhaps without its target's knowledge. */
struct job_left {
    uint8_t id[HAUL_JOB_BYTES];
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* "": not recorded */
    char peer_address[JOURNAL_ADDRESS_BYTES_MAX + 1];
    uint64_t epoch; /* attempts of the source */
};

/* All jobs of a store and role that are not DONE. Zeroed: none. */
struct job_journals {
    struct journal **journals; /* open: those that can continue or were decided */
    size_t count;
    struct job_left *aborted;
    size_t aborted_count;
    /* Those that another job has open: they run, or are that one's to end. */
    uint8_t (*running)[HAUL_JOB_BYTES];
    size_t running_count;
};

/* Find them; jobs that are DONE, or have promised nothing (NEW), are removed on the way. Errors:
 * NO_MEMORY, and those of journal_open except BUSY; nothing is open then. */
enum haul_status job_journals_find(const struct haul_store *store, enum journal_role role,
                                   struct job_journals *found,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Take one of them; the caller closes it. */
struct journal *job_journals_take(struct job_journals *found, size_t index);
void job_journals_close(struct job_journals *found);

/* Append PEER durably, unless the journal has it. Errors: MISMATCH (the job is bound to another
 * database), INVALID (not a possible identity), and those of journal_append. */
enum haul_status job_journal_bind(struct journal *journal, const char *identity,
                                  const char *address, struct haul_error *error) HAUL_MUST_CHECK;
/* Is this the database that the job is bound to? True for a job that is bound to none. */
bool job_journal_is_bound_to(const struct journal *journal, const char *identity);

/* Append PLAN, durably. */
enum haul_status job_journal_plan(struct journal *journal, const struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* The journal's plan. Errors: NOT_FOUND (none), CORRUPT. */
enum haul_status job_journal_read_plan(const struct journal *journal, struct plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Was the hand-over decided? Only a source decides. `released`: the ownership record shows that the
 * job has moved its ranges. Either of the two may have been set back to before the decision, so
 * either one suffices; a job that is over no longer counts as decided. */
bool job_journal_was_decided(const struct journal *journal, bool released);
/* The ownership record shows the decision, and the journal is older: append what is missing up to
 * DECISION, durably. Errors: those of journal_append. */
enum haul_status job_journal_decide_late(struct journal *journal, uint64_t old_version,
                                         uint64_t new_version,
                                         struct haul_error *error) HAUL_MUST_CHECK;

/* Append POSITION and DELTA records, durably. The store is durable up to them. A full journal
 * (LIMIT) omits positions inside streams and deltas, so that a resume repeats more, but never a
 * finished stream. */
enum haul_status job_journal_positions(struct journal *journal,
                                       const struct stream_position *positions, size_t count,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Append a record without a body. */
enum haul_status job_journal_mark(struct journal *journal, enum journal_type type, bool sync,
                                  struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status job_journal_aborted(struct journal *journal, enum haul_status reason,
                                     const char *text, struct haul_error *error) HAUL_MUST_CHECK;
/* Append DONE, unless nothing was promised (NEW), and remove the file. Closes the journal in any
 * case. */
enum haul_status job_journal_finish(struct journal *journal,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
