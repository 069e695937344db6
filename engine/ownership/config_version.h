/* SPDX-License-Identifier: Apache-2.0 */
/* config_version.h — config version and ownership in force: the embedder's own register (hooks), or
 * the record kept beside the database (ownership_file.h). Its change on the source is the decision
 * to commit. */
#ifndef HAUL_CONFIG_VERSION_H
#define HAUL_CONFIG_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/store.h"
#include "ownership.h"
#include "plan.h"
#include "version_claim.h"

/* The version in force: the hook's, which is authoritative, or that of the record. Errors: those of
 * the hook; those of ownership_read. */
enum haul_status config_version_get(struct haul_store *store, const struct haul_hooks *hooks,
                                    struct version_claim *claim,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* The whole record. Errors: those of ownership_read. Ownership: the caller's (ownership_fini). */
enum haul_status config_version_read(struct haul_store *store, struct ownership *ownership,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Is this peer of the record the database `peer`? */
bool config_version_is_peer(const struct ownership *ownership, uint32_t index, const char *peer);

/* Does this database own the plan's ranges by its record? Not called where the embedder has its own
 * register. Errors: MISMATCH (a part was handed over), and those of ownership_read. */
enum haul_status config_version_check(struct haul_store *store, const struct haul_hooks *hooks,
                                      const struct plan *plan,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Does the own record name ranges of this column family? Errors: those of ownership_read. */
enum haul_status config_version_names_family(struct haul_store *store, const char *family,
                                             bool *named, struct haul_error *error) HAUL_MUST_CHECK;

/* Can the database `peer`, whose own counter is the plan's old version, still have what it sends? A
 * job that moved ranges from it to this store, or back, has raised its counter. Not called where
 * the embedder has its own register. Errors: MISMATCH (its record is older than a hand-over of a
 * part of the plan, in either direction), and those of ownership_read. */
enum haul_status config_version_check_peer(struct haul_store *store, const struct haul_hooks *hooks,
                                           const char *peer, const struct plan *plan,
                                           struct haul_error *error) HAUL_MUST_CHECK;

/* Has the job already moved its ranges, as source or as target of this store? If so,
 * `*new_version` is the job's (0: no longer known). Errors: those of ownership_read; then the
 * answer is unknown. */
enum haul_status config_version_released(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *moved,
                                         uint64_t *new_version,
                                         struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status config_version_imported(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *moved,
                                         uint64_t *new_version,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* What has become of what `peer` gave by the job. Errors: those of ownership_read. */
enum haul_status config_version_returned(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], const char *peer,
                                         enum version_return *returned,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Does this database own a part of the plan that came from `peer`? Errors: those of
 * ownership_read. */
enum haul_status config_version_has_from(struct haul_store *store, const struct plan *plan,
                                         const char *peer, bool *has,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Has it, by its record, given a part of the plan to `peer`, which owns that still?
 * Errors: those of ownership_read. */
enum haul_status config_version_has_given(struct haul_store *store, const struct plan *plan,
                                          const char *peer, bool *has,
                                          struct haul_error *error) HAUL_MUST_CHECK;
/* Make the record as it is now durable: a crash cannot undo a change that answered IN_DOUBT any
 * more. Errors: those of ownership_update. */
enum haul_status config_version_settle(struct haul_store *store,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Who owns the ranges once the move is made. */
enum version_outcome {
    VERSION_RELEASED, /* source: the target owns the plan's ranges */
    VERSION_IMPORTED, /* target: we own them */
};

struct version_move {
    enum version_outcome outcome;
    const uint8_t *job; /* HAUL_JOB_BYTES */
    const char *peer;   /* identity of the other database */
    const struct plan *plan;
    uint64_t expected; /* source, with a hook: the version that must still be in force */
    uint64_t new_version;
    uint64_t epoch;
    /* Target: what the source has given, and did not get back; the rest of the plan is the
     * source's. NULL: all of the plan. */
    const struct ownership *given;
    bool is_owned;      /* source: the target owns already, and parts that are its are no matter */
    bool waits_briefly; /* for the lock of the record: `wait_max_ms`, and not 2 s */
    uint32_t wait_max_ms;
    uint64_t records; /* for the history */
    uint64_t bytes;
};

/* Move the plan's ranges, durably, at `new_version` or, if other jobs have come that far, a later
 * one. A job that has moved them already moves nothing again, and its record is made durable. With
 * a version hook the move is the embedder's; on the source its register is compared.
 * Errors: FENCED (source: another version is in force by the hook, or another job handed over a
 * part of the ranges), and those of ownership_update, of which IN_DOUBT: call again. */
enum haul_status config_version_move(struct haul_store *store, const struct haul_hooks *hooks,
                                     const struct version_move *move,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Would config_version_move succeed? Changes nothing. Errors: its own; on the target VERSION (its
 * register by the hook has come as far as the job would set it), and those of the hook. */
enum haul_status config_version_rehearse(struct haul_store *store, const struct haul_hooks *hooks,
                                         const struct version_move *move,
                                         struct haul_error *error) HAUL_MUST_CHECK;

#endif
