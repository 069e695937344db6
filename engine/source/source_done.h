/* SPDX-License-Identifier: Apache-2.0 */
/* source_done.h — finished jobs of a source, of which only the ownership record is left: the answer
 * of `resolve` to a target that was set back to before it owned, and waits for the decision.
 *
 * Only the target knows which job that is (`waiting` of Welcome). So the first Hello names any
 * finished job, and the second one the job that waits. Thread: the call worker's; before it runs,
 * the owner's. */
#ifndef HAUL_SOURCE_DONE_H
#define HAUL_SOURCE_DONE_H

#include "source_journal.h"

/* What a Welcome contains about finished jobs. */
struct source_done_peer {
    enum job_knowledge knowledge; /* of the job that Hello named */
    struct haul_slice waiting;    /* jobs that are prepared there, HAUL_JOB_BYTES each */
};

/* For a resolve that has found no journal: take the newest job that gave something away (`job`,
 * `only_tells`, `answers`). Errors: NOT_FOUND (none; `error` stays unchanged), those of the
 * record. */
enum haul_status source_done_adopt(struct source_journal *journal,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Answer a target that waits for a finished job: the next Hello must name it (`*asks_again`), or,
 * if this Hello has, `commit` is the message to send. Neither: the job that it waited for is
 * committed now. Errors: `error` unchanged (it waits for none), NOT_FOUND (it has lost what it
 * owned; or nothing is in doubt, `settled`), UNCONFIRMED (the operator has not accepted that it
 * owns), those of given_ranges_commit. */
enum haul_status source_done_answer(struct source_journal *journal,
                                    const struct source_done_peer *peer, struct message *commit,
                                    bool *asks_again, struct haul_error *error) HAUL_MUST_CHECK;
/* The target has given something back by `job`. If this database has no record of it, it was set
 * back: set `has_lost` and log a warning. */
void source_done_note_lost(struct source_journal *journal, const uint8_t job[HAUL_JOB_BYTES]);
/* The same, when it is not known which of the two gave. */
void source_done_note_unknown(struct source_journal *journal);
#define SOURCE_DONE_LOST                                                                      \
    "this database was set back to before it got ranges back, or gave some: the copy at the " \
    "receiver is the newer one; compare with `haul verify --to`"
/* The target has lost what it got by these jobs: record it, so that `haul drop` does not delete
 * what may be the last copy. Logs a failure. */
void source_done_note_lost_there(const struct source_journal *journal, const struct job_list *lost);
/* The target has answered that it owns by the finished job of which it was notified. Logs a
 * failure. */
void source_done_note_owned(const struct source_journal *journal);
/* Find out how much a decided job has moved (`moved`), before its target is contacted. Errors:
 * those of the record. */
enum haul_status source_done_recall(struct source_journal *journal,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The sequence number of the freeze of the decision; 0: not known. */
uint64_t source_done_frozen_at(const struct source_journal *journal);
/* The job is decided here, and the target, which owned by it, has given something back since. Does
 * this database know (`is_named`: source_done_note_lost has looked)? What it got back may have
 * moved on before it was set back, so it takes nothing by itself. Errors: MISMATCH (by its record
 * the target still owns a part of the plan: nobody does, or nobody knows), those of the record. */
enum haul_status source_done_check_returned(const struct source_journal *journal,
                                            const struct plan *plan, enum version_return returned,
                                            bool is_named,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* Set the hint for a database without a job to continue. */
void source_done_hint(const struct source_journal *journal, struct haul_error *error);

#endif
