/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_stored.c — reads the newest OPTIONS file: sections with `name=value` lines. */
#include "rocks_stored.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain_file.h"

enum {
    PATH_BYTES = 4096,
    FILE_BYTES_MAX = 64 << 20,
};

struct line {
    char *name; /* "" in a section's first line */
    char *value;
};

struct section {
    enum rocks_section type;
    char *family;
    size_t first; /* index into lines */
    size_t count;
};

struct rocks_stored {
    char *text; /* holds the names and values */
    struct section *sections;
    size_t section_count;
    struct line *lines;
    size_t line_count;
};

static const struct {
    const char *head;
    enum rocks_section type;
} section_heads[] = {
    {"[Version]", ROCKS_SECTION_VERSION},
    {"[DBOptions]", ROCKS_SECTION_DATABASE},
    {"[CFOptions \"", ROCKS_SECTION_FAMILY},
    {"[TableOptions/", ROCKS_SECTION_TABLE},
};

/* The OPTIONS file with the highest number; `file` stays empty without one. */
static enum haul_status find_newest(const char *path, char file[PATH_BYTES],
                                    struct haul_error *error)
{
    file[0] = '\0';
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return haul_error_set(error, HAUL_IO, "opendir", errno, "cannot read %s", path);
    }
    uint64_t newest = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        uint64_t number = 0;
        char rest = '\0';
        if (sscanf(entry->d_name, "OPTIONS-%" SCNu64 "%c", &number, &rest) == 1 &&
            number >= newest) {
            newest = number;
            (void)snprintf(file, PATH_BYTES, "%s/%s", path, entry->d_name);
        }
    }
    (void)closedir(directory);
    return HAUL_OK;
}

/* The whole file and a NUL, malloc'ed. */
static enum haul_status read_file(const char *file_path, char **text, struct haul_error *error)
{
    FILE *file = plain_file_read(file_path);
    if (file == NULL) {
        return haul_error_set(error, HAUL_IO, "fopen", errno, "cannot read %s", file_path);
    }
    char *memory = NULL;
    size_t size = 0;
    size_t capacity = 0;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && feof(file) == 0 && ferror(file) == 0) {
        capacity = capacity == 0 ? 64 << 10 : capacity * 2;
        char *larger = capacity > FILE_BYTES_MAX ? NULL : realloc(memory, capacity);
        if (larger == NULL) {
            status = haul_error_set(error, capacity > FILE_BYTES_MAX ? HAUL_LIMIT : HAUL_NO_MEMORY,
                                    NULL, 0, "%s is too large", file_path);
            break;
        }
        memory = larger;
        size += fread(memory + size, 1, capacity - size - 1, file);
    }
    if (status == HAUL_OK && ferror(file) != 0) {
        status = haul_error_set(error, HAUL_IO, "fread", errno, "cannot read %s", file_path);
    }
    (void)fclose(file);
    if (status != HAUL_OK) {
        free(memory);
        return status;
    }
    memory[size] = '\0';
    *text = memory;
    return HAUL_OK;
}

/* An unknown header (of a newer release) begins a section that is never looked up. */
static void add_section(struct rocks_stored *stored, char *line)
{
    struct section *section = &stored->sections[stored->section_count++];
    *section = (struct section){.type = ROCKS_SECTION_VERSION, .first = stored->line_count};
    section->family = line + strlen(line);
    for (size_t i = 0; i < sizeof(section_heads) / sizeof(*section_heads); i++) {
        if (strncmp(line, section_heads[i].head, strlen(section_heads[i].head)) == 0) {
            section->type = section_heads[i].type;
        }
    }
    /* A name may contain quotation marks: the first and the last one belong to the file. */
    char *first = strchr(line, '"');
    char *last = strrchr(line, '"');
    if (first != NULL && first != last) {
        *last = '\0';
        section->family = first + 1;
    }
}

static void add_line(struct rocks_stored *stored, char *line)
{
    line += strspn(line, " \t");
    char *equals = strchr(line, '=');
    if (equals == NULL || line[0] == '#' || stored->section_count == 0) {
        return;
    }
    *equals = '\0';
    stored->lines[stored->line_count++] = (struct line){.name = line, .value = equals + 1};
    stored->sections[stored->section_count - 1].count++;
}

static enum haul_status index_lines(struct rocks_stored *stored, struct haul_error *error)
{
    size_t line_count = 1;
    size_t section_count = 1;
    for (const char *at = stored->text; *at != '\0'; at++) {
        line_count += *at == '\n';
        section_count += *at == '[' && (at == stored->text || at[-1] == '\n');
    }
    stored->lines = calloc(line_count, sizeof(*stored->lines));
    stored->sections = calloc(section_count, sizeof(*stored->sections));
    if (stored->lines == NULL || stored->sections == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for options");
    }
    char *rest = stored->text;
    while (rest != NULL) {
        char *line = rest;
        rest = strchr(line, '\n');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        line[strcspn(line, "\r")] = '\0';
        if (line[0] == '[') {
            add_section(stored, line);
        } else {
            add_line(stored, line);
        }
    }
    return HAUL_OK;
}

enum haul_status rocks_stored_read(const char *path, struct rocks_stored **out,
                                   struct haul_error *error)
{
    char file[PATH_BYTES];
    struct rocks_stored *stored = calloc(1, sizeof(*stored));
    if (stored == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for options");
    }
    enum haul_status status = find_newest(path, file, error);
    if (status == HAUL_OK && file[0] != '\0') {
        status = read_file(file, &stored->text, error);
        if (status == HAUL_OK) {
            status = index_lines(stored, error);
        }
    }
    if (status != HAUL_OK) {
        rocks_stored_free(stored);
        return status;
    }
    *out = stored;
    return HAUL_OK;
}

void rocks_stored_free(struct rocks_stored *stored)
{
    if (stored != NULL) {
        free(stored->text);
        free(stored->sections);
        free(stored->lines);
        free(stored);
    }
}

const char *rocks_stored_value(const struct rocks_stored *stored, enum rocks_section type,
                               const char *family, const char *name)
{
    for (size_t i = 0; i < stored->section_count; i++) {
        const struct section *section = &stored->sections[i];
        if (section->type != type || strcmp(section->family, family) != 0) {
            continue;
        }
        for (size_t j = 0; j < section->count; j++) {
            const struct line *line = &stored->lines[section->first + j];
            if (strcmp(line->name, name) == 0) {
                return line->value;
            }
        }
    }
    return "";
}

void rocks_stored_class(const char *value, char *name, unsigned long name_size)
{
    const char *from = value;
    size_t size = strcspn(value, ";}");
    if (strncmp(value, "{id=", 4) == 0) {
        from = value + 4;
        size = strcspn(from, ";}");
    }
    if (size == strlen("nullptr") && strncmp(from, "nullptr", size) == 0) {
        size = 0;
    }
    (void)snprintf(name, name_size, "%.*s", (int)size, from);
}
