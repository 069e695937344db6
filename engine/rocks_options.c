/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_options.c — comparators and merge operators by the names that a database has stored.
 *
 * RocksDB loads stored options, makes the comparators and operators that are its own, and silently
 * takes the default for those that it does not know: with the wrong comparator an open fails, but
 * with the wrong operator it is a later read that fails or a merge that is lost. So the names are
 * read from the OPTIONS file (text, one `name=value` a line), and what RocksDB cannot make is
 * refused by name. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rocks_store.h"

enum { LINE_BYTES_MAX = 64 << 10 };

#define FILE_PREFIX "OPTIONS-"
#define SECTION_PREFIX "[CFOptions \""

/* The OPTIONS file with the highest number; `file` is left as it is when there is none. */
static enum haul_status find_file(const char *path, char *file, struct haul_error *error)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return haul_error_set(error, HAUL_IO, "opendir", errno, "cannot read %s", path);
    }
    uint64_t newest = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        uint64_t number = 0;
        char rest = '\0';
        if (sscanf(entry->d_name, FILE_PREFIX "%" SCNu64 "%c", &number, &rest) == 1 &&
            number >= newest) {
            newest = number;
            (void)snprintf(file, ROCKS_PATH_BYTES_MAX, "%s/%s", path, entry->d_name);
        }
    }
    (void)closedir(directory);
    return HAUL_OK;
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

/* `text` up to its last quotation mark: a family's name may hold some itself. */
static void copy_quoted(const char *text, char *name)
{
    const char *end = strrchr(text, '"');
    int size = end == NULL ? 0 : (int)(end - text);
    (void)snprintf(name, HAUL_NAME_BYTES_MAX, "%.*s", size, text);
}

static enum haul_status read_lines(FILE *file, char *line, struct rocks_names *names,
                                   size_t capacity, size_t *count, struct haul_error *error)
{
    struct rocks_names *current = NULL;
    *count = 0;
    while (fgets(line, LINE_BYTES_MAX, file) != NULL) {
        if (strncmp(line, SECTION_PREFIX, strlen(SECTION_PREFIX)) == 0) {
            if (*count == capacity) {
                return haul_error_set(error, HAUL_LIMIT, NULL, 0, "more than %zu column families",
                                      capacity);
            }
            current = &names[(*count)++];
            memset(current, 0, sizeof(*current));
            copy_quoted(line + strlen(SECTION_PREFIX), current->family);
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
    char file_path[ROCKS_PATH_BYTES_MAX] = "";
    enum haul_status status = find_file(path, file_path, error);
    *count = 0;
    if (status != HAUL_OK || file_path[0] == '\0') {
        return status;
    }
    FILE *file = fopen(file_path, "re");
    int open_errno = errno;
    char *line = malloc(LINE_BYTES_MAX);
    if (line == NULL) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for options");
    } else if (file == NULL) {
        status = haul_error_set(error, HAUL_IO, "fopen", open_errno, "cannot read %s", file_path);
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
    haul_error_hint(error, "embed libhaul in the program that has it");
    return HAUL_MISMATCH;
}

/* What RocksDB makes by itself when it loads options. Its "MergeSortOperator" is left out: it reads
 * past the end of operands that do not suit it. */
static const char *const comparators[] = {ROCKS_BYTEWISE, "rocksdb.ReverseBytewiseComparator"};
static const char *const merge_operators[] = {
    "UInt64AddOperator", "StringAppendOperator", "MaxOperator", "BytesXOR", "PutOperator",
};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    bool found = name[0] == '\0'; /* the default */
    for (size_t i = 0; i < count; i++) {
        found = found || strcmp(name, names[i]) == 0;
    }
    return found;
}

enum haul_status rocks_options_check(const struct rocks_names *names, struct haul_error *error)
{
    if (!is_among(names->comparator, comparators, sizeof(comparators) / sizeof(*comparators))) {
        return unknown_name(names, "comparator", names->comparator, error);
    }
    if (!is_among(names->merge_operator, merge_operators,
                  sizeof(merge_operators) / sizeof(*merge_operators))) {
        return unknown_name(names, "merge operator", names->merge_operator, error);
    }
    return HAUL_OK;
}
