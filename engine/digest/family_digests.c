/* SPDX-License-Identifier: Apache-2.0 */
/* family_digests.c — digests to and from the wire, and their comparison. */
#include "family_digests.h"

#include <stdlib.h>

haul_control_FamilyDigest *family_digests_encode(const struct digest *digests, size_t count)
{
    haul_control_FamilyDigest *to = calloc(count + 1, sizeof(*to));
    for (size_t i = 0; to != NULL && i < count; i++) {
        to[i] = (haul_control_FamilyDigest){.count = digests[i].count,
                                            .low = digests[i].low,
                                            .high = digests[i].high,
                                            .bytes = digests[i].bytes};
    }
    return to;
}

void family_digests_decode(const haul_control_FamilyDigest *from, size_t count,
                           struct digest *digests)
{
    for (size_t i = 0; i < count; i++) {
        digests[i] = (struct digest){.count = from[i].count,
                                     .low = from[i].low,
                                     .high = from[i].high,
                                     .bytes = from[i].bytes};
    }
}

size_t family_digests_difference(const haul_control_FamilyDigest *theirs, const struct digest *ours,
                                 size_t count)
{
    size_t i = 0;
    while (i < count && theirs[i].count == ours[i].count && theirs[i].low == ours[i].low &&
           theirs[i].high == ours[i].high) {
        i++;
    }
    return i;
}
