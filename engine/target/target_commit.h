/* SPDX-License-Identifier: Apache-2.0 */
/* target_commit.h — target jobs whose source has decided: what follows COMMITTED, and finding and
 * finishing those that a crash, or a hook that failed, left in between.
 *
 * COMMITTED needs no source: the journal itself says that this database owns. A journal that is
 * DONE has nothing left to do; its file may come back with a power failure, long after the ranges
 * went on to another database, so it is only removed.
 *
 * Thread: any that may use the store and call the hooks; one at a time for each job. */
#ifndef HAUL_TARGET_COMMIT_H
#define HAUL_TARGET_COMMIT_H

#include "digest.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "journal.h"
#include "ownership.h"
#include "plan.h"

/* Count and bytes of everything, as it was prepared. */
struct digest target_commit_total(const struct journal *journal);

/* The version moves, and the record says that the plan's ranges are ours; `given` as in struct
 * version_move. It may have been done already. Errors: those of config_version_move. */
enum haul_status target_commit_take(struct haul_store *store, const struct haul_hooks *hooks,
                                    const struct journal *journal,
                                    const struct journal_committed *committed,
                                    const struct plan *plan, const struct ownership *given,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* What follows COMMITTED, before DONE: the version moves, then the hook. Either may have been done
 * already. Errors: those of config_version_move and of the hook. */
enum haul_status target_commit_own(struct haul_store *store, const struct haul_hooks *hooks,
                                   const struct journal *journal,
                                   const struct journal_committed *committed,
                                   const struct plan *plan,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* All that is left to do of a job that is COMMITTED or DONE. The hook is not called for ranges that
 * went on to another database since. Takes the journal over. Errors: those of target_commit_own
 * and of journals; the journal stays then. */
enum haul_status target_commit_finish(struct haul_store *store, const struct haul_hooks *hooks,
                                      struct journal *journal,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* The same of every such job of the store; the first error is the answer. */
enum haul_status target_commit_finish_all(struct haul_store *store, const struct haul_hooks *hooks,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* The same of one job. Errors: NOT_FOUND, INVALID (it is neither), and those of
 * target_commit_finish. */
enum haul_status target_commit_finish_job(struct haul_store *store, const struct haul_hooks *hooks,
                                          const uint8_t job[HAUL_JOB_BYTES],
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
