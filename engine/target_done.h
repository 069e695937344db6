/* SPDX-License-Identifier: Apache-2.0 */
/* target_done.h — a source without an attempt, whose job is done by its record or by this one's:
 * what Welcome tells it of jobs that wait for it and of what it has got back, and the Commit of a
 * job that this database owned by before it was set back. Thread: the call worker's; the loop's
 * where a function takes or gives a message's parts, while no call runs. */
#ifndef HAUL_TARGET_DONE_H
#define HAUL_TARGET_DONE_H

#include "target_record.h"
#include "target_session.h"

/* What Welcome is to tell, once the job is looked up. Errors: those of the records. */
enum haul_status target_done_look(struct target_record *record, const haul_control_Hello *hello,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* What it has found, into the event of the session; borrowed. */
void target_done_tell(const struct target_record *record, struct target_event *event);

/* What a refusal of the plan names, into the event of the session; borrowed. */
void target_done_explain(const struct target_record *record, struct target_event *event);

/* What the plan says of earlier jobs. Errors: those of target_record_note_over. */
enum haul_status target_done_note_plan(struct target_record *record, const haul_control_Plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Was one of the two set back to before it got something from the other? The source says so of
 * itself, which is recorded. Errors: MISMATCH, and those of the records. */
enum haul_status target_done_check_lost(struct target_record *record,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* The source says that it has lost these. Errors: those of lost_jobs_note. */
enum haul_status target_done_note_lost(const struct target_record *record,
                                       const struct job_list *lost,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Take over what Commit says; any other message says nothing. */
void target_done_note(struct target_record *record, const struct message *message);
/* Is what is prepared here what the source has decided on? This database may have been set back to
 * an earlier freeze or attempt; one that is earlier, and as large, is owned with a warning. So is
 * what a job has prepared that is done. Errors: MISMATCH. */
enum haul_status target_done_check(struct target_record *record,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* The record says what is ours by it. Errors: MISMATCH (nothing, and nothing was changed), those of
 * given_ranges_read and of target_commit_take. */
enum haul_status target_done_take(struct target_record *record,
                                  const struct journal_committed *committed,
                                  struct haul_error *error) HAUL_MUST_CHECK;

#endif
