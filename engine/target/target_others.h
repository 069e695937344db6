/* SPDX-License-Identifier: Apache-2.0 */
/* target_others.h — other jobs of a target, whose journals lie beside the store: which of them are
 * in the way of a plan, which end for it, and ending one: its ranges empty, the families that were
 * made for it gone, and its journal.
 * Thread: the call worker's. */
#ifndef HAUL_TARGET_OTHERS_H
#define HAUL_TARGET_OTHERS_H

#include "haul/migration.h"
#include "journal.h"
#include "message.h"
#include "plan.h"

/* Jobs of the database `peer` that are prepared here, HAUL_JOB_BYTES each, at most `max`. Errors:
 * those of journals; a damaged one waits for nothing. */
enum haul_status target_others_waiting(struct haul_store *store, const char *peer, uint8_t *jobs,
                                       size_t max, size_t *count,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Jobs that end when the plan at hand is accepted. Zeroed: none. */
struct target_others {
    struct journal **journals; /* open */
    struct plan *plans;        /* what may lie in the store of each; no families: nothing */
    size_t count;
    const struct haul_hooks *hooks; /* the newcomer's */
    const struct haul_steps *steps; /* the newcomer's */
};

/* The job that comes. Everything is borrowed. */
struct target_newcomer {
    struct haul_store *store;
    const uint8_t *job;  /* HAUL_JOB_BYTES */
    const char *peer;    /* identity of its source */
    const uint8_t *over; /* jobs of this source that are over, HAUL_JOB_BYTES each */
    size_t over_count;
    const struct haul_hooks *hooks; /* unreserve is told of each job that ends; NULL: nobody is */
    const struct haul_steps *steps; /* of what takes long; NULL: to the end */
};

enum job_knowledge target_others_knowledge(const struct journal_state *state);

/* Is the job of this journal one of the database `peer`? Errors: MISMATCH. */
enum haul_status target_others_check_peer(const struct journal *journal, const char *peer,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Which jobs end for the plan? Changes nothing.
 * Errors: BUSY (one meets the plan and stays, or is said to be over and is committed), MISMATCH (it
 * is said to be over, and is another source's), and those of journals; `others` is empty then. */
enum haul_status target_others_look(const struct target_newcomer *newcomer, const struct plan *plan,
                                    struct target_others *others,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* End them. A family of `plan` stays, whoever made it. */
enum haul_status target_others_give_up(struct target_others *others, struct haul_store *store,
                                       const struct plan *plan,
                                       struct haul_error *error) HAUL_MUST_CHECK;
/* Held from the question whether a family is there, and whose it is, to the record that says so: a
 * job that ends elsewhere in this process does not drop it in between. Given back by
 * ownership_unlock. Errors: those of ownership_lock. */
enum haul_status target_others_lock(struct haul_store *store, int *lock_fd,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Was the family made for a job of this target that is not over? The journals of `others` are among
 * them. Errors: those of journals; a damaged one counts as none. */
enum haul_status target_others_was_made(struct haul_store *store, const char *name, bool *made,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* End those that the newcomer says are over, without a plan. Errors: as both above. */
enum haul_status target_others_end_over(const struct target_newcomer *newcomer,
                                        struct haul_error *error) HAUL_MUST_CHECK;
void target_others_fini(struct target_others *others);

/* End one job that is not prepared. `keep` (NULL: none) names families that stay; `hooks` (NULL:
 * none) are told that its ranges are free; `steps` are of the clearing. Takes the journal over.
 * Errors: those of journals and store; the journal stays then. */
enum haul_status target_others_end(struct haul_store *store, struct journal *journal,
                                   const char *text, const struct plan *keep,
                                   const struct haul_hooks *hooks, const struct haul_steps *steps,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
