/* SPDX-License-Identifier: Apache-2.0 */
/* key_file.c — reads files of keys, and writes them so that no reader ever sees a part.
 *
 * A new file is written beside its place and linked there, which fails if the name is taken; a
 * changed one is renamed over the old. Bytes of keys leave every buffer as soon as they are
 * used. */
#include "haul/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable_file.h"
#include "key_ring.h"
#include "key_text.h"
#include "private_file.h"
#include "vector_registers.h"

enum { PATH_BYTES = DURABLE_FILE_PATH_BYTES_MAX, MODE = 0600 };

struct key_list {
    struct haul_key keys[HAUL_KEYS_MAX];
    size_t count;
};

static enum haul_status fail(struct haul_error *error, const char *call, const char *what,
                             const char *path)
{
    int code = errno;
    enum haul_status status = code == EEXIST ? HAUL_EXISTS : durable_file_status(code);
    return haul_error_set(error, status, call, code, "cannot %s %s", what, path);
}

static void wipe(struct key_list *list)
{
    explicit_bzero(list, sizeof(*list));
    vector_registers_wipe();
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum haul_status read_text(int fd, const char *path, struct key_list *list,
                                  struct haul_error *error)
{
    char text[KEY_TEXT_BYTES_MAX + 1];
    ssize_t size = pread(fd, text, sizeof(text), 0);
    if (size < 0) {
        return fail(error, "pread", "read", path);
    }
    enum haul_status status = key_text_read(text, (size_t)size, list->keys, &list->count);
    explicit_bzero(text, sizeof(text));
    if (status == HAUL_VERSION) {
        return haul_error_set(error, status, NULL, 0, "%s has keys in a newer format", path);
    }
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "%s is damaged or edited, or no file of keys", path);
        haul_error_hint(error,
                        "copy it again from where it was made, or make one: haul keygen FILE");
    }
    return status;
}

/* The list is the caller's to wipe, also on error. */
static enum haul_status read_list(const char *path, struct key_list *list, struct haul_error *error)
{
    memset(list, 0, sizeof(*list));
    int fd = -1;
    enum haul_status status = private_file_open(path, &fd, error);
    if (status == HAUL_OK) {
        status = read_text(fd, path, list, error);
        (void)close(fd);
    }
    return status;
}

enum haul_status haul_keys_load(const char *path, struct haul_keys **keys, struct haul_error *error)
{
    *keys = NULL;
    struct key_list list;
    enum haul_status status = read_list(path, &list, error);
    if (status == HAUL_OK) {
        status = haul_keys_create(list.keys, list.count, keys, error);
    }
    wipe(&list);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum haul_status make_key(const char *id, struct haul_key *key, struct haul_error *error)
{
    uint32_t number = 0;
    memset(key, 0, sizeof(*key));
    bool ok = getrandom(key->secret, sizeof(key->secret), 0) == (ssize_t)sizeof(key->secret) &&
              getrandom(&number, sizeof(number), 0) == (ssize_t)sizeof(number);
    if (!ok) {
        return haul_error_set(error, HAUL_IO, "getrandom", errno, "no random bytes");
    }
    if (id == NULL) {
        (void)snprintf(key->id, sizeof(key->id), "%08x", number);
    } else if (strlen(id) < sizeof(key->id)) {
        memcpy(key->id, id, strlen(id));
    }
    return key_id_is_valid(key->id)
               ? HAUL_OK
               : haul_error_set(error, HAUL_INVALID, NULL, 0,
                                "an id has 1 to %d letters, digits, '-', '_' or '.'",
                                HAUL_KEY_ID_BYTES_MAX - 1);
}

/* The directory of `path`, as a path. */
static enum haul_status directory_of(const char *path, char directory[PATH_BYTES],
                                     struct haul_error *error)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (strlen(path) + sizeof(".XXXXXX") > PATH_BYTES) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the path of the key file is too long");
    }
    if (slash == NULL) {
        (void)snprintf(directory, PATH_BYTES, ".");
    } else {
        (void)snprintf(directory, PATH_BYTES, "%.*s", length == 0 ? 1 : (int)length, path);
    }
    return HAUL_OK;
}

