/* SPDX-License-Identifier: Apache-2.0 */
/* job_journal.h — the records of a migration in the order its driver makes them: journal.h with the
 * plan encoded, positions cut to size, and the file found beside the store. */
#ifndef HAUL_JOB_JOURNAL_H
#define HAUL_JOB_JOURNAL_H

#include <stdbool.h>

#include "apply_stream.h"
#include "haul/migration.h"
#include "journal.h"
#include "plan.h"

/* Open the journal of a job, or make one. `*existed`: it was there, with what it says.
 * Errors: those of journal_open and journal_create. */
enum haul_status job_journal_open(const struct haul_store *store, enum journal_role role,
                                  const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                  bool *existed, struct haul_error *error) HAUL_MUST_CHECK;

/* Only open it. Errors: NOT_FOUND, BUSY (its process is running), and those of journal_open. */
enum haul_status job_journal_open_existing(const struct haul_store *store, enum journal_role role,
                                           const uint8_t job[HAUL_JOB_BYTES],
                                           struct journal **journal,
                                           struct haul_error *error) HAUL_MUST_CHECK;

/* A job of this store and role whose journal is not DONE, rather one that goes on than one that is
 * ABORTED; jobs that are DONE are removed on the way. Errors: NOT_FOUND (none), BUSY (its process
 * is running), and those of journal_open. */
enum haul_status job_journal_find(const struct haul_store *store, enum journal_role role,
                                  struct journal **journal,
                                  struct haul_error *error) HAUL_MUST_CHECK;

enum { JOB_JOURNALS_MAX = 8 };

/* All jobs of a store and role that are not DONE. */
struct job_journals {
    struct journal *journals[JOB_JOURNALS_MAX];
    size_t count;
};

/* Those that go on before those that are ABORTED, of which as many as there is room for; jobs that
 * are DONE are removed on the way. Errors: LIMIT, BUSY (the process of one is running), and those
 * of journal_open; nothing is open then. */
enum haul_status job_journals_find(const struct haul_store *store, enum journal_role role,
                                   struct job_journals *found,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* One of them for the caller, who closes it. */
struct journal *job_journals_take(struct job_journals *found, size_t index);
void job_journals_close(struct job_journals *found);

/* PLAN, durably. */
enum haul_status job_journal_plan(struct journal *journal, const struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* The plan that the journal has. Errors: NOT_FOUND (none), CORRUPT. */
enum haul_status job_journal_read_plan(const struct journal *journal, struct plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* POSITION and DELTA records, durably. The store is durable up to them. A full journal (LIMIT) goes
 * without positions inside streams and without deltas, so that a resume repeats more, but never
 * without a finished stream. */
enum haul_status job_journal_positions(struct journal *journal,
                                       const struct stream_position *positions, size_t count,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* A record without a body. */
enum haul_status job_journal_mark(struct journal *journal, enum journal_type type, bool sync,
                                  struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status job_journal_aborted(struct journal *journal, enum haul_status reason,
                                     const char *text, struct haul_error *error) HAUL_MUST_CHECK;
/* DONE, and the file away. Closes the journal whatever happens. */
enum haul_status job_journal_finish(struct journal *journal,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
