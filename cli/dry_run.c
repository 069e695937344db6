/* SPDX-License-Identifier: Apache-2.0 */
/* dry_run.c — sizes of the selected families and ranges. */
#include "dry_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul/store.h"

static bool is_selected(const struct haul_source_options *options, const char *name)
{
    for (size_t i = 0; i < options->family_count; i++) {
        if (strcmp(options->families[i], name) == 0) {
            return true;
        }
    }
    return options->family_count == 0;
}

static enum haul_status look_family(const struct haul_source_options *options,
                                    const struct haul_family *family, struct dry_run_family *found,
                                    struct haul_error *error)
{
    static const struct haul_range everything;
    const struct haul_range *ranges = options->range_count == 0 ? &everything : options->ranges;
    size_t count = options->range_count == 0 ? 1 : options->range_count;
    (void)snprintf(found->name, sizeof(found->name), "%s", family->name);
    found->known = true;
    for (size_t i = 0; i < count && found->known; i++) {
        uint64_t bytes = 0;
        enum haul_status status = options->store->ops->range_size(
            options->store, family->id, ranges[i].start, ranges[i].end, &bytes, error);
        found->known = status == HAUL_OK;
        if (status != HAUL_OK && status != HAUL_UNSUPPORTED) {
            return status;
        }
        found->bytes = found->known ? found->bytes + bytes : 0;
    }
    return HAUL_OK;
}

static enum haul_status look(const struct haul_source_options *options,
                             const struct haul_family *families, size_t count, struct dry_run *run,
                             struct haul_error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct dry_run_family *found = &run->families[run->family_count];
        if (!is_selected(options, families[i].name)) {
            continue;
        }
        enum haul_status status = look_family(options, &families[i], found, error);
        if (status != HAUL_OK) {
            return status;
        }
        run->family_count++;
        run->bytes += found->bytes;
    }
    return HAUL_OK;
}

enum haul_status dry_run_look(const struct haul_source_options *options, struct dry_run *run,
                              struct haul_error *error)
{
    size_t count = 0;
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    *run = (struct dry_run){.families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*run->families))};
    if (families == NULL || run->families == NULL) {
        free(families);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the families");
    }
    enum haul_status status = options->store->ops->families(options->store, families,
                                                            HAUL_FAMILY_COUNT_MAX, &count, error);
    if (status == HAUL_OK) {
        status = look(options, families, count, run, error);
    }
    free(families);
    return status;
}

void dry_run_fini(struct dry_run *run)
{
    free(run->families);
    *run = (struct dry_run){.families = NULL};
}
