/* SPDX-License-Identifier: Apache-2.0 */
/* source_left_over.h — undecided jobs that earlier processes of a source have left: continues one,
 * asks their targets whether they own by one, notifies them of jobs that are over, ends one. The
 * target's counterpart is target_left_over.h.
 * Thread: the call worker's; before it runs and after it has ended, the owner's. */
#ifndef HAUL_SOURCE_LEFT_OVER_H
#define HAUL_SOURCE_LEFT_OVER_H

#include "source_journal.h"

/* The plan of the undecided job that an earlier process has left. Call source_journal_find first.
 * Errors: NOT_FOUND (there is none, or nothing of it was copied), and those of journals. */
enum haul_status source_left_over_plan(const struct source_journal *journal, struct plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Continue the job that an earlier process has left: its job and streams (into `plan`), the next
 * epoch, the log from where that job began (`*log_sequence`). Writes SNAPSHOT again, durably.
 * Errors: NOT_FOUND (there is none, or it cannot continue, and the reason is logged: begin a new
 * one), NO_MEMORY, and those of journals. */
enum haul_status source_left_over_continue(struct source_journal *journal, struct plan *plan,
                                           uint64_t snapshot_sequence, uint64_t *log_sequence,
                                           struct haul_error *error) HAUL_MUST_CHECK;
/* For resolve, when no job was decided: take the first job that is over and whose target may be at
 * the other end, otherwise an open one (`only_tells`, `asks`). Errors: NOT_FOUND. */
enum haul_status source_left_over_adopt(struct source_journal *journal,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* only_tells: may the present target own by `job`? Not if the job is bound to another one. */
bool source_left_over_is_met(const struct source_journal *journal);
/* only_tells: the target does not own by the job. Record this answer durably for an open job that
 * waits for it. Errors: those of job_journal_bind. */
enum haul_status source_left_over_not_owned(struct source_journal *journal,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* only_tells: take the next job (`job`, `epoch`) by which the present target may own, and that no
 * Hello has named yet. False: there is none. */
bool source_left_over_ask_next(struct source_journal *journal);
/* only_tells, and the target owns by none: find its jobs that are over (`earlier.told`). Errors:
 * NOT_FOUND (none: they are undecided, or wait for another database), NO_MEMORY. */
enum haul_status source_left_over_tell(struct source_journal *journal,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* only_tells, and none of its jobs belongs to the present target: NOT_FOUND. */
enum haul_status source_left_over_nothing_to_tell(const struct source_journal *journal,
                                                  struct haul_error *error) HAUL_MUST_CHECK;
/* End a job that no process runs. Errors: IN_DOUBT (it was decided), UNCONFIRMED (without
 * `accept_two_owners`: it may have been decided before the database was restored), those of
 * journals. */
enum haul_status source_left_over_give_up(struct haul_store *store,
                                          const uint8_t job[HAUL_JOB_BYTES], bool accept_two_owners,
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
