/* SPDX-License-Identifier: Apache-2.0 */
/* store_look.c — examines a database by its files. */
#include "store_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "plain_file.h"

enum {
    TABLES_LOOKED_AT_MAX = 512, /* the newest, which a later release would have written */
    FOOTER_TAIL_BYTES = 12,     /* u32 format version | u64 magic number */
    SUMMARY_BYTES_MAX = 64 << 10,
};

#define MAGIC_BLOCK_BASED UINT64_C(0x88e241b785f4cff7)
#define MAGIC_LEVELDB UINT64_C(0xdb4775248b80fb57)
#define MAGIC_PLAIN UINT64_C(0x8242229663bf9564)
#define MAGIC_PLAIN_OLD UINT64_C(0x4f3418eb7a8f13b8)
#define MAGIC_CUCKOO UINT64_C(0x926789d0c5f17873)

/* --- paths ------------------------------------------------------------------------------------ */

static bool exists(const char *directory, const char *name)
{
    char path[STORED_PATH_BYTES_MAX + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static bool is_directory(const char *directory, const char *name)
{
    char path[STORED_PATH_BYTES_MAX + 64];
    struct stat found;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static bool has_log_files(const char *directory)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    bool found = false;
    while (entries != NULL && !found && (entry = readdir(entries)) != NULL) {
        found = log_look_is_log(entry->d_name);
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return found;
}

/* Is `path` the directory, or below it? Also false when one of them does not exist. */
static bool is_within(const char *directory, const char *path)
{
    char real_directory[PATH_MAX];
    char real_path[PATH_MAX];
    if (realpath(directory, real_directory) == NULL || realpath(path, real_path) == NULL) {
        return false;
    }
    size_t size = strlen(real_directory);
    return strncmp(real_path, real_directory, size) == 0 &&
           (real_path[size] == '\0' || real_path[size] == '/');
}

static bool is_same_place(const char *a, const char *b)
{
    return is_within(a, b) && is_within(b, a);
}

/* --- the summary in the database's LOG -------------------------------------------------------- */

/* What RocksDB logged at the last open, unless it logs only warnings. */
struct summary {
    bool found;
    char directory[STORED_PATH_BYTES_MAX];
    char other_path[STORED_PATH_BYTES_MAX];
    char wal_dir[STORED_PATH_BYTES_MAX];
};

/* "...SST files in PATH dir, Total Num..." */
static bool take_between(const char *line, const char *before, const char *behind, char *text,
                         size_t text_size_bytes)
{
    const char *begin = strstr(line, before);
    const char *end = begin == NULL ? NULL : strstr(begin + strlen(before), behind);
    if (end == NULL) {
        return false;
    }
    begin += strlen(before);
    int length = snprintf(text, text_size_bytes, "%.*s", (int)(end - begin), begin);
    return length >= 0 && (size_t)length < text_size_bytes;
}

static void take_summary_line(struct summary *summary, const char *line)
{
    char path[STORED_PATH_BYTES_MAX];
    if (take_between(line, "SST files in ", " dir, Total Num", path, sizeof(path))) {
        char *to = summary->found ? summary->other_path : summary->directory;
        (void)snprintf(to, STORED_PATH_BYTES_MAX, "%s", path);
        summary->found = true;
    } else if (!take_between(line, "Write Ahead Log file in ", ": ", summary->wal_dir,
                             sizeof(summary->wal_dir))) {
        /* For a log directory that did not exist yet. */
        (void)take_between(line, " Options.wal_dir: ", "\n", summary->wal_dir,
                           sizeof(summary->wal_dir));
    }
}

static void read_summary(const char *path, struct summary *summary)
{
    FILE *file = plain_file_read(path);
    char *line = NULL;
    size_t capacity = 0;
    size_t read = 0;
    ssize_t size;
    memset(summary, 0, sizeof(*summary));
    while (file != NULL && read < SUMMARY_BYTES_MAX &&
           (size = getline(&line, &capacity, file)) >= 0) {
        read += (size_t)size;
        take_summary_line(summary, line);
    }
    free(line);
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* Read it from the newest file that has one: LOG, then LOG.old.NUMBER. */
static void find_summary(const char *directory, struct summary *summary)
{
    char path[STORED_PATH_BYTES_MAX + 512];
    (void)snprintf(path, sizeof(path), "%s/LOG", directory);
    read_summary(path, summary);
    DIR *entries = summary->found ? NULL : opendir(directory);
    const struct dirent *entry;
    uint64_t newest = 0;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        uint64_t number = 0;
        struct summary older;
        if (sscanf(entry->d_name, "LOG.old.%" SCNu64, &number) != 1 || number < newest) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        read_summary(path, &older);
        if (older.found) {
            newest = number;
            *summary = older;
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

/* --- where the log lies ----------------------------------------------------------------------- */

/* Does the directory that OPTIONS names belong to this database? A checkpoint, a backup and a copy
 * name the log directory of their original, and no lock protects that one. */
static enum wal_place place_of(const struct store_look *look, const struct summary *summary)
{
    const char *named = look->options.wal_dir;
    bool has_logs = has_log_files(look->directory);
    if (named[0] == '\0' || is_same_place(look->directory, named)) {
        return WAL_HERE;
    }
    if (is_within(look->directory, named)) {
        return WAL_ELSEWHERE;
    }
    if (!look->has_identity && !look->options.writes_no_identity) {
        return WAL_HERE; /* it was never opened here, so it has no log elsewhere */
    }
    if (access(named, F_OK) != 0 || exists(named, "CURRENT")) {
        /* Early releases store the database's own directory: it was moved here. */
        return has_logs ? WAL_HERE : WAL_UNSURE;
    }
    bool noted = summary->found && is_same_place(look->directory, summary->directory) &&
                 is_same_place(named, summary->wal_dir);
    return noted && !has_logs ? WAL_ELSEWHERE : WAL_UNSURE;
}

static void find_wal(struct store_look *look, const struct summary *summary, const char *given)
{
    look->wal_place = given == NULL                           ? place_of(look, summary)
                      : is_same_place(look->directory, given) ? WAL_HERE
                                                              : WAL_ELSEWHERE;
    const char *elsewhere = given == NULL ? look->options.wal_dir : given;
    (void)snprintf(look->wal_dir, sizeof(look->wal_dir), "%s",
                   look->wal_place == WAL_HERE ? look->directory : elsewhere);
}

static void find_other_path(struct store_look *look, const struct summary *summary)
{
    for (size_t i = 0; i < look->manifest.table_count; i++) {
        if (look->manifest.tables[i].path_id > 0) {
            (void)snprintf(look->other_path, sizeof(look->other_path), "(of path %u)",
                           look->manifest.tables[i].path_id);
        }
    }
    if (summary->other_path[0] != '\0') {
        (void)snprintf(look->other_path, sizeof(look->other_path), "%s", summary->other_path);
    }
}

/* --- table files ------------------------------------------------------------------------------ */

static bool open_table(const char *directory, uint64_t number, int *fd)
{
    char path[STORED_PATH_BYTES_MAX + 32];
    (void)snprintf(path, sizeof(path), "%s/%06" PRIu64 ".sst", directory, number);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT) {
        (void)snprintf(path, sizeof(path), "%s/%06" PRIu64 ".ldb", directory, number);
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    return *fd >= 0 || errno != ENOENT;
}

static enum table_kind kind_of(uint64_t magic)
{
    switch (magic) {
    case MAGIC_BLOCK_BASED:
    case MAGIC_LEVELDB:
        return TABLE_BLOCK_BASED;
    case MAGIC_PLAIN:
    case MAGIC_PLAIN_OLD:
        return TABLE_PLAIN;
    case MAGIC_CUCKOO:
        return TABLE_CUCKOO;
    default:
        return TABLE_UNKNOWN;
    }
}

static void look_at_table(struct store_look *look, const struct manifest_file *file, int fd)
{
    uint8_t tail[FOOTER_TAIL_BYTES];
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || (uint64_t)size < file->size_bytes) {
        look->cut_table = file->number;
        return;
    }
    if (size < FOOTER_TAIL_BYTES ||
        pread(fd, tail, sizeof(tail), size - FOOTER_TAIL_BYTES) != FOOTER_TAIL_BYTES) {
        return; /* damaged: RocksDB's own error names the file */
    }
    uint64_t magic = get_u64(tail + 4);
    enum table_kind kind = kind_of(magic);
    if (kind != TABLE_BLOCK_BASED) {
        look->foreign_tables = kind;
    } else if (magic == MAGIC_BLOCK_BASED) {
        uint32_t version = get_u32(tail);
        look->table_format_max =
            version > look->table_format_max ? version : look->table_format_max;
    }
}

static int compare_newest_first(const void *a, const void *b)
{
    uint64_t left = ((const struct manifest_file *)a)->number;
    uint64_t right = ((const struct manifest_file *)b)->number;
    return left > right ? -1 : left < right;
}

static void look_at_tables(struct store_look *look)
{
    struct manifest *manifest = &look->manifest;
    if (manifest->table_count > 0) {
        qsort(manifest->tables, manifest->table_count, sizeof(*manifest->tables),
              compare_newest_first);
    }
    for (size_t i = 0; i < manifest->table_count && i < TABLES_LOOKED_AT_MAX; i++) {
        int fd = -1;
        if (!open_table(look->directory, manifest->tables[i].number, &fd)) {
            look->missing_table = manifest->tables[i].number;
        }
        if (fd >= 0) {
            look_at_table(look, &manifest->tables[i], fd);
            (void)close(fd);
        }
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

/* A LevelDB database has neither of the files that RocksDB adds, and names no column family. */
static bool looks_like_leveldb(const struct store_look *look)
{
    return !look->has_identity && look->options.path[0] == '\0' &&
           !look->manifest.has_rocksdb_fields;
}

/* The first file that RocksDB replays. It reads a file that no family needs, such as that of a
 * dropped family, only for transactions. */
static uint64_t first_log_number(const struct store_look *look)
{
    const struct manifest *manifest = &look->manifest;
    bool is_flushed =
        !look->options.two_phase && manifest->unflushed_log_number > manifest->min_log_number;
    return is_flushed ? manifest->unflushed_log_number : manifest->min_log_number;
}

/* A place that the caller names, not one that the database has recorded. Errors: NOT_FOUND. */
static enum haul_status check_named(const char *wal_dir, struct haul_error *error)
{
    struct stat found;
    if (wal_dir == NULL || (stat(wal_dir, &found) == 0 && S_ISDIR(found.st_mode))) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no directory %s for the log", wal_dir);
    haul_error_hint(error, "check the name (`--wal-dir`); without it the log is looked for in the "
                           "database's directory");
    return HAUL_NOT_FOUND;
}

enum haul_status store_look_open(const struct store_look_options *options, struct store_look *look,
                                 struct haul_error *error)
{
    memset(look, 0, sizeof(*look));
    (void)snprintf(look->directory, sizeof(look->directory), "%s", options->directory);
    enum haul_status status = stored_options_read(look->directory, &look->options, error);
    if (status == HAUL_OK) {
        status = check_named(options->wal_dir, error);
    }
    if (status == HAUL_OK) {
        look->has_identity = exists(look->directory, "IDENTITY");
        look->has_stacked_blobs = is_directory(look->directory, "blob_dir");
        status = manifest_read(look->directory, &look->manifest, look->manifest_path,
                               sizeof(look->manifest_path), error);
    }
    if (status == HAUL_OK) {
        struct summary summary;
        find_summary(look->directory, &summary);
        find_wal(look, &summary, options->wal_dir);
        find_other_path(look, &summary);
        look->is_leveldb = looks_like_leveldb(look);
        look_at_tables(look);
    }
    if (status == HAUL_OK && options->with_log && look->wal_place != WAL_UNSURE) {
        status = log_look(look->wal_dir, first_log_number(look), &look->log, error);
    }
    return status;
}

void store_look_close(struct store_look *look)
{
    stored_options_fini(&look->options);
    manifest_fini(&look->manifest);
}