/* Write the list into a new file beside `path`; its name into `beside`. */
static enum haul_status write_beside(const char *path, const struct key_list *list,
                                     char beside[PATH_BYTES], struct haul_error *error)
{
    (void)snprintf(beside, PATH_BYTES, "%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC); /* O_EXCL, 0600 */
    if (fd < 0) {
        return fail(error, "mkostemp", "write", path);
    }
    char text[KEY_TEXT_BYTES_MAX];
    size_t size = key_text_write(list->keys, list->count, text);
    enum haul_status status = HAUL_OK;
    if (fchmod(fd, MODE) != 0 || write(fd, text, size) != (ssize_t)size || fsync(fd) != 0) {
        status = fail(error, "write", "write", beside);
    }
    explicit_bzero(text, sizeof(text));
    (void)close(fd);
    if (status != HAUL_OK) {
        (void)unlink(beside);
    }
    return status;
}

/* `is_new`: the name must be free. */
static enum haul_status write_list(const char *path, const struct key_list *list, bool is_new,
                                   struct haul_error *error)
{
    char directory[PATH_BYTES];
    char beside[PATH_BYTES];
    enum haul_status status = directory_of(path, directory, error);
    if (status == HAUL_OK) {
        status = write_beside(path, list, beside, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (is_new ? link(beside, path) != 0 : rename(beside, path) != 0) {
        status = fail(error, is_new ? "link" : "rename", "make", path);
        struct stat found;
        if (status == HAUL_EXISTS && lstat(path, &found) == 0 && !S_ISREG(found.st_mode) &&
            !S_ISLNK(found.st_mode)) {
            status = private_file_fail(path, "link", EISDIR, error);
        } else if (status == HAUL_EXISTS) {
            haul_error_set(error, status, NULL, 0, "%s exists", path);
            haul_error_hint(error, "haul keygen --rotate adds a new key to it");
        }
    }
    if (is_new || status != HAUL_OK) {
        (void)unlink(beside);
    }
    return status == HAUL_OK ? durable_file_sync_directory(&file_calls_system, directory, error)
                             : status;
}

enum haul_status haul_key_file_make(const char *path, const char *id, struct haul_error *error)
{
    struct key_list list = {.count = 1};
    enum haul_status status = make_key(id, &list.keys[0], error);
    if (status == HAUL_OK) {
        status = write_list(path, &list, true, error);
    }
    wipe(&list);
    return status;
}

enum haul_status haul_key_file_rotate(const char *path, const char *id, struct haul_error *error)
{
    struct key_list list;
    enum haul_status status = read_list(path, &list, error);
    if (status == HAUL_OK && list.count == HAUL_KEYS_MAX) {
        haul_error_set(error, HAUL_EXISTS, NULL, 0, "%s has two keys already", path);
        haul_error_hint(error, "when every host has this file: haul keygen --retire");
        status = HAUL_EXISTS;
    }
    if (status == HAUL_OK) {
        list.keys[1] = list.keys[0];
        list.count = 2;
        status = make_key(id, &list.keys[0], error);
    }
    if (status == HAUL_OK && strcmp(list.keys[0].id, list.keys[1].id) == 0) {
        status = haul_error_set(error, HAUL_INVALID, NULL, 0, "the present key has the id %s", id);
    }
    if (status == HAUL_OK) {
        status = write_list(path, &list, false, error);
    }
    wipe(&list);
    return status;
}

enum haul_status haul_key_file_retire(const char *path, struct haul_error *error)
{
    struct key_list list;
    enum haul_status status = read_list(path, &list, error);
    if (status == HAUL_OK && list.count < HAUL_KEYS_MAX) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "%s has one key only", path);
    }
    if (status == HAUL_OK) {
        list.count = 1;
        status = write_list(path, &list, false, error);
    }
    wipe(&list);
    return status;
}
