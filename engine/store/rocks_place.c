/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_place.c — checks that the path still names the directory that was opened. It may come to
 * name another one when a symbolic link is switched or a directory is moved or mounted over. Links
 * are followed once, at the open; the rest is noticed by comparing the path with the opened
 * directory. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_version.h"
#include "rocks_store.h"

/* Is any part of the path a symbolic link? */
static bool has_link(const char *path)
{
    char part[ROCKS_PATH_BYTES_MAX];
    size_t size = strlen(path);
    bool found = false;
    for (size_t end = 1; end <= size && size < sizeof(part) && !found; end++) {
        if (path[end] == '/' || path[end] == '\0') {
            struct stat look;
            memcpy(part, path, end);
            part[end] = '\0';
            found = lstat(part, &look) == 0 && S_ISLNK(look.st_mode);
        }
    }
    return found;
}

/* Resolve the path. A result that is too long for haul is not used, and a path without links stays
 * as given, so that messages show it that way. */
void rocks_place_follow(struct rocks_store *store)
{
    char *real = has_link(store->path) ? realpath(store->path, NULL) : NULL;
    if (real != NULL && strlen(real) < HAUL_DIRECTORY_BYTES_MAX) {
        free(store->path);
        store->path = real;
    } else {
        free(real);
    }
}

/* The descriptor keeps the inode number from being given to another directory. */
void rocks_place_note(struct rocks_store *store)
{
    if (store->place_fd < 0) {
        store->place_fd = open(store->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
}

enum haul_status rocks_place_check(struct haul_store *base, struct haul_error *error)
{
    const struct rocks_store *store = rocks_of(base);
    struct stat opened;
    struct stat now;
    if (store->place_fd < 0 || fstat(store->place_fd, &opened) != 0) {
        return HAUL_OK;
    }
    bool there = stat(store->path, &now) == 0;
    int code = there ? 0 : errno;
    if (there && opened.st_dev == now.st_dev && opened.st_ino == now.st_ino) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_NOT_FOUND, there ? NULL : "stat", code,
                   "%s is no longer the directory of the database that was opened", store->path);
    haul_error_hint(error, "it was moved or mounted over while haul ran: put it back, or run haul "
                           "again on the directory where the database is now");
    return HAUL_NOT_FOUND;
}
