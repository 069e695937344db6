/* SPDX-License-Identifier: Apache-2.0 */
/* option_report.h — the options in which the target's column families differ from the source's:
 * found on the target, carried in PlanAccepted, part of both sides' results. Zeroed is empty.
 * Failures only shorten the report. Thread: one at a time. */
#ifndef HAUL_OPTION_REPORT_H
#define HAUL_OPTION_REPORT_H

#include "haul/log.h"
#include "haul/migration.h"
#include "message.h"
#include "plan.h"

struct option_report {
    struct haul_option_difference *items; /* room for HAUL_OPTION_DIFFERENCES_MAX, or NULL */
    size_t count;
    size_t total; /* including those that had no room */
};

void option_report_fini(struct option_report *report);

/* Add the options of `ours` that differ from `theirs` (family_options.h). */
void option_report_add(struct option_report *report, const char *family, const char *theirs,
                       const char *ours);
void option_report_log(const struct option_report *report, const struct haul_log *log);

/* To and from the message. */
void option_report_put(const struct option_report *report, haul_control_PlanAccepted *accepted);
void option_report_take(struct option_report *report, const haul_control_PlanAccepted *accepted);

#endif
