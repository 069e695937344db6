/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_options.c — comparators and merge operators by the names that a database has stored.
 *
 * RocksDB's C API loads stored options, but does not tell the names of what it could not make, and
 * opening with another comparator or operator than the data was written with reads nonsense or
 * fails late. So the names are read from the OPTIONS file (text, one `name=value` a line), and what
 * this program does not have is refused by name. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rocks_store.h"

enum { LINE_BYTES_MAX = 64 << 10, PATH_BYTES_MAX = 4096 };

#define FILE_PREFIX "OPTIONS-"
#define SECTION_PREFIX "[CFOptions \""

/* --- comparator ------------------------------------------------------------------------------- */

static int compare_reversed(void *state, const char *a, size_t a_size, const char *b,
                            size_t b_size)
{
    (void)state;
    return -slice_compare(slice_of(a, a_size), slice_of(b, b_size));
}

static const char *reversed_name(void *state)
{
    (void)state;
    return ROCKS_REVERSE_BYTEWISE;
}

static void destroy_nothing(void *state)
{
    (void)state;
}

rocksdb_comparator_t *rocks_reverse_comparator_create(void)
{
    return rocksdb_comparator_create(NULL, destroy_nothing, compare_reversed, reversed_name);
}

/* --- file ------------------------------------------------------------------------------------- */

/* The OPTIONS file with the highest number. */
static enum haul_status find_file(const char *path, char *file, struct haul_error *error)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        enum haul_status status = errno == ENOENT ? HAUL_NOT_FOUND : HAUL_IO;
        return haul_error_set(error, status, "opendir", errno, "cannot read %s", path);
    }
    uint64_t newest = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        uint64_t number = 0;
        char rest = '\0';
        if (sscanf(entry->d_name, FILE_PREFIX "%" SCNu64 "%c", &number, &rest) == 1 &&
            number >= newest) {
            newest = number;
            (void)snprintf(file, PATH_BYTES_MAX, "%s/%s", path, entry->d_name);
        }
    }
    (void)closedir(directory);
    return newest == 0 ? haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                                        "no stored options in %s", path)
                       : HAUL_OK;
}

static void copy_value(const char *line, const char *name, char *value)
{
    while (*line == ' ') {
        line++;
    }
    size_t size = strlen(name);
    if (strncmp(line, name, size) == 0 && line[size] == '=') {
        (void)snprintf(value, HAUL_NAME_BYTES_MAX, "%.*s", (int)strcspn(line + size + 1, "\r\n"),
                       line + size + 1);
    }
}

/* A merge operator is stored as its name, as "nullptr", or as "{id=Name;...}". */
static void strip_id(char *name)
{
    if (strncmp(name, "{id=", 4) == 0) {
        size_t size = strcspn(name + 4, ";}");
        memmove(name, name + 4, size);
        name[size] = '\0';
    }
    if (strcmp(name, "nullptr") == 0) {
        name[0] = '\0';
    }
}

static enum haul_status read_lines(FILE *file, char *line, struct rocks_names *names,
                                   size_t capacity, size_t *count, struct haul_error *error)
{
    struct rocks_names *current = NULL;
    *count = 0;
    while (fgets(line, LINE_BYTES_MAX, file) != NULL) {
        if (strncmp(line, SECTION_PREFIX, strlen(SECTION_PREFIX)) == 0) {
            if (*count == capacity) {
                return haul_error_set(error, HAUL_LIMIT, NULL, 0,
                                      "more than %zu column families", capacity);
            }
            current = &names[(*count)++];
            memset(current, 0, sizeof(*current));
            const char *begin = line + strlen(SECTION_PREFIX);
            (void)snprintf(current->family, sizeof(current->family), "%.*s",
                           (int)strcspn(begin, "\""), begin);
        } else if (line[0] == '[') {
            current = NULL;
        } else if (current != NULL) {
            copy_value(line, "comparator", current->comparator);
            copy_value(line, "merge_operator", current->merge_operator);
        }
    }
    for (size_t i = 0; i < *count; i++) {
        strip_id(names[i].comparator);
        strip_id(names[i].merge_operator);
    }
    return HAUL_OK;
}

enum haul_status rocks_options_read(const char *path, struct rocks_names *names, size_t capacity,
                                    size_t *count, struct haul_error *error)
{
    char file_path[PATH_BYTES_MAX];
    enum haul_status status = find_file(path, file_path, error);
    if (status != HAUL_OK) {
        return status;
    }
    FILE *file = fopen(file_path, "re");
    char *line = malloc(LINE_BYTES_MAX);
    if (file == NULL || line == NULL) {
        status = haul_error_set(error, HAUL_IO, "fopen", errno, "cannot read %s", file_path);
    } else {
        status = read_lines(file, line, names, capacity, count, error);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(line);
    return status;
}

/* --- by name ---------------------------------------------------------------------------------- */

static enum haul_status unknown_name(const struct rocks_names *names, const char *what,
                                     const char *name, struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "column family '%s' uses the %s '%s', which this program does not have",
                   names->family, what, name);
    haul_error_hint(error, "embed libhaul in the program that has it, or leave the family out");
    return HAUL_MISMATCH;
}

enum haul_status rocks_options_apply(struct rocks_store *store, rocksdb_options_t *options,
                                     const struct rocks_names *names, struct haul_error *error)
{
    bool bytewise = names->comparator[0] == '\0' || strcmp(names->comparator, ROCKS_BYTEWISE) == 0;
    bool reverse = strcmp(names->comparator, ROCKS_REVERSE_BYTEWISE) == 0;
    if (!bytewise && !reverse) {
        return unknown_name(names, "comparator", names->comparator, error);
    }
    if (reverse) {
        rocksdb_options_set_comparator(options, store->reverse_comparator);
    }
    bool none = names->merge_operator[0] == '\0';
    bool adds = strcmp(names->merge_operator, ROCKS_UINT64_ADD) == 0;
    if (!none && !adds) {
        return unknown_name(names, "merge operator", names->merge_operator, error);
    }
    if (adds) {
        rocksdb_options_set_uint64add_merge_operator(options);
    }
    return HAUL_OK;
}
