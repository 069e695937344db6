/* SPDX-License-Identifier: Apache-2.0 */
/* target_commit.h — target jobs whose source has decided: the steps after COMMITTED, and finding
 * and finishing jobs that a crash or a failed hook interrupted.
 *
 * COMMITTED needs no source: the journal alone proves that this database owns. A journal at DONE
 * has no work left; its file may come back after a power failure, long after the ranges moved on to
 * another database, so it is only removed.
 *
 * Thread: any that may use the store and call the hooks, one at a time for each job. */
#ifndef HAUL_TARGET_COMMIT_H
#define HAUL_TARGET_COMMIT_H

#include "digest.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "journal.h"
#include "ownership.h"
#include "plan.h"

/* Count and bytes of all families, as prepared. */
struct digest target_commit_total(const struct journal *journal);

/* Raise the version and record the plan's ranges as owned; `given` as in struct version_move.
 * Idempotent. Errors: those of config_version_move. */
enum haul_status target_commit_take(struct haul_store *store, const struct haul_hooks *hooks,
                                    const struct journal *journal,
                                    const struct journal_committed *committed,
                                    const struct plan *plan, const struct ownership *given,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* The steps between COMMITTED and DONE: raise the version, then call the hook. Either may have been
 * done already. Errors: those of config_version_move and of the hook. */
enum haul_status target_commit_own(struct haul_store *store, const struct haul_hooks *hooks,
                                   const struct journal *journal,
                                   const struct journal_committed *committed,
                                   const struct plan *plan,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Is the job at PREPARED, although the record, which a job that is done at its source changes
 * first, shows that this database owns by it? */
bool target_commit_is_owned(struct haul_store *store, const struct journal *journal);

/* The remaining steps of a job at COMMITTED or DONE. The hook is not called for ranges that have
 * moved on to another database. Takes the journal over. Errors: those of target_commit_own and of
 * journals; the journal stays then. */
enum haul_status target_commit_finish(struct haul_store *store, const struct haul_hooks *hooks,
                                      struct journal *journal,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* The same for every such job of the store, and every one that is owned at PREPARED; returns the
 * first error. */
enum haul_status target_commit_finish_all(struct haul_store *store, const struct haul_hooks *hooks,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* The same for one job. Errors: NOT_FOUND, INVALID (it is at neither), and those of
 * target_commit_finish. */
enum haul_status target_commit_finish_job(struct haul_store *store, const struct haul_hooks *hooks,
                                          const uint8_t job[HAUL_JOB_BYTES],
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
