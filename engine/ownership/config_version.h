/* SPDX-License-Identifier: Apache-2.0 */
/* config_version.h — the config version and ownership in force: by the embedder's own register
 * (hooks), or by the record beside the database (ownership_file.h). Changing it on the source is
 * the decision. */
#ifndef HAUL_CONFIG_VERSION_H
#define HAUL_CONFIG_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/store.h"
#include "ownership.h"
#include "plan.h"
#include "version_claim.h"

/* The version in force: the hook's, which is authoritative, or the record's.
 * Errors: those of the hook; those of ownership_read. */
enum haul_status config_version_get(struct haul_store *store, const struct haul_hooks *hooks,
                                    struct version_claim *claim,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* The whole record. Errors: those of ownership_read. Ownership: the caller's (ownership_fini). */
enum haul_status config_version_read(struct haul_store *store, struct ownership *ownership,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Is peer number `index` of the record the database `peer`? */
bool config_version_is_peer(const struct ownership *ownership, uint32_t index, const char *peer);

/* Does this database own the plan's ranges by its record? Must not be called where the embedder has
 * its own register. Errors: MISMATCH (a part was handed over), and those of ownership_read. */
enum haul_status config_version_check(struct haul_store *store, const struct haul_hooks *hooks,
                                      const struct plan *plan,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Does this database's record name ranges of this column family?
 * Errors: those of ownership_read. */
enum haul_status config_version_names_family(struct haul_store *store, const char *family,
                                             bool *named, struct haul_error *error) HAUL_MUST_CHECK;

/* Can the database `peer`, whose own counter is the plan's old version, still own what it sends? A
 * job that moved ranges from it to this store, or back, has raised its counter. Must not be called
 * where the embedder has its own register. Errors: MISMATCH (its record is older than a hand-over
 * of a part of the plan, in either direction), and those of ownership_read. */
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
/* What has become of the ranges that `peer` gave by the job. Errors: those of ownership_read. */
enum haul_status config_version_returned(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], const char *peer,
                                         enum version_return *returned,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Does this database own a part of the plan that came from `peer`? Errors: those of
 * ownership_read. */
enum haul_status config_version_has_from(struct haul_store *store, const struct plan *plan,
                                         const char *peer, bool *has,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Has this database, by its record, given a part of the plan to `peer`, which still owns that part?
 * Errors: those of ownership_read. */
enum haul_status config_version_has_given(struct haul_store *store, const struct plan *plan,
                                          const char *peer, bool *has,
                                          struct haul_error *error) HAUL_MUST_CHECK;
/* Make the present record durable: afterwards a crash cannot undo a change that returned IN_DOUBT.
 * Errors: those of ownership_update. */
enum haul_status config_version_settle(struct haul_store *store,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* The owner of the ranges after the move. */
enum version_outcome {
    VERSION_RELEASED, /* source: the target owns the plan's ranges */
    VERSION_IMPORTED, /* target: this database owns them */
};

struct version_move {
    enum version_outcome outcome;
    const uint8_t *job; /* HAUL_JOB_BYTES */
    const char *peer;   /* identity of the other database */
    const struct plan *plan;
    uint64_t expected; /* source with a hook: the version that must still be in force */
    uint64_t new_version;
    uint64_t epoch;
    /* Target: what the source has given and not got back; the source owns the rest of the plan.
     * NULL: the whole plan. */
    const struct ownership *given;
    bool is_owned;      /* source: the target owns already; parts that it owns are no conflict */
    bool waits_briefly; /* waits `wait_max_ms` for the record's lock instead of 2 s */
    uint32_t wait_max_ms;
    uint64_t records; /* for the history */
    uint64_t bytes;
};

/* Move the plan's ranges durably, at `new_version` or, if other jobs have reached it, at a later
 * one. Idempotent: a job that has moved them already only makes its record durable. With a version
 * hook the embedder moves them; on the source this compares the embedder's register.
 * Errors: FENCED (source: the hook returns another version, or another job handed over a part of
 * the ranges), and those of ownership_update; on IN_DOUBT, call again. */
enum haul_status config_version_move(struct haul_store *store, const struct haul_hooks *hooks,
                                     const struct version_move *move,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Would config_version_move succeed? Changes nothing.
 * Errors: those of config_version_move; on the target VERSION (the hook's register has already
 * reached the job's version), and those of the hook. */
enum haul_status config_version_rehearse(struct haul_store *store, const struct haul_hooks *hooks,
                                         const struct version_move *move,
                                         struct haul_error *error) HAUL_MUST_CHECK;

#endif
