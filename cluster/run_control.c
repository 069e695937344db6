/* SPDX-License-Identifier: Apache-2.0 */
/* run_control.c — the file is small, and replaced by rename: a reader sees the old one or the new
 * one. */
#include "run_control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, FILE_BYTES_MAX = 4096, MODE = 0600 };

static const char *const order_names[] = {"run", "pause", "abort"};

const char *run_order_name(enum run_order order)
{
    return order_names[order];
}

static enum haul_status path_of(const char *plan, const char *ending, char path[PATH_BYTES],
                                struct haul_error *error)
{
    int size = snprintf(path, PATH_BYTES, "%s%s", plan, ending);
    return size > 0 && size < PATH_BYTES
               ? HAUL_OK
               : haul_error_set(error, HAUL_INVALID, NULL, 0, "the path of the plan is too long");
}

static enum haul_status fail(struct haul_error *error, const char *call, const char *what,
                             const char *path)
{
    int code = errno;
    enum haul_status status = code == ENOENT                     ? HAUL_NOT_FOUND
                              : code == ENOSPC || code == EDQUOT ? HAUL_NO_SPACE
                                                                 : HAUL_IO;
    return haul_error_set(error, status, call, code, "cannot %s %s", what, path);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool take_rate(const json_t *file, const char *name, uint64_t *rate_mb)
{
    const json_t *value = json_object_get(file, name);
    *rate_mb = json_is_integer(value) && json_integer_value(value) > 0
                   ? (uint64_t)json_integer_value(value)
                   : 0;
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* A file without it has none. */
static bool take_controller(const json_t *file, char url[RUN_CONTROL_URL_BYTES_MAX])
{
    const json_t *value = json_object_get(file, "controller");
    const char *text = value == NULL ? "" : json_string_value(value);
    url[0] = '\0';
    if (text == NULL || strlen(text) >= RUN_CONTROL_URL_BYTES_MAX) {
        return false;
    }
    memcpy(url, text, strlen(text) + 1);
    return true;
}

static bool decode(const json_t *file, struct run_control *control)
{
    const char *order = json_string_value(json_object_get(file, "order"));
    const json_t *limits = json_object_get(file, "limits");
    bool known = false;
    for (size_t i = 0; order != NULL && i < sizeof(order_names) / sizeof(order_names[0]); i++) {
        if (strcmp(order, order_names[i]) == 0) {
            control->order = (enum run_order)i;
            known = true;
        }
    }
    control->limits = json_is_true(limits);
    return known && json_is_boolean(limits) && take_rate(file, "node_mb", &control->node_mb) &&
           take_rate(file, "total_mb", &control->total_mb) &&
           take_controller(file, control->controller);
}

enum haul_status run_control_read(const char *plan, struct run_control *control,
                                  struct haul_error *error)
{
    char path[PATH_BYTES];
    char text[FILE_BYTES_MAX];
    json_error_t ignored;
    struct run_control found = {.order = RUN_ORDER_RUN};
    enum haul_status status = path_of(plan, ".control", path, error);
    if (status != HAUL_OK) {
        return status;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *control = found;
        return HAUL_OK;
    }
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (size < 0) {
        status = fail(error, "read", "read", path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (status != HAUL_OK) {
        return status;
    }
    json_t *file = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES, &ignored);
    bool ok = file != NULL && decode(file, &found);
    json_decref(file);
    if (!ok) {
        haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is no file of 'haul cluster'", path);
        haul_error_hint(error, "remove it; then pause, abort or limits have to be given again");
        return HAUL_CORRUPT;
    }
    *control = found;
    return HAUL_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum haul_status write_file(const char *path, const char *beside, const char *text,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (fd < 0) {
        return fail(error, "open", "write", path);
    }
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) != 0) {
        status = fail(error, "write", "write", path);
    }
    if (close(fd) != 0 && status == HAUL_OK) {
        status = fail(error, "close", "write", path);
    }
    if (status == HAUL_OK && rename(beside, path) != 0) {
        status = fail(error, "rename", "write", path);
    }
    if (status != HAUL_OK) {
        (void)unlink(beside);
    }
    return status;
}

enum haul_status run_control_write(const char *plan, const struct run_control *control,
                                   struct haul_error *error)
{
    char path[PATH_BYTES];
    char beside[PATH_BYTES];
    char ending[40];
    (void)snprintf(ending, sizeof(ending), ".control.%ld", (long)getpid());
    enum haul_status status = path_of(plan, ".control", path, error);
    if (status == HAUL_OK) {
        status = path_of(plan, ending, beside, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    json_t *file =
        json_pack("{s:s, s:b, s:I, s:I, s:s}", "order", order_names[control->order], "limits",
                  (int)control->limits, "node_mb", (json_int_t)control->node_mb, "total_mb",
                  (json_int_t)control->total_mb, "controller", control->controller);
    char *text = file == NULL ? NULL : json_dumps(file, JSON_INDENT(1));
    json_decref(file);
    status = text == NULL ? haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for %s", path)
                          : write_file(path, beside, text, error);
    free(text);
    return status;
}

/* --- the lock --------------------------------------------------------------------------------- */

enum haul_status run_control_lock(const char *plan, int *fd, struct haul_error *error)
{
    int opened = open(plan, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        return fail(error, "open", "read", plan);
    }
    if (flock(opened, LOCK_EX | LOCK_NB) == 0) {
        *fd = opened;
        return HAUL_OK;
    }
    enum haul_status status = HAUL_BUSY;
    if (errno == EWOULDBLOCK) {
        haul_error_set(error, HAUL_BUSY, NULL, 0, "another process runs %s", plan);
        haul_error_hint(error, "haul cluster status, pause and abort reach it");
    } else {
        status = fail(error, "flock", "lock", plan);
    }
    (void)close(opened);
    return status;
}

bool run_control_is_locked(const char *plan)
{
    struct haul_error error;
    int fd = -1;
    enum haul_status status = run_control_lock(plan, &fd, &error);
    if (status == HAUL_OK) {
        (void)close(fd);
    }
    return status == HAUL_BUSY;
}
