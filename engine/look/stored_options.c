/* SPDX-License-Identifier: Apache-2.0 */
/* stored_options.c — reads the text of an OPTIONS file. */
#include "stored_options.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain_file.h"

#define FILE_PREFIX "OPTIONS-"
#define FAMILY_SECTION "[CFOptions \""

enum section { SECTION_OTHER, SECTION_VERSION, SECTION_DATABASE, SECTION_FAMILY };

/* The OPTIONS file with the highest number; `path` stays empty without one. */
static enum haul_status find_file(const char *directory, char path[STORED_PATH_BYTES_MAX],
                                  struct haul_error *error)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return haul_error_set(error, HAUL_IO, "opendir", errno, "cannot read %s", directory);
    }
    uint64_t newest = 0;
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        uint64_t number = 0;
        char rest = '\0';
        if (sscanf(entry->d_name, FILE_PREFIX "%" SCNu64 "%c", &number, &rest) == 1 &&
            number >= newest) {
            newest = number;
            (void)snprintf(path, STORED_PATH_BYTES_MAX, "%s/%s", directory, entry->d_name);
        }
    }
    (void)closedir(entries);
    return HAUL_OK;
}

/* --- lines ------------------------------------------------------------------------------------ */

void stored_options_unescape(const char *text, size_t size, char *to, size_t to_size_bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < size && used + 1 < to_size_bytes; i++) {
        char byte = text[i];
        if (byte == '\\' && i + 1 < size) {
            byte = text[++i];
            byte = (char)(byte == 'n' ? '\n' : byte == 'r' ? '\r' : byte);
        }
        to[used++] = byte;
    }
    to[used] = '\0';
}

/* The value of `name`, if the line sets it. */
static bool take(const char *line, const char *name, char *value, size_t value_size_bytes)
{
    line += strspn(line, " ");
    size_t size = strlen(name);
    if (strncmp(line, name, size) != 0 || line[size] != '=') {
        return false;
    }
    stored_options_unescape(line + size + 1, strlen(line + size + 1), value, value_size_bytes);
    if (strcmp(value, "nullptr") == 0) {
        value[0] = '\0';
    }
    return true;
}

static bool take_flag(const char *line, const char *name, bool *flag)
{
    char value[8];
    bool found = take(line, name, value, sizeof(value));
    *flag = found ? strcmp(value, "true") == 0 : *flag;
    return found;
}

static struct stored_family *add_family(struct stored_options *options)
{
    struct stored_family *families =
        realloc(options->families, (options->family_count + 1) * sizeof(*families));
    if (families == NULL) {
        return NULL;
    }
    options->families = families;
    struct stored_family *family = &families[options->family_count++];
    memset(family, 0, sizeof(*family));
    return family;
}

/* A family's name may hold quotation marks itself. False: no memory. */
static bool begin_section(struct stored_options *options, const char *line, enum section *section)
{
    *section = strncmp(line, "[Version]", 9) == 0      ? SECTION_VERSION
               : strncmp(line, "[DBOptions]", 11) == 0 ? SECTION_DATABASE
                                                       : SECTION_OTHER;
    if (strncmp(line, FAMILY_SECTION, strlen(FAMILY_SECTION)) != 0) {
        return true;
    }
    struct stored_family *family = add_family(options);
    if (family == NULL) {
        return false;
    }
    const char *name = line + strlen(FAMILY_SECTION);
    const char *end = strrchr(name, '"');
    stored_options_unescape(name, end == NULL ? 0 : (size_t)(end - name), family->name,
                            sizeof(family->name));
    *section = SECTION_FAMILY;
    return true;
}

static bool is_positive(const char *line, const char *name)
{
    char value[24];
    return take(line, name, value, sizeof(value)) && strtoull(value, NULL, 10) > 0;
}

static void take_database(struct stored_options *options, const char *line)
{
    bool writes_identity = !options->writes_no_identity;
    (void)take(line, "wal_dir", options->wal_dir, sizeof(options->wal_dir));
    (void)take_flag(line, "write_identity_file", &writes_identity);
    options->writes_no_identity = !writes_identity;
    (void)take_flag(line, "allow_2pc", &options->two_phase);
    options->archives_log = options->archives_log || is_positive(line, "WAL_ttl_seconds") ||
                            is_positive(line, "WAL_size_limit_MB");
}

static void take_family(struct stored_family *family, const char *line)
{
    (void)take(line, "comparator", family->comparator, sizeof(family->comparator));
    (void)take(line, "merge_operator", family->merge_operator, sizeof(family->merge_operator));
    (void)take(line, "table_factory", family->table_factory, sizeof(family->table_factory));
    (void)take_flag(line, "inplace_update_support", &family->inplace_updates);
}

static enum haul_status read_lines(FILE *file, struct stored_options *options,
                                   struct haul_error *error)
{
    enum section section = SECTION_OTHER;
    char *line = NULL;
    size_t capacity = 0;
    bool fits = true;
    while (fits && getline(&line, &capacity, file) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        const char *text = line + strspn(line, " ");
        if (text[0] == '[') {
            fits = begin_section(options, text, &section);
        } else if (section == SECTION_VERSION) {
            (void)take(text, "rocksdb_version", options->version, sizeof(options->version));
        } else if (section == SECTION_DATABASE) {
            take_database(options, text);
        } else if (section == SECTION_FAMILY) {
            take_family(&options->families[options->family_count - 1], text);
        }
    }
    free(line);
    if (!fits) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for options");
    }
    return ferror(file) == 0
               ? HAUL_OK
               : haul_error_set(error, HAUL_IO, "getline", errno, "cannot read %s", options->path);
}

/* --- the whole -------------------------------------------------------------------------------- */

enum haul_status stored_options_read(const char *directory, struct stored_options *options,
                                     struct haul_error *error)
{
    memset(options, 0, sizeof(*options));
    enum haul_status status = find_file(directory, options->path, error);
    if (status != HAUL_OK || options->path[0] == '\0') {
        return status;
    }
    FILE *file = plain_file_read(options->path);
    if (file == NULL) {
        return haul_error_set(error, HAUL_IO, "fopen", errno, "cannot read %s", options->path);
    }
    status = read_lines(file, options, error);
    (void)fclose(file);
    if (status != HAUL_OK) {
        stored_options_fini(options);
    }
    return status;
}

void stored_options_fini(struct stored_options *options)
{
    free(options->families);
    options->families = NULL;
    options->family_count = 0;
}

const struct stored_family *stored_options_family(const struct stored_options *options,
                                                  const char *name)
{
    for (size_t i = 0; i < options->family_count; i++) {
        if (strcmp(options->families[i].name, name) == 0) {
            return &options->families[i];
        }
    }
    return NULL;
}

void stored_options_id(const char *value, char id[HAUL_NAME_BYTES_MAX])
{
    const char *name = strncmp(value, "{id=", 4) == 0 ? value + 4 : value;
    size_t size = name == value ? strlen(value) : strcspn(name, ";}");
    (void)snprintf(id, HAUL_NAME_BYTES_MAX, "%.*s", (int)size, name);
}
