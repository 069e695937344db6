/* SPDX-License-Identifier: Apache-2.0 */
/* verify_manifest.c — reads and writes the manifest's lines. */
#include "verify_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "haul-manifest 1\n"

/* --- words ------------------------------------------------------------------------------------ */

static void put_hex(FILE *file, struct haul_slice bytes)
{
    const uint8_t *data = bytes.data;
    if (bytes.size == 0) {
        (void)fputc('-', file);
    }
    for (size_t i = 0; i < bytes.size; i++) {
        (void)fprintf(file, "%02x", data[i]);
    }
}

static struct haul_slice slice_of_text(const char *text)
{
    return (struct haul_slice){(const uint8_t *)text, strlen(text)};
}

static int digit_of(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                          : -1;
}

/* `*bytes` is malloc'ed, with a NUL after it. False: the word is malformed, or no memory. */
static bool take_hex(const char *word, size_t size, struct haul_slice *bytes)
{
    bool empty = size == 1 && word[0] == '-';
    uint8_t *memory = malloc(size / 2 + 1);
    bool good = memory != NULL && (empty || size % 2 == 0);
    for (size_t i = 0; good && !empty && i < size; i += 2) {
        int high = digit_of(word[i]);
        int low = digit_of(word[i + 1]);
        good = high >= 0 && low >= 0;
        memory[i / 2] = (uint8_t)(high * 16 + low);
    }
    if (!good) {
        free(memory);
        return false;
    }
    size_t used = empty ? 0 : size / 2;
    memory[used] = '\0';
    *bytes = (struct haul_slice){memory, used};
    return true;
}

static bool take_name(const char *word, char name[HAUL_NAME_BYTES_MAX])
{
    struct haul_slice bytes;
    if (!take_hex(word, strcspn(word, "\n"), &bytes)) {
        return false;
    }
    bool fits = bytes.size < HAUL_NAME_BYTES_MAX;
    (void)snprintf(name, HAUL_NAME_BYTES_MAX, "%s", (const char *)bytes.data);
    free((void *)(uintptr_t)bytes.data);
    return fits;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum haul_status write_error(const char *path, int code, struct haul_error *error)
{
    bool is_name = code == ENOENT || code == ENOTDIR || code == EISDIR || code == ENAMETOOLONG;
    bool is_closed = code == EACCES || code == EPERM || code == EROFS;
    bool is_full = code == ENOSPC || code == EDQUOT;
    enum haul_status status = is_name     ? HAUL_NOT_FOUND
                              : is_closed ? HAUL_UNSUPPORTED
                              : is_full   ? HAUL_NO_SPACE
                                          : HAUL_IO;
    haul_error_set(error, status, is_name || is_closed ? "open" : "write", code, "cannot write %s",
                   path);
    haul_error_hint(error, "%s",
                    is_name     ? "check the name: it must be a file in an existing directory"
                    : is_closed ? "choose a directory in which this user can create files"
                    : is_full   ? "free some space on the file system of the manifest"
                                : "check the file system and the system log");
    return status;
}

/* Whether the path lies inside a database's directory or below one. A manifest there could replace
 * a file that the database needs. */
static bool is_in_database(const char *path)
{
    char place[PATH_MAX];
    char current[PATH_MAX + sizeof("/CURRENT")];
    (void)snprintf(current, sizeof(current), "%s", path);
    char *slash = strrchr(current, '/');
    if (slash != NULL) {
        slash[1] = '\0';
    }
    if (realpath(slash == NULL ? "." : current, place) == NULL) {
        return false;
    }
    while ((slash = strrchr(place, '/')) != NULL) {
        (void)snprintf(current, sizeof(current), "%s/CURRENT", place);
        if (access(current, F_OK) == 0) {
            return true;
        }
        *slash = '\0';
    }
    return false;
}

/* A new file, in place of one that a crash has left, or of a link that somebody has planted in a
 * directory like /tmp. NULL and errno on failure. */
static FILE *create(const char *path)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && file == NULL) {
        int code = errno;
        (void)close(fd);
        (void)unlink(path);
        errno = code;
    }
    return file;
}

/* The file gets its name only when it is complete; until then an existing file of that name
 * stays. */
