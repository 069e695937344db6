/* SPDX-License-Identifier: Apache-2.0 */
/* version_claim.h — the config version of one side of a job, and the version that both agree on.
 *
 * A version is authoritative if it comes from a register outside haul (the embedder's hook,
 * --config-version). Two authoritative versions must be equal; otherwise one side acts on a stale
 * view of the cluster. The counter that haul keeps next to a database is not authoritative: the
 * counters of two databases are not related, and a job takes a version that is greater than both.
 * Pure. */
#ifndef HAUL_VERSION_CLAIM_H
#define HAUL_VERSION_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"

struct version_claim {
    uint64_t version;
    bool authoritative;
};

/* No job takes a version above it, so that there is always a next one. */
#define VERSION_MAX (UINT64_C(1) << 62)
/* The largest step of our own counter, so that no peer can use up all versions in one job. */
#define VERSION_STEP_MAX (UINT64_C(1) << 40)

/* The fate of the ranges that database `peer` gave to this one by a job. The values are part of the
 * wire. */
enum version_return {
    VERSION_RETURN_UNTOLD = 0,
    VERSION_KEPT = 1,             /* nothing was given to the peer since */
    VERSION_RETURNED = 2,         /* the peer has everything that was ever moved here */
    VERSION_PERHAPS_RETURNED = 3, /* the peer got something, by which job is not recorded */
};

/* May the two sides begin a job? Errors: VERSION (one side's view is older; the hint names it). */
enum haul_status version_claim_compare(const struct version_claim *source,
                                       const struct version_claim *target,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* The version that the source proposes: one more than the greater of both. */
uint64_t version_claim_next(const struct version_claim *source, const struct version_claim *target);

/* May the source continue from the target's version? Errors: VERSION. */
enum haul_status version_claim_check_theirs(const struct version_claim *source,
                                            const struct version_claim *target,
                                            struct haul_error *error) HAUL_MUST_CHECK;

/* May the target own at this version? Errors: VERSION. */
enum haul_status version_claim_check(const struct version_claim *source,
                                     const struct version_claim *target, uint64_t proposed,
                                     struct haul_error *error) HAUL_MUST_CHECK;

#endif
