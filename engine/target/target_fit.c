/* SPDX-License-Identifier: Apache-2.0 */
/* target_fit.c — compares the target's store with the options of the plan's families. */
#include "target_fit.h"

#include <stdlib.h>

#include "plan_options.h"

enum haul_status target_fit_check(struct haul_store *store, const struct plan *plan,
                                  struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; store->ops->receive_check != NULL && i < plan->family_count; i++) {
        status = store->ops->receive_check(store, plan->families[i].family.name,
                                           plan_options_of(plan, i), error);
        if (status != HAUL_OK) {
            break;
        }
    }
    return status;
}

enum haul_status target_fit_make(struct haul_store *store, const struct plan *plan, size_t index,
                                 struct haul_family *made, struct haul_error *error)
{
    const char *name = plan->families[index].family.name;
    const char *options = plan_options_of(plan, index);
    return options == NULL || store->ops->family_create_like == NULL
               ? store->ops->family_create(store, name, made, error)
               : store->ops->family_create_like(store, name, options, made, error);
}

void target_fit_report(struct haul_store *store, const struct plan *plan,
                       struct option_report *report)
{
    for (size_t i = 0; store->ops->family_options != NULL && i < plan->family_count; i++) {
        char *ours = NULL;
        struct haul_error ignored;
        const char *theirs = plan_options_of(plan, i);
        if (theirs != NULL && store->ops->family_options(store, plan->families[i].target_id, &ours,
                                                         &ignored) == HAUL_OK) {
            option_report_add(report, plan->families[i].family.name, theirs, ours);
            free(ours);
        }
    }
}
