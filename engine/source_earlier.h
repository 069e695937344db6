/* SPDX-License-Identifier: Apache-2.0 */
/* source_earlier.h — earlier jobs of a source, which a crash, a stop or a cancel has left: which of
 * them were decided, which are over, and which of these their target has still to learn of.
 *
 * A job is bound to the database of its target. Only that target is told that it is over; until
 * then its journal stays, ABORTED, however many jobs go elsewhere meanwhile.
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
    struct job_journals decided;              /* and their targets have not confirmed it */
    uint8_t *told; /* ids of the jobs that the target at hand is told of, HAUL_JOB_BYTES each */
    size_t told_count;
};

void source_earlier_init(struct source_earlier *earlier, const struct haul_source_options *source);
void source_earlier_fini(struct source_earlier *earlier);

/* Read what is there: the jobs that were last seen where this one goes come first.
 * Errors: those of job_journals_find. */
enum haul_status source_earlier_find(struct source_earlier *earlier,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Was the job decided, by its journal or by the ownership record? Either may have been set back to
 * before the decision, and the other one knows. Errors: those of the record,
 * which says nothing then: neither may the job be given up, nor gone on with. */
enum haul_status source_earlier_look_decided(struct haul_store *store,
                                             const struct journal *journal, bool *decided,
                                             struct haul_error *error) HAUL_MUST_CHECK;
/* A decided job whose target is to be informed: does the record still say, of all of the plan, that
 * it went there? Errors: MISMATCH (a part was taken back, and perhaps given on), those of the
 * record. */
enum haul_status source_earlier_check_whole(const struct haul_source_options *source,
                                            const struct journal *journal, const struct plan *plan,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* A decided job has moved, or may have, a part of the plan that the record does not say is here
 * again: resolve it first. Errors: IN_DOUBT. */
enum haul_status source_earlier_check_decided(const struct source_earlier *earlier,
                                              const struct plan *plan,
                                              struct haul_error *error) HAUL_MUST_CHECK;
/* The journal of a job that was not decided, whether this process has it open or not; the caller
 * closes it. Errors: those of job_journal_open_existing. */
enum haul_status source_earlier_take(struct source_earlier *earlier,
                                     const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Has another job handed over the range of this one? */
bool source_earlier_is_overtaken(const struct source_earlier *earlier,
                                 const struct journal *journal);

/* The target owns by the job, or did until it gave a part back (`parted`): from here on the job is
 * in doubt, durably, and nothing gives it up in silence. Errors: those of journal_append. */
enum haul_status source_earlier_mark_owned(struct journal *journal, bool parted,
                                           struct haul_error *error) HAUL_MUST_CHECK;
/* The job is decided, and its target has given ranges back since, of which this database does not
 * know (`parted`: not all): `haul status` names the way out. Errors: those of journal_append. */
enum haul_status source_earlier_mark_returned(struct journal *journal, bool parted,
                                              struct haul_error *error) HAUL_MUST_CHECK;
/* So says the database `identity` of one of the jobs that it was told are over: the same, when it
 * was told that, and the job is bound to no other one; what fails is logged. */
void source_earlier_is_owned(struct source_earlier *earlier, const uint8_t job[HAUL_JOB_BYTES],
                             const char *identity);
/* The target has said that it owned by the job, and gave a part of the ranges back (`has_lost`: of
 * which this database, set back, has nothing). Returns `refused`, and names the way out. */
enum haul_status source_earlier_parted(enum haul_status refused, bool has_lost,
                                       struct haul_error *error);
/* Another database than the one that the job is bound to has answered: the hint of that error. */
void source_earlier_hint_stranger(const struct journal *journal, const char *peer,
                                  struct haul_error *error);
/* The job may have been decided before this database was restored: it is not given up. Returns
 * UNCONFIRMED, and names the risk. */
enum haul_status source_earlier_restored(const struct journal *journal, struct haul_error *error);
/* So was it, and its journal is of before it met its target: nobody knows which database may own
 * the ranges. */
bool source_earlier_is_of_nobody(const struct journal *journal);
/* Write ABORTED, and UNFROZEN where it is due: nothing of the job was decided. */
enum haul_status source_earlier_abort(struct journal *journal, enum haul_status reason,
                                      const char *text, struct haul_error *error) HAUL_MUST_CHECK;
/* The same, and the journal goes: the target knows, or has never heard of the job. Closes it. */
enum haul_status source_earlier_drop(struct journal *journal, enum haul_status reason,
                                     const char *text, struct haul_error *error) HAUL_MUST_CHECK;
/* Abort those that another job has overtaken. */
void source_earlier_abort_overtaken(struct source_earlier *earlier);

/* How many jobs that can go on have no range of `plan`? They stay as they are. */
size_t source_earlier_count_apart(const struct source_earlier *earlier, const struct plan *plan);

/* The database `identity` is at the other end. Listed in `told` are its jobs that are over, have
 * not begun, or meet `plan` (NULL: all of them). Of the others, those that meet `plan` end here,
 * and their targets are told another time. What meets nothing stays, and can go on later.
 * Errors: UNCONFIRMED (one of these may have been decided), NO_MEMORY, LIMIT (more than a message
 * holds: the first ones are told), journals'. */
enum haul_status source_earlier_bind(struct source_earlier *earlier, const char *identity,
                                     const struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* The target has nothing left of those in `told`: so has this side. Errors: those of journals; what
 * could not be removed is told again by a later job. */
enum haul_status source_earlier_were_told(struct source_earlier *earlier,
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
