/* SPDX-License-Identifier: Apache-2.0 */
/* source_request.h — turns the plan of an earlier attempt back into a source's options: families
 * and ranges. */
#ifndef HAUL_SOURCE_REQUEST_H
#define HAUL_SOURCE_REQUEST_H

#include "haul/migration.h"
#include "plan.h"

/* Zeroed is empty. */
struct source_request {
    struct plan plan; /* the options point into it */
    const char **families;
    const char **metadata_families;
    struct haul_range *ranges;
};

/* Take the plan over (also on error) and let the options point at it; the request must outlive
 * them.
 * Errors: NO_MEMORY. */
enum haul_status source_request_apply(struct source_request *request, struct plan *plan,
                                      struct haul_source_options *options,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void source_request_fini(struct source_request *request);

#endif