static enum haul_status open_replacement(struct manifest_writer *writer, const char *path,
                                         struct haul_error *error)
{
    char real[PATH_MAX];
    const char *name = realpath(path, real) == NULL ? path : real; /* resolves symbolic links */
    if (is_in_database(name)) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "%s lies inside a database", path);
        haul_error_hint(error, "choose a file outside the database's directory");
        return HAUL_UNSUPPORTED;
    }
    size_t size = strlen(name) + sizeof(".tmp-") + 24;
    writer->name = strdup(name);
    writer->temporary = malloc(size);
    if (writer->name == NULL || writer->temporary == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a name");
    }
    (void)snprintf(writer->temporary, size, "%s.tmp-%ld", name, (long)getpid());
    writer->file = create(writer->temporary);
    return writer->file == NULL ? write_error(path, errno, error) : HAUL_OK;
}

static enum haul_status open_output(struct manifest_writer *writer, const char *path,
                                    struct haul_error *error)
{
    struct stat found;
    if (strcmp(path, "-") == 0) {
        writer->file = stdout;
        return HAUL_OK;
    }
    bool exists = stat(path, &found) == 0;
    if (exists && S_ISDIR(found.st_mode)) {
        return write_error(path, EISDIR, error);
    }
    if (!exists || S_ISREG(found.st_mode)) {
        return open_replacement(writer, path, error);
    }
    writer->file = fopen(path, "we"); /* a device or a pipe */
    return writer->file == NULL ? write_error(path, errno, error) : HAUL_OK;
}

static void free_names(struct manifest_writer *writer)
{
    free(writer->temporary);
    free(writer->name);
    writer->temporary = NULL;
    writer->name = NULL;
}

enum haul_status manifest_create(struct manifest_writer *writer, const char *path,
                                 const struct haul_verify_options *selected,
                                 struct haul_error *error)
{
    *writer = (struct manifest_writer){.path = path};
    enum haul_status status = open_output(writer, path, error);
    if (status != HAUL_OK) {
        free_names(writer);
        return status;
    }
    (void)fputs(FIRST_LINE, writer->file);
    for (size_t i = 0; i < selected->family_count; i++) {
        (void)fputs("select ", writer->file);
        put_hex(writer->file, slice_of_text(selected->families[i]));
        (void)fputc('\n', writer->file);
    }
    for (size_t i = 0; i < selected->range_count; i++) {
        (void)fputs("range ", writer->file);
        put_hex(writer->file, selected->ranges[i].start);
        (void)fputc(':', writer->file);
        put_hex(writer->file, selected->ranges[i].end);
        (void)fputc('\n', writer->file);
    }
    return HAUL_OK;
}

enum haul_status manifest_add(struct manifest_writer *writer, const struct haul_verify_piece *piece,
                              struct haul_error *error)
{
    if (strcmp(writer->family, piece->family) != 0) {
        (void)snprintf(writer->family, sizeof(writer->family), "%s", piece->family);
        (void)fputs("family ", writer->file);
        put_hex(writer->file, slice_of_text(piece->family));
        (void)fputc('\n', writer->file);
    }
    (void)fprintf(writer->file, "piece %" PRIu64 " %s ", piece->records, piece->digest);
    put_hex(writer->file, piece->last_key);
    return fputc('\n', writer->file) == EOF ? write_error(writer->path, errno, error) : HAUL_OK;
}

/* Sync the file if it lies on a disk. */
static enum haul_status flush(struct manifest_writer *writer, struct haul_error *error)
{
    bool written = ferror(writer->file) == 0 && fflush(writer->file) == 0 &&
                   (fsync(fileno(writer->file)) == 0 || errno == EINVAL); /* a pipe */
    return written ? HAUL_OK : write_error(writer->path, errno, error);
}

