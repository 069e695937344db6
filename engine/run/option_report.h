/* SPDX-License-Identifier: Apache-2.0 */
/* option_report.h — in what options the target's column families differ from the source's: found
 * on the target, carried in PlanAccepted, part of both sides' results. Zeroed is empty; whatever
 * goes wrong on its way leaves it shorter, and is no failure. Thread: one at a time. */
#ifndef HAUL_OPTION_REPORT_H
#define HAUL_OPTION_REPORT_H

#include "haul/log.h"
#include "haul/migration.h"
#include "message.h"
#include "plan.h"

struct option_report {
    struct haul_option_difference *items; /* HAUL_OPTION_DIFFERENCES_MAX of room, or NULL */
    size_t count;
    size_t total; /* with those that had no room */
};

void option_report_fini(struct option_report *report);

/* Add what `ours` has otherwise than `theirs` (family_options.h). */
void option_report_add(struct option_report *report, const char *family, const char *theirs,
                       const char *ours);
void option_report_log(const struct option_report *report, const struct haul_log *log);

/* To and from the message. */
void option_report_put(const struct option_report *report, haul_control_PlanAccepted *accepted);
void option_report_take(struct option_report *report, const haul_control_PlanAccepted *accepted);

#endif
