/* SPDX-License-Identifier: Apache-2.0 */
/* plan_options.c — sets of family options in plans. */
#include "plan_options.h"

#include <stdlib.h>
#include <string.h>

/* Takes `options`. Returns the number of its set, from 1; 0: no memory. */
static uint32_t add_set(struct plan *plan, char *options)
{
    for (size_t i = 0; i < plan->option_set_count; i++) {
        if (strcmp(plan->option_sets[i], options) == 0) {
            free(options);
            return (uint32_t)i + 1;
        }
    }
    char **larger =
        realloc(plan->option_sets, (plan->option_set_count + 1) * sizeof(*plan->option_sets));
    if (larger == NULL) {
        free(options);
        return 0;
    }
    plan->option_sets = larger;
    plan->option_sets[plan->option_set_count++] = options;
    return (uint32_t)plan->option_set_count;
}

enum haul_status plan_options_read(struct plan *plan, struct haul_store *store,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; store->ops->family_options != NULL && i < plan->family_count; i++) {
        char *options = NULL;
        status = store->ops->family_options(store, plan->families[i].family.id, &options, error);
        if (status != HAUL_OK) {
            return status;
        }
        if (options[0] == '\0') {
            free(options);
            continue;
        }
        plan->families[i].option_set = add_set(plan, options);
        if (plan->families[i].option_set == 0) {
            return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for options");
        }
    }
    return status;
}

void plan_options_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->option_set_count; i++) {
        free(plan->option_sets[i]);
    }
    free(plan->option_sets);
    plan->option_sets = NULL;
    plan->option_set_count = 0;
}

enum haul_status plan_options_put(const struct plan *plan, haul_control_Plan *message)
{
    if (plan->option_set_count == 0) {
        return HAUL_OK;
    }
    message->option_sets = calloc(plan->option_set_count, sizeof(*message->option_sets));
    if (message->option_sets == NULL) {
        return HAUL_NO_MEMORY;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < plan->option_set_count; i++) {
        size_t size = strlen(plan->option_sets[i]);
        bytes += size;
        if (size > PLAN_OPTION_SET_BYTES_MAX || bytes > PLAN_OPTIONS_BYTES_MAX) {
            break;
        }
        message->option_sets[i] = strdup(plan->option_sets[i]);
        if (message->option_sets[i] == NULL) {
            return HAUL_NO_MEMORY;
        }
        message->option_sets_count++;
    }
    for (size_t i = 0; i < plan->family_count; i++) {
        uint32_t set = plan->families[i].option_set;
        message->families[i].option_set = set <= message->option_sets_count ? set : 0;
    }
    return HAUL_OK;
}

enum haul_status plan_options_take(struct plan *plan, const haul_control_Plan *message,
                                   struct haul_error *error)
{
    size_t bytes = 0;
    if (message->option_sets_count > plan->family_count) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the plan is not sound: more option sets than column families");
    }
    plan->option_sets = calloc(message->option_sets_count + 1U, sizeof(*plan->option_sets));
    if (plan->option_sets == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for options");
    }
    for (size_t i = 0; i < message->option_sets_count; i++) {
        size_t size = strlen(message->option_sets[i]);
        bytes += size;
        if (size > PLAN_OPTION_SET_BYTES_MAX || bytes > PLAN_OPTIONS_BYTES_MAX) {
            return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                  "the plan is not sound: options are too long");
        }
        plan->option_sets[i] = strdup(message->option_sets[i]);
        if (plan->option_sets[i] == NULL) {
            return haul_error_set(error, HAUL_NO_MEMORY, "strdup", 0, "no memory for options");
        }
        plan->option_set_count++;
    }
    for (size_t i = 0; i < plan->family_count; i++) {
        plan->families[i].option_set = message->families[i].option_set;
        if (plan->families[i].option_set > plan->option_set_count) {
            return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                  "the plan is not sound: an option set is missing");
        }
    }
    return HAUL_OK;
}

const char *plan_options_of(const struct plan *plan, size_t family)
{
    uint32_t set = plan->families[family].option_set;
    return set == 0 ? NULL : plan->option_sets[set - 1];
}
