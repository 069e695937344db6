/* SPDX-License-Identifier: Apache-2.0 */
/* log_links.c — creates second names of log files, and the list of them: one name a line, after
 * ARCHIVE_LINE if haul created the archive directory. */
#include "log_links.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable_file.h"
#include "log_look.h"
#include "plain_file.h"

enum { PATH_BYTES_MAX = 4096 + 300 };

#define ARCHIVE_LINE "archive"

struct place {
    char archive[PATH_BYTES_MAX];
    char folder[PATH_BYTES_MAX]; /* haul/ */
    char list[PATH_BYTES_MAX];
};

static struct place place_of(const char *directory, const char *wal_dir)
{
    struct place place;
    (void)snprintf(place.archive, sizeof(place.archive), "%s/archive", wal_dir);
    (void)snprintf(place.folder, sizeof(place.folder), "%s/haul", directory);
    (void)snprintf(place.list, sizeof(place.list), "%s/haul/log-links", directory);
    return place;
}

static enum haul_status failed(const char *call, const char *name, struct haul_error *error)
{
    return haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, call, errno,
                          "cannot keep the log: %s", name);
}

/* --- the list --------------------------------------------------------------------------------- */

static bool is_listed(const char *list, const char *name)
{
    FILE *file = plain_file_read(list);
    char line[300];
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = strcmp(line, name) == 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

/* The line is durable before its name is created. */
static enum haul_status add_line(int list_fd, const char *list, const char *name,
                                 struct haul_error *error)
{
    if (is_listed(list, name)) {
        return HAUL_OK;
    }
    int length = (int)strlen(name);
    return dprintf(list_fd, "%s\n", name) == length + 1 ? HAUL_OK : failed("write", list, error);
}

/* --- making ----------------------------------------------------------------------------------- */

/* Hard links are impossible here: the file system lacks them, or the system forbids them. */
static bool is_no_link_error(int code)
{
    return code == EPERM || code == EOPNOTSUPP || code == ENOSYS || code == EXDEV ||
           code == EMLINK || code == EACCES;
}

/* Handle each log file whose name is free in the archive. `link` false: only write the list. */
static enum haul_status walk_logs(const struct place *place, const char *wal_dir, int list_fd,
                                  bool link_them, struct haul_error *error)
{
    DIR *directory = opendir(wal_dir);
    if (directory == NULL) {
        return failed("opendir", wal_dir, error);
    }
    enum haul_status status = HAUL_OK;
    const struct dirent *entry;
    while (status == HAUL_OK && (entry = readdir(directory)) != NULL) {
        char name[PATH_BYTES_MAX + sizeof(entry->d_name) + 1];
        (void)snprintf(name, sizeof(name), "%s/%s", place->archive, entry->d_name);
        if (!log_look_is_log(entry->d_name) || access(name, F_OK) == 0) {
            continue; /* linked before, or archived by the database's owner */
        }
        if (!link_them) {
            status = add_line(list_fd, place->list, entry->d_name, error);
        } else if (linkat(dirfd(directory), entry->d_name, AT_FDCWD, name, 0) != 0 &&
                   errno != EEXIST && errno != ENOENT) {
            status = is_no_link_error(errno) ? HAUL_UNSUPPORTED : HAUL_IO;
            haul_error_set(error, status, "link", errno, "cannot keep the log file %s",
                           entry->d_name);
        }
    }
    (void)closedir(directory);
    return status;
}

/* Errors: UNSUPPORTED (no hard links), IO, NO_SPACE. */
static enum haul_status make_links(const struct place *place, const char *wal_dir, int list_fd,
                                   struct haul_error *error)
{
    bool has_archive = access(place->archive, F_OK) == 0;
    enum haul_status status =
        has_archive ? HAUL_OK : add_line(list_fd, place->list, ARCHIVE_LINE, error);
    if (status == HAUL_OK) {
        status = walk_logs(place, wal_dir, list_fd, false, error);
    }
    if (status == HAUL_OK && fsync(list_fd) != 0) {
        status = failed("fsync", place->list, error);
    }
    if (status == HAUL_OK && !has_archive && mkdir(place->archive, 0755) != 0) {
        status = failed("mkdir", place->archive, error);
    }
    return status == HAUL_OK ? walk_logs(place, wal_dir, list_fd, true, error) : status;
}

/* Remove the names in the list from byte `from` on. */
static void undo(const struct place *place, off_t from)
{
    FILE *list = plain_file_read(place->list);
    if (list == NULL || fseeko(list, from, SEEK_SET) != 0) {
        if (list != NULL) {
            (void)fclose(list);
        }
        return;
    }
    char line[300];
    bool made_archive = false;
    while (fgets(line, sizeof(line), list) != NULL) {
        char name[PATH_BYTES_MAX + sizeof(line) + 1];
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(name, sizeof(name), "%s/%s", place->archive, line);
        made_archive = made_archive || strcmp(line, ARCHIVE_LINE) == 0;
        if (log_look_is_log(line)) {
            (void)unlink(name);
        }
    }
    (void)fclose(list);
    if (made_archive) {
        (void)rmdir(place->archive); /* fails when it holds anything else */
    }
}

/* The list is durable before any link exists. */
static enum haul_status sync_folder(const struct place *place, struct haul_error *error)
{
    return durable_file_sync_directory(&file_calls_system, place->folder, error);
}

enum haul_status log_links_make(const char *directory, const char *wal_dir,
                                const struct haul_log *log, struct haul_error *error)
{
    struct place place = place_of(directory, wal_dir);
    if (plain_file_make_directory(place.folder, 0700) != 0 && errno != EEXIST) {
        return failed("mkdir", place.folder, error);
    }
    int list_fd = plain_file_open(place.list, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (list_fd < 0) {
        return failed("open", place.list, error);
    }
    const off_t before = lseek(list_fd, 0, SEEK_END);
    enum haul_status status = before < 0 ? failed("lseek", place.list, error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = sync_folder(&place, error);
    }
    if (status == HAUL_OK) {
        status = make_links(&place, wal_dir, list_fd, error);
    }
    if (status != HAUL_OK && before != 0) { /* files kept before belong to an interrupted job */
        undo(&place, before);
        (void)!ftruncate(list_fd, before);
    } else if (status != HAUL_OK) {
        log_links_drop(directory, wal_dir, false);
    }
    (void)close(list_fd);
    if (status == HAUL_UNSUPPORTED) {
        haul_log(log, HAUL_LOG_WARNING,
                 "cannot create hard links in %s: an interrupted job starts its copy again",
                 wal_dir);
        return HAUL_OK;
    }
    return status;
}

/* --- dropping --------------------------------------------------------------------------------- */

void log_links_drop(const char *directory, const char *wal_dir, bool forget)
{
    struct place place = place_of(directory, wal_dir);
    if (!forget) {
        undo(&place, 0);
    }
    (void)unlink(place.list);
    (void)rmdir(place.folder); /* fails likewise */
}

bool log_links_exist(const char *directory)
{
    struct place place = place_of(directory, directory);
    return access(place.list, F_OK) == 0;
}
