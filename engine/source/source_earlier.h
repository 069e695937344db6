/* SPDX-License-Identifier: Apache-2.0 */
/* source_earlier.h — earlier jobs of a source that a crash, a stop or a cancel has left: which of
 * them were decided, which are over, and which of these their target has yet to learn of.
 *
 * A job is bound to the database of its target. Only that target is notified that the job is over.
 * Until then its journal stays, ABORTED, however many jobs go elsewhere meanwhile.
 * Thread: the call worker's; before it runs and after it has ended, the owner's. */
#ifndef HAUL_SOURCE_EARLIER_H
#define HAUL_SOURCE_EARLIER_H

#include <stdbool.h>

#include "haul/migration.h"
#include "job_journal.h"
#include "plan.h"

struct source_earlier {
    const struct haul_source_options *source; /* borrowed */
    struct job_journals left_over;            /* undecided */
    struct job_journals decided;              /* whose targets have not confirmed it */
    uint8_t *told; /* ids of the jobs to report to the present target, HAUL_JOB_BYTES each */
    size_t told_count;
};

void source_earlier_init(struct source_earlier *earlier, const struct haul_source_options *source);
void source_earlier_fini(struct source_earlier *earlier);

/* Read the journals. Jobs whose target was last seen at this job's address come first. Those that
 * another job of this database has open are left to it. Errors: those of job_journals_find. */
enum haul_status source_earlier_find(struct source_earlier *earlier,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Was the job decided, by its journal or by the ownership record? Either may have been set back to
 * before the decision while the other one has it. Errors: those of the record. Without an answer of
 * the record the job may be neither given up nor continued. */
enum haul_status source_earlier_look_decided(struct haul_store *store,
                                             const struct journal *journal, bool *decided,
                                             struct haul_error *error) HAUL_MUST_CHECK;
/* For a decided job whose target must learn the decision: does the record still show that the whole
 * plan went there? Errors: MISMATCH (a part was taken back, and perhaps moved on), those of the
 * record. */
enum haul_status source_earlier_check_whole(const struct haul_source_options *source,
                                            const struct journal *journal, const struct plan *plan,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* No other job of the database runs. Errors: BUSY. */
enum haul_status source_earlier_check_alone(const struct source_earlier *earlier,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* No other job that runs has a part of the plan. Errors: BUSY, those of journals. */
enum haul_status source_earlier_check_running(const struct source_earlier *earlier,
                                              const struct plan *plan,
                                              struct haul_error *error) HAUL_MUST_CHECK;
/* The job `own` has its journal, with the plan: nobody began a job of the plan's ranges since the
 * journals were read. Of two that begin in the same moment at least one learns of the other.
 * Errors: BUSY, NO_MEMORY, those of journals. */
enum haul_status source_earlier_check_appeared(const struct source_earlier *earlier,
                                               const uint8_t *own, const struct plan *plan,
                                               struct haul_error *error) HAUL_MUST_CHECK;
/* The job has begun: leave those that it neither continues nor ends, and those that were decided,
 * to others. */
void source_earlier_leave_apart(struct source_earlier *earlier, const struct plan *plan);
/* Check that no decided job has moved, or may have moved, a part of the plan that the record does
 * not show as ours again: such a job must be resolved first. Errors: IN_DOUBT, NO_MEMORY. */
enum haul_status source_earlier_check_decided(const struct source_earlier *earlier,
                                              const struct plan *plan,
                                              struct haul_error *error) HAUL_MUST_CHECK;
/* Return the journal of an undecided job, whether this process has it open or not; the caller
 * closes it. Errors: those of job_journal_open_existing. */
enum haul_status source_earlier_take(struct source_earlier *earlier,
                                     const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Has another job handed over the range of this one? */
bool source_earlier_is_overtaken(const struct source_earlier *earlier,
                                 const struct journal *journal);

/* The target owns by the job, or owned until it gave a part back (`parted`). Record durably that
 * the job is in doubt, so that nothing gives it up silently. Errors: those of journal_append. */
enum haul_status source_earlier_mark_owned(struct journal *journal, bool parted,
                                           struct haul_error *error) HAUL_MUST_CHECK;
/* The job is decided, and its target has since given ranges back (`parted`: some of them), which
 * this database does not know. Record it, so that `haul status` names the way out. Errors: those of
 * journal_append. */
enum haul_status source_earlier_mark_returned(struct journal *journal, bool parted,
                                              struct haul_error *error) HAUL_MUST_CHECK;
/* Database `identity` reports that it owns by a job that was reported to it as over. Do as
 * source_earlier_mark_owned, if the job was reported to it and is bound to no other database. Logs
 * a failure. */
void source_earlier_is_owned(struct source_earlier *earlier, const uint8_t job[HAUL_JOB_BYTES],
                             const char *identity);
/* The target reports that it owned by the job and gave a part of the ranges back (`has_lost`: this
 * database was set back and has none of it). Returns `refused` and sets the way out as the hint. */
enum haul_status source_earlier_parted(enum haul_status refused, bool has_lost,
                                       struct haul_error *error);
/* Set the hint of an error: a database has answered that the job is not bound to. */
void source_earlier_hint_stranger(const struct journal *journal, const char *peer,
                                  struct haul_error *error);
/* The job may have been decided before this database was restored, so it must not be given up.
 * Returns UNCONFIRMED and names the risk. */
enum haul_status source_earlier_restored(const struct journal *journal, struct haul_error *error);
/* The same, and the journal is older than the job's first contact with a target: nobody knows which
 * database may own the ranges. */
bool source_earlier_is_of_nobody(const struct journal *journal);
/* Write ABORTED, and UNFROZEN if it is due: nothing of the job was decided. */
enum haul_status source_earlier_abort(struct journal *journal, enum haul_status reason,
                                      const char *text, struct haul_error *error) HAUL_MUST_CHECK;
/* The same, and delete the journal: the target knows, or has never had a record of the job. Closes
 * it. */
enum haul_status source_earlier_drop(struct journal *journal, enum haul_status reason,
                                     const char *text, struct haul_error *error) HAUL_MUST_CHECK;
/* Abort the jobs that another job has overtaken. */
void source_earlier_abort_overtaken(struct source_earlier *earlier);

/* How many jobs that can continue have no range of `plan`? They stay as they are. */
size_t source_earlier_count_apart(const struct source_earlier *earlier, const struct plan *plan);

/* Database `identity` is at the other end. List in `told` its jobs that are over, have not begun,
 * or meet `plan` (NULL: all of them). Abort the jobs of other targets that meet `plan`; those
 * targets learn it later. Jobs that meet nothing stay, and can continue later.
 * Errors: UNCONFIRMED (one of these may have been decided), NO_MEMORY, LIMIT (more than a message
 * holds: the first ones are listed), journals'. */
enum haul_status source_earlier_bind(struct source_earlier *earlier, const char *identity,
                                     const struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The target has dropped the jobs in `told`: drop their journals here. Errors: those of journals; a
 * later job reports again what could not be removed. */
enum haul_status source_earlier_were_told(struct source_earlier *earlier,
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
