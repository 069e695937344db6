/* SPDX-License-Identifier: Apache-2.0 */
/* family_results.c — writes names and digests into a result. */
#include "family_results.h"

#include <stdio.h>

struct digest family_results_fill(struct haul_result *result, const struct plan *plan,
                                  const struct digest *digests)
{
    const struct digest none = {0};
    struct digest total = {0};
    result->family_count = plan->family_count;
    for (size_t i = 0; i < plan->family_count; i++) {
        const struct digest *digest = digests == NULL ? &none : &digests[i];
        struct haul_family_result *family = &result->families[i];
        (void)snprintf(family->name, sizeof(family->name), "%s", plan->families[i].family.name);
        family->records = digest->count;
        family->bytes = digest->bytes;
        digest_format(digest, family->digest);
        total.count += digest->count;
        total.bytes += digest->bytes;
    }
    return total;
}
