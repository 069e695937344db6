/* SPDX-License-Identifier: Apache-2.0 */
/* source_request.c — turns a plan back into options. */
#include "source_request.h"

#include <stdlib.h>
#include <string.h>

enum haul_status source_request_apply(struct source_request *request, struct plan *plan,
                                      struct haul_source_options *options, struct haul_error *error)
{
    request->plan = *plan;
    memset(plan, 0, sizeof(*plan));
    plan = &request->plan;
    request->families = calloc(plan->family_count + 1, sizeof(*request->families));
    request->metadata_families = calloc(plan->family_count + 1, sizeof(*request->families));
    request->ranges = calloc(plan->range_count + 1, sizeof(*request->ranges));
    if (request->families == NULL || request->metadata_families == NULL ||
        request->ranges == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the request");
    }
    options->metadata_family_count = 0;
    for (size_t i = 0; i < plan->family_count; i++) {
        request->families[i] = plan->families[i].family.name;
        if (plan->families[i].metadata) {
            request->metadata_families[options->metadata_family_count++] = request->families[i];
        }
    }
    for (size_t i = 0; i < plan->range_count; i++) {
        request->ranges[i] = (struct haul_range){.start = key_range_start(&plan->ranges[i]),
                                                 .end = key_range_end(&plan->ranges[i])};
    }
    options->families = request->families;
    options->family_count = plan->family_count;
    options->metadata_families = request->metadata_families;
    options->ranges = request->ranges;
    options->range_count = plan->range_count;
    options->lane = plan->lane;
    return HAUL_OK;
}

void source_request_fini(struct source_request *request)
{
    plan_fini(&request->plan);
    free(request->families);
    free(request->metadata_families);
    free(request->ranges);
    memset(request, 0, sizeof(*request));
}
