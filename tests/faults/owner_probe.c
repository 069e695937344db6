/* SPDX-License-Identifier: Apache-2.0 */
/* owner_probe.c — who owns everything in two databases, by their records alone, at this moment.
 *
 *   owner_probe SOURCE TARGET    prints "OWNER JOBS REST" and their names behind it
 * OWNER is source, target, none (handed over, not taken over yet), or both, which may never be.
 * JOBS counts the journals of both sides; REST what else lies beside the databases but the record
 * of ownership: staging files, unfinished files, sockets. Neither database is opened; they may be
 * in use. The target is looked at first: whatever it has taken over was handed over before. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ownership.h"

static char names[4096];

static _Noreturn void die(const char *directory, const struct haul_error *error)
{
    (void)fprintf(stderr, "owner_probe: %s: %s\n", directory, error->text);
    exit(1);
}

/* Does the record hold an entry of this state? */
static bool has_entry(const char *directory, enum ownership_state state)
{
    struct ownership ownership;
    struct haul_error error = {.status = HAUL_OK};
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    if (ownership_read(NULL, path, &ownership, &error) != HAUL_OK) {
        die(directory, &error);
    }
    bool found = false;
    for (size_t i = 0; i < ownership.entry_count; i++) {
        found = found || ownership.entries[i].state == state;
    }
    ownership_fini(&ownership);
    return found;
}

static bool is_of_the_record(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "ownership") == 0 ||
           strcmp(name, "ownership.lock") == 0;
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

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: owner_probe SOURCE TARGET\n");
        return 2;
    }
    bool target_owns = has_entry(argv[2], OWNERSHIP_IMPORTED);
    bool source_owns = !has_entry(argv[1], OWNERSHIP_RELEASED);
    unsigned jobs = 0;
    unsigned rest = 0;
    count_files(argv[1], &jobs, &rest);
    count_files(argv[2], &jobs, &rest);
    (void)printf("%s %u %u%s\n",
                 source_owns ? (target_owns ? "both" : "source")
                             : (target_owns ? "target" : "none"),
                 jobs, rest, names);
    return 0;
}
