/* SPDX-License-Identifier: Apache-2.0 */
/* family_digests.h — the digests of a plan's families in the form of Prepare and Prepared.
 * Thread: any. */
#ifndef HAUL_FAMILY_DIGESTS_H
#define HAUL_FAMILY_DIGESTS_H

#include <stdbool.h>
#include <stddef.h>

#include "digest.h"
#include "message.h"

/* Encode for a message; NULL: no memory. The caller, or the message, owns the result (free). */
haul_control_FamilyDigest *family_digests_encode(const struct digest *digests, size_t count);

/* The inverse; `digests` has room for `count`. */
void family_digests_decode(const haul_control_FamilyDigest *from, size_t count,
                           struct digest *digests);

/* The first of `count` families whose count or digest differs from `theirs`; `count`: none. */
size_t family_digests_difference(const haul_control_FamilyDigest *theirs, const struct digest *ours,
                                 size_t count);

#endif
