/* SPDX-License-Identifier: Apache-2.0 */
/* hand_overs.c — compares a selection with the ownership record. */
#include "hand_overs.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum haul_status hand_overs_read(struct hand_overs *records, struct haul_store *store,
                                 const char *directory, struct haul_error *error)
{
    *records =
        (struct hand_overs){.families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*records->families))};
    if (records->families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the families");
    }
    enum haul_status status = haul_owner_of_store(store, &records->owner, error);
    if (status == HAUL_OK) {
        status = haul_jobs_list(directory, &records->jobs, &records->job_count, error);
    }
    if (status == HAUL_OK) {
        status = store->ops->families(store, records->families, HAUL_FAMILY_COUNT_MAX,
                                      &records->family_count, error);
    }
    return status;
}

void hand_overs_fini(struct hand_overs *records)
{
    haul_owner_free(records->owner);
    free(records->jobs);
    free(records->families);
    *records = (struct hand_overs){.owner = NULL};
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* The journal of a job stays until its target has confirmed. */
static bool is_unconfirmed(const struct hand_overs *records, const uint8_t *job)
{
    bool waits = false;
    for (size_t i = 0; i < records->job_count; i++) {
        const struct haul_job *left = &records->jobs[i];
        waits = waits || (left->role == HAUL_JOB_SOURCE && left->claim == HAUL_JOB_YIELDS &&
                          memcmp(left->id, job, HAUL_JOB_BYTES) == 0);
    }
    return waits;
}

static bool is_lost(const struct hand_overs *records, const uint8_t *job)
{
    bool lost = false;
    for (size_t i = 0; i < records->owner->job_count; i++) {
        const struct haul_owner_job *entry = &records->owner->jobs[i];
        lost = lost || (entry->act == HAUL_OWNER_GAVE && entry->result == HAUL_MISMATCH &&
                        memcmp(entry->job, job, HAUL_JOB_BYTES) == 0);
    }
    return lost;
}

/* --- ranges ----------------------------------------------------------------------------------- */

static int compare_keys(struct haul_slice a, struct haul_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The entries of a family; without any, those of "every other family". */
static const char *entries_of(const struct hand_overs *records, const char *family)
{
    bool has_some = false;
    for (size_t i = 0; i < records->owner->range_count; i++) {
        has_some = has_some || strcmp(records->owner->ranges[i].family, family) == 0;
    }
    return has_some ? family : "";
}

/* Take the part of the range that the entry covers, if that is RELEASED and not lost. */
static void note(const struct hand_overs *records, const struct haul_owner_range *entry,
                 struct hand_over *found)
{
    bool first = found->state == HAND_OVER_NONE;
    if (first) {
        memcpy(found->job, entry->job, HAUL_JOB_BYTES);
        (void)snprintf(found->peer, sizeof(found->peer), "%s", entry->peer);
    }
    if (is_unconfirmed(records, entry->job)) {
        if (found->state != HAND_OVER_UNCONFIRMED) {
            memcpy(found->job, entry->job, HAUL_JOB_BYTES);
        }
        found->state = HAND_OVER_UNCONFIRMED;
    } else if (first) {
        found->state = HAND_OVER_DONE;
    }
}

/* Entries of a family ascend and do not overlap. False: a part of the range was not handed over. */
static bool covers(const struct hand_overs *records, const char *family,
                   const struct haul_range *range, struct hand_over *found)
{
    struct haul_slice reached = range->start;
    bool covered = false;
    for (size_t i = 0; i < records->owner->range_count && !covered; i++) {
        const struct haul_owner_range *entry = &records->owner->ranges[i];
        bool counts = strcmp(entry->family, family) == 0 && entry->state == HAUL_OWNER_RELEASED &&
                      !is_lost(records, entry->job) &&
                      compare_keys(entry->range.start, reached) <= 0 &&
                      (entry->range.end.size == 0 || compare_keys(entry->range.end, reached) > 0);
        if (counts) {
            note(records, entry, found);
            reached = entry->range.end;
            covered = reached.size == 0 ||
                      (range->end.size > 0 && compare_keys(reached, range->end) >= 0);
        }
    }
    return covered;
}

static bool covers_family(const struct hand_overs *records,
                          const struct haul_source_options *options, const char *family,
                          struct hand_over *found)
{
    static const struct haul_range everything;
    const char *entries = entries_of(records, family);
    size_t count = options->range_count == 0 ? 1 : options->range_count;
    bool covered = true;
    for (size_t i = 0; i < count && covered; i++) {
        const struct haul_range *range =
            options->range_count == 0 ? &everything : &options->ranges[i];
        covered = covers(records, entries, range, found);
    }
    return covered;
}

struct hand_over hand_overs_find(const struct hand_overs *records,
                                 const struct haul_source_options *options)
{
    static const struct hand_over none = {.state = HAND_OVER_NONE};
    bool all = options->family_count == 0;
    size_t count = all ? records->family_count : options->family_count;
    struct hand_over found = none;
    if (records->owner->origin != HAUL_OWNER_SAME) {
        return none; /* it is another database's record, or of another state of this one */
    }
    for (size_t i = 0; i < count; i++) {
        const char *family = all ? records->families[i].name : options->families[i];
        if (!covers_family(records, options, family, &found)) {
            return none;
        }
    }
    return found;
}
