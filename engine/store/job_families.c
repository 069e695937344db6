/* SPDX-License-Identifier: Apache-2.0 */
/* job_families.c — collects family names from the plans of journals. */
#include "job_families.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul/store.h"
#include "job_journal.h"
#include "journal.h"
#include "journal_directory.h"
#include "plan.h"

/* Names in the order they are found. Zeroed: none. */
struct name_set {
    char (*names)[HAUL_NAME_BYTES_MAX];
    size_t count;
};

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for names of families");
}

static enum haul_status add_name(struct name_set *set, const char *name, struct haul_error *error)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->names[i], name) == 0) {
            return HAUL_OK;
        }
    }
    void *names = realloc(set->names, (set->count + 1) * sizeof(*set->names));
    if (names == NULL) {
        return no_memory(error);
    }
    set->names = names;
    (void)snprintf(set->names[set->count++], HAUL_NAME_BYTES_MAX, "%s", name);
    return HAUL_OK;
}

/* Can the job continue? Jobs that are over read nothing. */
static bool goes_on(const struct journal *journal)
{
    enum journal_phase phase = journal_state(journal)->phase;
    return phase != JOURNAL_PHASE_ABORTED && phase != JOURNAL_PHASE_DONE;
}

static enum haul_status add_plan(struct name_set *set, const struct journal *journal,
                                 struct haul_error *error)
{
    struct plan plan = {.family_count = 0};
    struct haul_error ignored;
    enum haul_status status = HAUL_OK;
    if (job_journal_read_plan(journal, &plan, &ignored) == HAUL_OK) {
        for (size_t i = 0; i < plan.family_count && status == HAUL_OK; i++) {
            status = add_name(set, plan.families[i].family.name, error);
        }
    }
    plan_fini(&plan);
    return status;
}

static enum haul_status add_entry(struct name_set *set, const char *folder,
                                  const struct journal_entry *entry, struct haul_error *error)
{
    struct journal_config config = {.directory = folder, .role = JOURNAL_SOURCE, .read_only = true};
    struct journal *journal = NULL;
    struct haul_error ignored;
    memcpy(config.job_id, entry->job_id, HAUL_JOB_BYTES);
    if (entry->role != JOURNAL_SOURCE || journal_open(&config, &journal, &ignored) != HAUL_OK) {
        return HAUL_OK;
    }
    enum haul_status status = goes_on(journal) ? add_plan(set, journal, error) : HAUL_OK;
    journal_close(journal);
    return status;
}

/* Puts pointers and texts into one block. */
static enum haul_status hand_out(const struct name_set *set, const char ***names,
                                 struct haul_error *error)
{
    size_t pointers_size = (set->count + 1) * sizeof(char *);
    const char **block = malloc(pointers_size + set->count * sizeof(*set->names));
    if (block == NULL) {
        return no_memory(error);
    }
    char(*texts)[HAUL_NAME_BYTES_MAX] = (void *)((char *)block + pointers_size);
    for (size_t i = 0; i < set->count; i++) {
        memcpy(texts[i], set->names[i], sizeof(texts[i]));
        block[i] = texts[i];
    }
    block[set->count] = NULL;
    *names = block;
    return HAUL_OK;
}

enum haul_status job_families_read(const char *directory, const char ***names, size_t *count,
                                   struct haul_error *error)
{
    char folder[HAUL_DIRECTORY_BYTES_MAX + sizeof("/haul")];
    struct journal_entry *entries = NULL;
    struct name_set set = {.count = 0};
    size_t entry_count = 0;
    (void)snprintf(folder, sizeof(folder), "%s/haul", directory);
    enum haul_status status = journal_directory_list(NULL, folder, &entries, &entry_count, error);
    for (size_t i = 0; i < entry_count && status == HAUL_OK; i++) {
        status = add_entry(&set, folder, &entries[i], error);
    }
    if (status == HAUL_OK) {
        status = hand_out(&set, names, error);
    }
    *count = status == HAUL_OK ? set.count : 0;
    free(set.names);
    free(entries);
    return status;
}
