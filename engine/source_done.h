/* SPDX-License-Identifier: Apache-2.0 */
/* source_done.h — jobs of a source that are done, of which its record is all that is left: what
 * `resolve` says to a target that was set back to before it owned, and waits for the decision.
 *
 * Which job that is, the target knows (`waiting` of Welcome): Hello names any job that is done
 * first, and then the one that waits. Thread: the call worker's; before it runs, the owner's. */
#ifndef HAUL_SOURCE_DONE_H
#define HAUL_SOURCE_DONE_H

#include "source_record.h"

/* What a Welcome says of it. */
struct source_done_peer {
    enum job_phase phase;      /* of the job that Hello has named */
    struct haul_slice waiting; /* jobs that are prepared there, HAUL_JOB_BYTES each */
};

/* For a resolve that has found no journal: the newest job that gave something away (`job`,
 * `only_tells`, `answers`). Errors: NOT_FOUND (none; `error` stays as it is), those of the record.
 */
enum haul_status source_done_adopt(struct source_record *record,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* The target waits for a job that is done: the next Hello is to name it (`*asks_again`), or, when
 * this one has, `commit` is what to say. Neither: what it waited for is committed now. Errors:
 * `error` as it is (it waits for none), NOT_FOUND (it has lost what it owned), those of
 * given_ranges_commit. */
enum haul_status source_done_answer(struct source_record *record,
                                    const struct source_done_peer *peer, struct message *commit,
                                    bool *asks_again, struct haul_error *error) HAUL_MUST_CHECK;
/* The target has given something back by `job`: has this database got it? Otherwise it was set
 * back: `has_lost`, and a warning is logged. */
void source_done_note_lost(struct source_record *record, const uint8_t job[HAUL_JOB_BYTES]);
/* The same, when it is not known which of the two gave. */
void source_done_note_unknown(struct source_record *record);
#define SOURCE_DONE_LOST                                                                      \
    "this database was set back to before it got ranges back, or gave some: the copy at the " \
    "receiver is the newer one; compare with `haul verify --to`"
/* The target has lost what it got by these jobs: `haul drop` is not to delete what may be the last
 * copy. A failure is logged. */
void source_done_note_lost_there(const struct source_record *record, const struct job_list *lost);
/* Of a decided job, before its target is asked: how much that was (`moved`). Errors: those of the
 * record. */
enum haul_status source_done_recall(struct source_record *record,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The sequence number at which the job was frozen to be decided; 0: not known. */
uint64_t source_done_frozen_at(const struct source_record *record);
/* The job is decided here, and the target, which owned by it, has given something back since. Does
 * this database know that (`is_named`: source_done_note_lost has looked)? What it got may have gone
 * on to others before it was set back, so it takes nothing by itself. Errors: MISMATCH (by its
 * record the target owns a part of the plan still: nobody does, or nobody knows), those of the
 * record. */
enum haul_status source_done_check_returned(const struct source_record *record,
                                            const struct plan *plan, enum version_return returned,
                                            bool is_named,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* What to do where there is no job to go on with. */
void source_done_hint(const struct source_record *record, struct haul_error *error);

#endif
