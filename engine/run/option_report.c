/* SPDX-License-Identifier: Apache-2.0 */
/* option_report.c — collects differences of options one by one. */
#include "option_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family_options.h"

void option_report_fini(struct option_report *report)
{
    free(report->items);
    memset(report, 0, sizeof(*report));
}

/* NULL: no room. */
static struct haul_option_difference *next_item(struct option_report *report)
{
    report->total++;
    if (report->items == NULL) {
        report->items = calloc(HAUL_OPTION_DIFFERENCES_MAX, sizeof(*report->items));
    }
    return report->items == NULL || report->count == HAUL_OPTION_DIFFERENCES_MAX
               ? NULL
               : &report->items[report->count++];
}

static void copy_slice(char *to, size_t to_size, struct haul_slice from)
{
    (void)snprintf(to, to_size, "%.*s", (int)from.size, (const char *)from.data);
}

void option_report_add(struct option_report *report, const char *family, const char *theirs,
                       const char *ours)
{
    struct family_option their;
    struct haul_slice our;
    while (family_options_difference(&theirs, ours, &their, &our)) {
        struct haul_option_difference *item = next_item(report);
        if (item != NULL) {
            (void)snprintf(item->family, sizeof(item->family), "%s", family);
            copy_slice(item->name, sizeof(item->name), their.name);
            copy_slice(item->source, sizeof(item->source), their.value);
            copy_slice(item->target, sizeof(item->target), our);
        }
    }
}

void option_report_log(const struct option_report *report, const struct haul_log *log)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct haul_option_difference *item = &report->items[i];
        haul_log(log, HAUL_LOG_WARNING,
                 "the target's column family '%s' keeps its own %s=%s; the source has %s",
                 item->family, item->name, item->target, item->source);
    }
    if (report->total > report->count) {
        haul_log(log, HAUL_LOG_WARNING, "%zu more options of the target differ from the source's",
                 report->total - report->count);
    }
}

void option_report_put(const struct option_report *report, haul_control_PlanAccepted *accepted)
{
    accepted->option_difference_count = (uint32_t)report->total;
    accepted->option_differences =
        report->count == 0 ? NULL : calloc(report->count, sizeof(*accepted->option_differences));
    for (size_t i = 0; accepted->option_differences != NULL && i < report->count; i++) {
        haul_control_OptionDifference *to = &accepted->option_differences[i];
        const struct haul_option_difference *from = &report->items[i];
        (void)snprintf(to->family, sizeof(to->family), "%s", from->family);
        (void)snprintf(to->name, sizeof(to->name), "%s", from->name);
        (void)snprintf(to->source, sizeof(to->source), "%s", from->source);
        (void)snprintf(to->target, sizeof(to->target), "%s", from->target);
        accepted->option_differences_count++;
    }
}

void option_report_take(struct option_report *report, const haul_control_PlanAccepted *accepted)
{
    option_report_fini(report);
    for (size_t i = 0; i < accepted->option_differences_count; i++) {
        const haul_control_OptionDifference *from = &accepted->option_differences[i];
        struct haul_option_difference *item = next_item(report);
        if (item != NULL) {
            (void)snprintf(item->family, sizeof(item->family), "%s", from->family);
            (void)snprintf(item->name, sizeof(item->name), "%s", from->name);
            (void)snprintf(item->source, sizeof(item->source), "%s", from->source);
            (void)snprintf(item->target, sizeof(item->target), "%s", from->target);
        }
    }
    if (accepted->option_difference_count > report->total) {
        report->total = accepted->option_difference_count;
    }
}
