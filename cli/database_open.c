/* SPDX-License-Identifier: Apache-2.0 */
/* database_open.c — file system identity, and the holder of RocksDB's lock. */
#include "database_open.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell_word.h"

enum { PATH_BYTES_MAX = 4096, PROCESS_NAME_BYTES_MAX = 64 };

/* Both calls return the previous identity; an invalid one changes nothing. */
static bool act_as(uid_t user, gid_t group)
{
    (void)setfsgid(group);
    (void)setfsuid(user);
    return (uid_t)setfsuid((uid_t)-1) == user;
}

void database_adopt_owner(const char *directory, struct output *output)
{
    struct stat found;
    struct stat again;
    if (geteuid() != 0 || stat(directory, &found) != 0 || found.st_uid == 0) {
        return;
    }
    /* The owner may lack access to a parent directory. */
    if (act_as(found.st_uid, found.st_gid) && stat(directory, &again) == 0) {
        haul_log(&output->log, HAUL_LOG_INFO, "using the files as user %u, the owner of %s",
                 (unsigned)found.st_uid, directory);
        return;
    }
    (void)act_as(0, getegid());
    haul_log(&output->log, HAUL_LOG_WARNING,
             "new files will belong to root: user %u, the owner of %s, cannot access it",
             (unsigned)found.st_uid, directory);
}

/* --- who has it ------------------------------------------------------------------------------- */

/* The process that holds RocksDB's lock; 0: unknown.
 *
 * Closing a file releases all locks that this process holds on it. So call this only for a database
 * that this process could not open. */
static pid_t lock_holder(const char *directory)
{
    char path[PATH_BYTES_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)snprintf(path, sizeof(path), "%s/LOCK", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool locked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0) {
        (void)close(fd);
    }
    return locked && lock.l_pid > 0 ? lock.l_pid : 0;
}

static bool process_name(pid_t process, char name[PROCESS_NAME_BYTES_MAX])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)process);
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(name, PROCESS_NAME_BYTES_MAX, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (read) {
        name[strcspn(name, "\n")] = '\0';
    }
    return read;
}

static void name_holder(const char *directory, struct haul_error *error)
{
    char name[PROCESS_NAME_BYTES_MAX];
    pid_t holder = lock_holder(directory);
    if (holder == 0) {
        return;
    }
    if (!process_name(holder, name)) {
        (void)snprintf(name, sizeof(name), "of another user");
    }
    (void)haul_error_set(error, HAUL_BUSY, NULL, 0,
                         "the database in %s is in use by process %ld (%s)", directory,
                         (long)holder, name);
    if (strcmp(name, "haul") == 0) {
        char word[SHELL_WORD_BYTES_MAX];
        haul_error_hint(error, "`haul status --db %s` shows what it does; wait until it ends",
                        shell_word(directory, "DIR", word, sizeof(word)));
    } else {
        haul_error_hint(error, "stop that program first, or embed libhaul in it");
    }
}

enum haul_status database_check(const char *directory, struct haul_error *error)
{
    static const char *const files[] = {"CURRENT", "haul"};
    char path[PATH_BYTES_MAX];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
        if (access(path, F_OK) == 0 || errno != ENOENT) {
            return HAUL_OK;
        }
    }
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no RocksDB database in %s", directory);
    haul_error_hint(error, "check the directory");
    return HAUL_NOT_FOUND;
}

/* --- the place of a new one ------------------------------------------------------------------- */

/* RocksDB creates only the last directory of a path, and its error for a missing parent is long. */
static enum haul_status check_place(const char *directory, struct haul_error *error)
{
    char parent[PATH_BYTES_MAX];
    struct stat found;
    if (stat(directory, &found) == 0) {
        if (!S_ISDIR(found.st_mode)) {
            haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "%s is not a directory", directory);
            haul_error_hint(error, "give the directory of the database");
            return HAUL_NOT_FOUND;
        }
        return HAUL_OK;
    }
    if (lstat(directory, &found) == 0) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "%s is a symbolic link to no directory",
                       directory);
        haul_error_hint(error, "create the directory that it names first, or remove the link");
        return HAUL_NOT_FOUND;
    }
    size_t size = strlen(directory);
    while (size > 1 && directory[size - 1] == '/') {
        size--;
    }
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)size, directory);
    char *slash = strrchr(parent, '/');
    const char *name = slash == NULL ? parent : slash + 1;
    if (slash != NULL) {
        *slash = '\0';
    }
    const char *where = slash == NULL ? "." : slash == parent ? "/" : parent;
    if (stat(where, &found) == 0 && S_ISDIR(found.st_mode)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no directory %s in which to create %s", where,
                   name);
    haul_error_hint(error, "create it first (mkdir -p)");
    return HAUL_NOT_FOUND;
}

enum haul_status database_open(const char *directory, const struct haul_rocks_options *options,
                               struct haul_store **store, struct output *output,
                               struct haul_error *error)
{
    if (options->create_if_missing) {
        enum haul_status place = check_place(directory, error);
        if (place != HAUL_OK) {
            return place;
        }
    }
    database_adopt_owner(directory, output);
    enum haul_status status = haul_rocks_store_open(directory, options, store, error);
    if (status == HAUL_BUSY) {
        name_holder(directory, error);
    }
    return status;
}

/* --- one that is written meanwhile ------------------------------------------------------------ */

static bool may_be_a_race(enum haul_status status, const char *directory)
{
    bool looks_damaged = status == HAUL_CORRUPT || status == HAUL_STORE || status == HAUL_IO;
    return looks_damaged && lock_holder(directory) != 0;
}

enum haul_status database_open_to_read(const char *directory,
                                       const struct haul_rocks_options *options,
                                       struct haul_store **store, struct haul_error *error)
{
    enum { ATTEMPTS_MAX = 20, SAME_MAX = 3, PAUSE_MS = 20 };
    char before[HAUL_ERROR_TEXT_BYTES_MAX] = "";
    unsigned same = 0;
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        enum haul_status status = haul_rocks_store_open(directory, options, store, error);
        if (!may_be_a_race(status, directory)) {
            return status;
        }
        same = strcmp(error->text, before) == 0 ? same + 1 : 1;
        if (same == SAME_MAX) {
            return status; /* the same error again and again is not a race */
        }
        (void)snprintf(before, sizeof(before), "%s", error->text);
        (void)poll(NULL, 0, PAUSE_MS);
    }
    (void)haul_error_set(error, HAUL_BUSY, NULL, 0,
                         "the files of %s change faster than they can be opened", directory);
    name_holder(directory, error);
    haul_error_hint(error, "run it again when there are fewer writes, or on a checkpoint");
    return HAUL_BUSY;
}