enum haul_status manifest_finish(struct manifest_writer *writer,
                                 const struct haul_family_result *families, size_t count,
                                 struct haul_error *error)
{
    for (size_t i = 0; families != NULL && i < count; i++) {
        (void)fprintf(writer->file, "total %" PRIu64 " %" PRIu64 " %s ", families[i].records,
                      families[i].bytes, families[i].digest);
        put_hex(writer->file, slice_of_text(families[i].name));
        (void)fputc('\n', writer->file);
    }
    (void)fputs(families != NULL ? "end\n" : "", writer->file);
    enum haul_status status = flush(writer, error);
    if (writer->file != stdout) {
        (void)fclose(writer->file);
    }
    if (writer->temporary != NULL && status == HAUL_OK && families != NULL &&
        rename(writer->temporary, writer->name) != 0) {
        status = write_error(writer->path, errno, error);
    }
    if (writer->temporary != NULL && (status != HAUL_OK || families == NULL)) {
        (void)unlink(writer->temporary);
    }
    free_names(writer);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool next_line(struct manifest_reader *reader)
{
    return getline(&reader->line, &reader->line_capacity, reader->file) > 0;
}

static const char *behind(const char *line, const char *word)
{
    size_t size = strlen(word);
    return strncmp(line, word, size) == 0 ? line + size : NULL;
}

static bool take_range(struct manifest_reader *reader, const char *words)
{
    struct haul_slice start;
    struct haul_slice end;
    const char *colon = strchr(words, ':');
    struct haul_range *larger =
        realloc(reader->ranges.ranges, (reader->ranges.count + 1) * sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    reader->ranges.ranges = larger;
    if (colon == NULL || !take_hex(words, (size_t)(colon - words), &start)) {
        return false;
    }
    if (!take_hex(colon + 1, strcspn(colon + 1, "\n"), &end)) {
        free((void *)(uintptr_t)start.data);
        return false;
    }
    larger[reader->ranges.count++] = (struct haul_range){.start = start, .end = end};
    return true;
}

static bool take_selected(struct manifest_reader *reader, const char *word)
{
    struct haul_slice name;
    size_t room = sizeof(reader->selected.names) / sizeof(reader->selected.names[0]);
    if (reader->selected.count == room || !take_hex(word, strcspn(word, "\n"), &name)) {
        return false;
    }
    reader->selected.names[reader->selected.count++] = (const char *)name.data;
    return true;
}

static bool take_total(struct manifest_reader *reader, const char *words)
{
    struct haul_family_result *total = &reader->totals[reader->total_count];
    int used = 0;
    if (reader->total_count == HAUL_FAMILY_COUNT_MAX ||
        sscanf(words, "%" SCNu64 " %" SCNu64 " %32s %n", &total->records, &total->bytes,
               total->digest, &used) != 3 ||
        used == 0 || !take_name(words + used, total->name)) {
        return false;
    }
    reader->total_count++;
    return true;
}

/* `*ended`: this was the last line. */
static bool take_line(struct manifest_reader *reader, bool *ended)
{
    const char *line = reader->line;
    const char *rest = NULL;
    *ended = strcmp(line, "end\n") == 0;
    if (*ended || behind(line, "piece ") != NULL) {
        return true;
    }
    if ((rest = behind(line, "family ")) != NULL) {
        size_t count = reader->family_count;
        if (count == HAUL_FAMILY_COUNT_MAX || !take_name(rest, reader->families[count].name)) {
            return false;
        }
        reader->families[count].place = ftell(reader->file);
        reader->family_count++;
        return true;
    }
    if ((rest = behind(line, "total ")) != NULL) {
        return take_total(reader, rest);
    }
    if ((rest = behind(line, "range ")) != NULL) {
        return take_range(reader, rest);
    }
    return (rest = behind(line, "select ")) != NULL && take_selected(reader, rest);
}

/* Copy a pipe to a temporary file, because a pipe cannot be read twice. NULL: failed. */
static FILE *spool(FILE *from)
{
    char buffer[64 << 10];
    size_t size = 0;
    FILE *file = tmpfile();
    while (file != NULL && (size = fread(buffer, 1, sizeof(buffer), from)) > 0) {
        (void)fwrite(buffer, 1, size, file);
    }
    if (file != NULL && (ferror(from) != 0 || fflush(file) != 0 || ferror(file) != 0)) {
        (void)fclose(file);
        return NULL;
    }
    if (file != NULL) {
        rewind(file);
    }
    return file;
}

enum haul_status manifest_open(struct manifest_reader *reader, const char *path,
                               struct haul_error *error)
{
    memset(reader, 0, sizeof(*reader));
    reader->file = strcmp(path, "-") == 0 ? spool(stdin) : fopen(path, "re");
    if (reader->file == NULL) {
        return haul_error_set(error, errno == ENOENT ? HAUL_NOT_FOUND : HAUL_IO, "open", errno,
                              "cannot read %s", path);
    }
    bool ended = false;
    bool good = next_line(reader) && strcmp(reader->line, FIRST_LINE) == 0;
    while (good && !ended) {
        good = next_line(reader) && take_line(reader, &ended);
    }
    if (ferror(reader->file) != 0) {
        return haul_error_set(error, errno == EISDIR ? HAUL_NOT_FOUND : HAUL_IO, "read", errno,
                              "cannot read %s", path);
    }
    if (!good || next_line(reader)) { /* a second manifest after it may be the intended one */
        haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is not a complete manifest", path);
        haul_error_hint(error, "write it again with this release's `haul verify --write-manifest`");
        return HAUL_CORRUPT;
    }
    return HAUL_OK;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void free_key(struct haul_slice *key)
{
    free((void *)(uintptr_t)key->data);
    *key = (struct haul_slice){NULL, 0};
}

static bool copy_key(struct haul_slice key, struct haul_slice *copy)
{
    free_key(copy);
    uint8_t *memory = malloc(key.size + 1);
    if (memory != NULL && key.size > 0) {
        memcpy(memory, key.data, key.size);
    }
    *copy = (struct haul_slice){memory, memory == NULL ? 0 : key.size};
    return memory != NULL;
}

static void begin_family(struct manifest_reader *reader, const char *name)
{
    (void)snprintf(reader->family, sizeof(reader->family), "%s", name);
    free_key(&reader->last_key);
    reader->in_step = false;
    for (size_t i = 0; i < reader->family_count; i++) {
        if (strcmp(reader->families[i].name, name) == 0) {
            reader->in_step = fseek(reader->file, reader->families[i].place, SEEK_SET) == 0;
        }
    }
}

/* Whether the next line is the same piece. */
static bool is_same(struct manifest_reader *reader, const struct haul_verify_piece *piece)
{
    uint64_t records = 0;
    char digest[sizeof(piece->digest)] = "";
    struct haul_slice key = {NULL, 0};
    int used = 0;
    bool read = next_line(reader) &&
                sscanf(reader->line, "piece %" SCNu64 " %32s %n", &records, digest, &used) == 2;
    bool same = read && used > 0 &&
                take_hex(reader->line + used, strcspn(reader->line + used, "\n"), &key) &&
                records == piece->records && strcmp(digest, piece->digest) == 0 &&
                key.size == piece->last_key.size &&
                (key.size == 0 || memcmp(key.data, piece->last_key.data, key.size) == 0);
    free_key(&key);
    return same;
}

enum haul_status manifest_compare(struct manifest_reader *reader,
                                  const struct haul_verify_piece *piece, struct haul_error *error)
{
    bool kept = true;
    if (strcmp(reader->family, piece->family) != 0) {
        begin_family(reader, piece->family);
    }
    if (!reader->in_step) {
        return HAUL_OK; /* after its first difference, or not in the manifest */
    }
    reader->in_step = is_same(reader, piece);
    if (!reader->in_step && !reader->differs) {
        reader->differs = true;
        (void)snprintf(reader->first_family, sizeof(reader->first_family), "%s", piece->family);
        kept = copy_key(reader->last_key, &reader->between.start) &&
               copy_key(piece->last_key, &reader->between.end);
    } else {
        kept = copy_key(piece->last_key, &reader->last_key);
    }
    return kept ? HAUL_OK
                : haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
}

void manifest_close(struct manifest_reader *reader)
{
    if (reader->file != NULL) {
        (void)fclose(reader->file);
    }
    free(reader->line);
    for (size_t i = 0; i < reader->selected.count; i++) {
        free((void *)(uintptr_t)reader->selected.names[i]);
    }
    for (size_t i = 0; i < reader->ranges.count; i++) {
        free_key(&reader->ranges.ranges[i].start);
        free_key(&reader->ranges.ranges[i].end);
    }
    free(reader->ranges.ranges);
    free_key(&reader->between.start);
    free_key(&reader->between.end);
    free_key(&reader->last_key);
}
