/* SPDX-License-Identifier: Apache-2.0 */
/* target_done.h — serves a source without an attempt, whose job is done by either side's ownership
 * record: what Welcome reports about jobs that wait for it and ranges that it got back, and the
 * Commit of a job that made this database the owner before it was set back. Thread: the call
 * worker's; functions that read or fill a message belong to the loop, while no call runs. */
#ifndef HAUL_TARGET_DONE_H
#define HAUL_TARGET_DONE_H

#include "target_journal.h"
#include "target_session.h"

/* Find what Welcome must report, once the job is looked up. Errors: those of journals and
 * record. */
enum haul_status target_done_look(struct target_journal *journal, const haul_control_Hello *hello,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Put what was found out about the job into the session's event; borrowed. */
void target_done_tell(const struct target_journal *journal, struct target_event *event);

/* Put what a refusal of the plan names into the session's event; borrowed. */
void target_done_explain(const struct target_journal *journal, struct target_event *event);

/* Keep the plan's lists of earlier jobs. Errors: those of target_journal_note_over. */
enum haul_status target_done_note_plan(struct target_journal *journal,
                                       const haul_control_Plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Was one of the two databases set back to before it got something from the other? A source that
 * reports this about itself is recorded. Errors: MISMATCH, and those of journals and record. */
enum haul_status target_done_check_lost(struct target_journal *journal,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* Record the jobs that the source reports as lost. Errors: those of lost_jobs_note. */
enum haul_status target_done_note_lost(const struct target_journal *journal,
                                       const struct job_list *lost,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Keep the content of a Commit; any other message is ignored. */
void target_done_note(struct target_journal *journal, const struct message *message);
/* Did the source decide on exactly what is prepared here? This database may have been set back to
 * an earlier freeze or attempt. An earlier state of the same size is owned with a warning, and so
 * is the prepared state of a job that is done. Errors: MISMATCH. */
enum haul_status target_done_check(struct target_journal *journal,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Record the ranges that this database owns by the job. Errors: MISMATCH (none; nothing was
 * changed), those of given_ranges_read and of target_commit_take. */
enum haul_status target_done_take(struct target_journal *journal,
                                  const struct journal_committed *committed,
                                  struct haul_error *error) HAUL_MUST_CHECK;

#endif
