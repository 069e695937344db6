/* SPDX-License-Identifier: Apache-2.0 */
/* owner_probe.c — who owns everything in two databases at this moment, by their records alone.
 *
 *   owner_probe SOURCE TARGET    prints "OWNER JOBS REST" and their names after it, then a line
 *                                with the phase of either side
 * OWNER is source, target, none (handed over, not taken over yet), or both, which must never
 * happen. JOBS counts the journals of both sides; REST counts what else lies beside the databases
 * except the ownership record: staging files, unfinished files, sockets. A phase is that of the
 * side's journal; without one it is NONE, or ENDED if the ownership record names the job. Neither
 * database is opened; they may be in use. The target is read first: whatever it has taken over was
 * handed over before. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_directory.h"
#include "ownership_file.h"

static char names[4096];

static _Noreturn void die(const char *directory, const struct haul_error *error)
{
    (void)fprintf(stderr, "owner_probe: %s: %s\n", directory, error->text);
    exit(1);
}

/* Whether the record holds a range of this state. */
static bool has_range(const char *directory, enum ownership_state state)
{
    struct ownership ownership;
    struct haul_error error = {.status = HAUL_OK};
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    if (ownership_read(NULL, path, &ownership, &error) != HAUL_OK) {
        die(directory, &error);
    }
    bool found = false;
    for (size_t i = 0; i < ownership.family_count; i++) {
        const struct range_map *map = &ownership.families[i].map;
        for (size_t j = 0; j < map->count; j++) {
            found = found || map->parts[j].mark.state == (uint8_t)state;
        }
    }
    ownership_fini(&ownership);
    return found;
}

static bool is_of_the_record(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "ownership") == 0 ||
           strcmp(name, "ownership.lock") == 0 || strcmp(name, "instance") == 0 ||
           strcmp(name, "secret") == 0;
}

static void count_files(const char *directory, unsigned *jobs, unsigned *rest)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    DIR *files = opendir(path);
    struct dirent *entry = NULL;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        const char *end = strrchr(entry->d_name, '.');
        if (is_of_the_record(entry->d_name)) {
            continue;
        }
        (*(end != NULL && strcmp(end, ".journal") == 0 ? jobs : rest))++;
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof(names) - used, " %s/%s", directory, entry->d_name);
    }
    if (files != NULL) {
        (void)closedir(files);
    }
}

/* Of the first journal of that role; NULL: there is none. */
static const char *phase_by_journal(const char *directory, enum journal_role role)
{
    char path[1024];
    struct journal_entry *entries = NULL;
    size_t count = 0;
    struct haul_error error = {.status = HAUL_OK};
    const char *phase = NULL;
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    if (journal_directory_list(NULL, path, &entries, &count, &error) != HAUL_OK) {
        die(directory, &error);
    }
    for (size_t i = 0; phase == NULL && i < count; i++) {
        struct journal_config config = {.directory = path, .role = role, .read_only = true};
        struct journal *journal = NULL;
        memcpy(config.job_id, entries[i].job_id, sizeof(config.job_id));
        if (entries[i].role == role && journal_open(&config, &journal, &error) == HAUL_OK) {
            phase = journal_phase_name(journal_state(journal)->phase);
            journal_close(journal);
        }
    }
    free(entries);
    return phase;
}

static const char *phase_of(const char *directory, enum journal_role role, bool ended)
{
    const char *phase = phase_by_journal(directory, role);
    return phase != NULL ? phase : ended ? "ENDED" : "NONE";
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: owner_probe SOURCE TARGET\n");
        return 2;
    }
    bool target_owns = has_range(argv[2], OWNERSHIP_IMPORTED);
    bool source_owns = !has_range(argv[1], OWNERSHIP_RELEASED);
    unsigned jobs = 0;
    unsigned rest = 0;
    count_files(argv[1], &jobs, &rest);
    count_files(argv[2], &jobs, &rest);
    (void)printf("%s %u %u%s\n",
                 source_owns ? (target_owns ? "both" : "source")
                             : (target_owns ? "target" : "none"),
                 jobs, rest, names);
    (void)printf("%s %s\n", phase_of(argv[1], JOURNAL_SOURCE, !source_owns),
                 phase_of(argv[2], JOURNAL_TARGET, target_owns));
    return 0;
}
