/* SPDX-License-Identifier: Apache-2.0 */
/* source_request.h — what a job asks for, taken from the plan of an earlier attempt: families and
 * ranges as options of a source. */
#ifndef HAUL_SOURCE_REQUEST_H
#define HAUL_SOURCE_REQUEST_H

#include "haul/migration.h"
#include "plan.h"

/* Zeroed is empty. */
struct source_request {
    struct plan plan; /* what the options point into */
    const char **families;
    const char **metadata_families;
    struct haul_range *ranges;
};

/* Take the plan over (also on error) and point the options at it; the request must outlive them.
 * Errors: NO_MEMORY. */
enum haul_status source_request_apply(struct source_request *request, struct plan *plan,
                                      struct haul_source_options *options,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void source_request_fini(struct source_request *request);

#endif
