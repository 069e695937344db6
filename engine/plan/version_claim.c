/* SPDX-License-Identifier: Apache-2.0 */
/* version_claim.c — comparing and agreeing on config versions. */
#include "version_claim.h"

#include <inttypes.h>
#include <stddef.h>

#include "planted_bug.h"

enum haul_status version_claim_compare(const struct version_claim *source,
                                       const struct version_claim *target, struct haul_error *error)
{
    if (!source->authoritative || !target->authoritative || source->version == target->version) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_VERSION, NULL, 0,
                   "the config versions differ: source %" PRIu64 ", target %" PRIu64,
                   source->version, target->version);
    haul_error_hint(error,
                    "the %s's view is stale: bring it up to date, or give both sides "
                    "--config-version",
                    target->version < source->version ? "target" : "source");
    return HAUL_VERSION;
}

static uint64_t greater(const struct version_claim *source, const struct version_claim *target)
{
    return source->version > target->version ? source->version : target->version;
}

uint64_t version_claim_next(const struct version_claim *source, const struct version_claim *target)
{
    uint64_t version = greater(source, target);
    return version == UINT64_MAX ? version : version + 1;
}

/* Is the step from this side's version to the proposed one too large? */
static bool is_too_far(const struct version_claim *own, uint64_t proposed)
{
    bool far = !own->authoritative && proposed > own->version &&
               proposed - own->version > VERSION_STEP_MAX;
    return proposed > VERSION_MAX || (far && !HAUL_PLANTED_BUG(ANY_STEP));
}

enum haul_status version_claim_check_theirs(const struct version_claim *source,
                                            const struct version_claim *target,
                                            struct haul_error *error)
{
    if (!is_too_far(source, version_claim_next(source, target))) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_VERSION, NULL, 0,
                   "the target's config version %" PRIu64 " is too far from the source's %" PRIu64,
                   target->version, source->version);
    haul_error_hint(error, "look at the target with `haul owner`; --config-version on both sides "
                           "sets it");
    return HAUL_VERSION;
}

enum haul_status version_claim_check(const struct version_claim *source,
                                     const struct version_claim *target, uint64_t proposed,
                                     struct haul_error *error)
{
    if (proposed <= target->version) {
        haul_error_set(error, HAUL_VERSION, NULL, 0,
                       "the job would set config version %" PRIu64 ", the target has %" PRIu64,
                       proposed, target->version);
        haul_error_hint(error, "install the same release of haul on both sides");
        return HAUL_VERSION;
    }
    bool beyond = !HAUL_PLANTED_BUG(ANY_STEP) && proposed > version_claim_next(source, target);
    if (beyond || is_too_far(target, proposed)) {
        haul_error_set(error, HAUL_VERSION, NULL, 0,
                       "config version %" PRIu64 " is too far from the target's %" PRIu64, proposed,
                       target->version);
        haul_error_hint(error, "give both sides the same --config-version, or neither");
        return HAUL_VERSION;
    }
    return HAUL_OK;
}
