/* SPDX-License-Identifier: Apache-2.0 */
/* target_others.h — the other jobs of a target, by their journals beside the store: which of them
 * block a plan, which end for it, and ending one: clear its ranges, drop the families created for
 * it, remove its journal.
 * Thread: the call worker's. */
#ifndef HAUL_TARGET_OTHERS_H
#define HAUL_TARGET_OTHERS_H

#include "haul/migration.h"
#include "journal.h"
#include "message.h"
#include "plan.h"

/* Jobs of the database `peer` that are prepared here, HAUL_JOB_BYTES each, at most `max`. Damaged
 * journals are skipped.
 * Errors: those of journals. */
enum haul_status target_others_waiting(struct haul_store *store, const char *peer, uint8_t *jobs,
                                       size_t max, size_t *count,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Jobs that end when the plan at hand is accepted. Zeroed: none. */
struct target_others {
    struct journal **journals; /* open */
    struct plan *plans;        /* what each may have put into the store; no families: nothing */
    size_t count;
    const struct haul_hooks *hooks; /* the newcomer's */
    const struct haul_steps *steps; /* the newcomer's */
};

/* The new job. Everything is borrowed. */
struct target_newcomer {
    struct haul_store *store;
    const uint8_t *job;  /* HAUL_JOB_BYTES */
    const char *peer;    /* its source's identity */
    const uint8_t *over; /* jobs of this source that are over, HAUL_JOB_BYTES each */
    size_t over_count;
    const uint8_t *over_proofs;     /* SOURCE_PROOF_BYTES each; NULL: none */
    const struct haul_hooks *hooks; /* unreserve is called for each job that ends; NULL: none */
    bool may_overwrite;             /* plans may, if they ask for it */
    const struct haul_steps *steps; /* of long work; NULL: to the end */
};

enum job_knowledge target_others_knowledge(const struct journal_state *state);

/* Does the job of this journal belong to the database `peer`? Errors: MISMATCH. */
enum haul_status target_others_check_peer(const struct journal *journal, const char *peer,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* The error of somebody who did not begin the job: AUTH. */
enum haul_status target_others_refuse_stranger(struct haul_error *error);

/* Find the jobs that end for the plan. Changes nothing. Errors: AUTH, BUSY (a job overlaps the plan
 * and stays, or is listed as over but committed), MISMATCH (a job listed as over belongs to another
 * source), and those of journals; `others` is empty then. */
enum haul_status target_others_look(const struct target_newcomer *newcomer, const struct plan *plan,
                                    struct target_others *others,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* End them. A family of `plan` stays, whichever job created it. */
enum haul_status target_others_give_up(struct target_others *others, struct haul_store *store,
                                       const struct plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Hold this lock from looking up a family and its job until the journal names it, so that a job
 * that ends elsewhere in this process does not drop the family in between. ownership_unlock
 * releases it.
 * Errors: those of ownership_lock. */
enum haul_status target_others_lock(struct haul_store *store, int *lock_fd,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Was the family created for a job of this target that is not over? Also looks at the journals of
 * `others`; ignores damaged ones.
 * Errors: those of journals. */
enum haul_status target_others_was_made(struct haul_store *store, const char *name, bool *made,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* End the jobs that the newcomer lists as over, without a plan. Errors: as both above. */
enum haul_status target_others_end_over(const struct target_newcomer *newcomer,
                                        struct haul_error *error) HAUL_MUST_CHECK;
void target_others_fini(struct target_others *others);

/* End one job that is not prepared. `keep` (NULL: none) names families that stay; the unreserve
 * hook of `hooks` (NULL: none) is called; `steps` are of the clearing. Takes the journal over.
 * Errors: those of journals and store; the journal stays then. */
enum haul_status target_others_end(struct haul_store *store, struct journal *journal,
                                   const char *text, const struct plan *keep,
                                   const struct haul_hooks *hooks, const struct haul_steps *steps,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
