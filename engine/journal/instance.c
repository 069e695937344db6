/* SPDX-License-Identifier: Apache-2.0 */
/* instance.c — the file that binds haul's folder to its database.
 *   a change: open "instance.tmp" -> lock -> look again -> write -> fsync -> rename -> fsync folder
 *
 * The lock is on the temporary file: while it has its name nobody else changes the instance. */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "durable_file.h"
#include "haul_folder.h"
#include "journal_directory.h"
#include "manifest_progress.h"
#include "planted_bug.h"

static const char instance_magic[8] = {'H', 'A', 'U', 'L', 'I', 'N', 'S', 'T'};

/* Offsets in the file. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_ID = 16,
    AT_FOLDER_INODE = 24,
    AT_FOLDER_BIRTH = 32,
    AT_FILE_INODE = 40,
    AT_FILE_BIRTH = 48,
    AT_SEQUENCE = 56,
    AT_IDENTITY = 64,
    AT_MANIFEST = 128,
    AT_MANIFEST_BYTES = 136,
    AT_CRC = 144,
};

_Static_assert(AT_IDENTITY + HAUL_IDENTITY_BYTES_MAX == AT_MANIFEST, "the identity fits");
_Static_assert(AT_CRC + 4 == INSTANCE_FILE_BYTES, "the checksum ends the file");

enum {
    PATH_BYTES_MAX = 1024,
    /* "/", 16 digits and NUL after it fill the name. */
    IDENTITY_DIGITS_MAX = HAUL_IDENTITY_BYTES_MAX - 18,
    LOCK_WAIT_MS = 2000,
    LOCK_PAUSE_MS = 10,
};

struct instance {
    uint64_t id;
    struct file_identity folder;
    struct file_identity file;
    uint64_t sequence;
    struct manifest_progress manifest;
    char identity[HAUL_IDENTITY_BYTES_MAX];
};

static const struct file_calls *calls_of(const struct instance_place *place)
{
    return file_calls_or_system(place->calls);
}

/* --- the bytes -------------------------------------------------------------------------------- */

static void encode(const struct instance *instance, uint8_t bytes[INSTANCE_FILE_BYTES])
{
    memset(bytes, 0, INSTANCE_FILE_BYTES);
    memcpy(bytes + AT_MAGIC, instance_magic, sizeof(instance_magic));
    put_u16(bytes + AT_VERSION, INSTANCE_FORMAT_VERSION);
    put_u64(bytes + AT_ID, instance->id);
    put_u64(bytes + AT_FOLDER_INODE, instance->folder.inode);
    put_u64(bytes + AT_FOLDER_BIRTH, instance->folder.birth_ns);
    put_u64(bytes + AT_FILE_INODE, instance->file.inode);
    put_u64(bytes + AT_FILE_BIRTH, instance->file.birth_ns);
    put_u64(bytes + AT_SEQUENCE, instance->sequence);
    memcpy(bytes + AT_IDENTITY, instance->identity, strlen(instance->identity));
    put_u64(bytes + AT_MANIFEST, instance->manifest.file);
    put_u64(bytes + AT_MANIFEST_BYTES, instance->manifest.bytes);
    put_u32(bytes + AT_CRC, crc32c(bytes, AT_CRC));
}

/* Errors: CORRUPT, VERSION. */
static enum haul_status decode(struct haul_slice bytes, struct instance *instance)
{
    if (bytes.size < AT_ID || memcmp(bytes.data, instance_magic, sizeof(instance_magic)) != 0) {
        return HAUL_CORRUPT;
    }
    if (get_u16(bytes.data + AT_VERSION) > INSTANCE_FORMAT_VERSION) {
        return HAUL_VERSION;
    }
    if (bytes.size != INSTANCE_FILE_BYTES ||
        get_u32(bytes.data + AT_CRC) != crc32c(bytes.data, AT_CRC) ||
        bytes.data[AT_MANIFEST - 1] != 0) {
        return HAUL_CORRUPT;
    }
    instance->id = get_u64(bytes.data + AT_ID);
    instance->folder.inode = get_u64(bytes.data + AT_FOLDER_INODE);
    instance->folder.birth_ns = get_u64(bytes.data + AT_FOLDER_BIRTH);
    instance->file.inode = get_u64(bytes.data + AT_FILE_INODE);
    instance->file.birth_ns = get_u64(bytes.data + AT_FILE_BIRTH);
    instance->sequence = get_u64(bytes.data + AT_SEQUENCE);
    memcpy(instance->identity, bytes.data + AT_IDENTITY, sizeof(instance->identity));
    instance->manifest.file = get_u64(bytes.data + AT_MANIFEST);
    instance->manifest.bytes = get_u64(bytes.data + AT_MANIFEST_BYTES);
    return HAUL_OK;
}

/* Repairs a file with one flipped bit; the checksum tells apart files that differ in up to four
 * bits. Zeroed: it cannot be repaired. */
static void mend(uint8_t *data, size_t size, struct instance *instance)
{
    for (size_t bit = 0; size == INSTANCE_FILE_BYTES && bit < 8 * size; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        enum haul_status status = decode(slice_of(data, size), instance);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (status == HAUL_OK) {
            return;
        }
    }
    memset(instance, 0, sizeof(*instance));
}

static void format_name(const struct instance *instance, char name[HAUL_IDENTITY_BYTES_MAX])
{
    (void)snprintf(name, HAUL_IDENTITY_BYTES_MAX, "%.*s/%016" PRIx64, IDENTITY_DIGITS_MAX,
                   instance->identity[0] == '\0' ? "unnamed" : instance->identity, instance->id);
}

bool instance_is(const char *recorded, const char *name)
{
    const char *id = strrchr(name, '/');
    const char *recorded_id = strrchr(recorded, '/');
    if (id == NULL || recorded_id != NULL) {
        return strcmp(recorded, name) == 0 || (id != NULL && strcmp(recorded_id, id) == 0);
    }
    size_t size = (size_t)(id - name);
    return strlen(recorded) == size && memcmp(recorded, name, size) == 0;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* The present identity of a path. Errors: NOT_FOUND, IO, others of opening. */
static enum haul_status look_at_path(const struct file_calls *calls, const char *path, int flags,
                                     struct file_identity *now, struct haul_error *error)
{
    int fd = -1;
    enum haul_status status = durable_file_open(calls, path, flags, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (calls->identity(calls->context, fd, now) != 0) {
        status = haul_error_set(error, HAUL_IO, "statx", errno, "cannot look at %s", path);
    }
    (void)calls->close(calls->context, fd);
    return status;
}

/* Compares birth times, too, where the file system has them. */
static bool is_moved(const struct file_identity *made, const struct file_identity *now)
{
    bool born_elsewhere =
        made->birth_ns != 0 && now->birth_ns != 0 && made->birth_ns != now->birth_ns;
    return made->inode != now->inode || born_elsewhere;
}

/* Decode the file; with CORRUPT, `instance` holds what a repair could recover. A newer format is
 * not repaired into this one. Errors: CORRUPT, VERSION. */
static enum haul_status decode_or_mend(uint8_t *data, size_t size, struct instance *instance)
{
    enum haul_status status = decode(slice_of(data, size), instance);
    if (status == HAUL_OK) {
        return HAUL_OK;
    }
    mend(data, size, instance);
    return instance->id != 0 ? HAUL_CORRUPT : status;
}

/* The file and its present identity. Errors: NOT_FOUND, CORRUPT, VERSION, NO_MEMORY, IO. */
static enum haul_status read_file(const struct instance_place *place, struct instance *instance,
                                  struct file_identity *now, struct haul_error *error)
{
    const struct file_calls *calls = calls_of(place);
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    uint8_t *data = NULL;
    size_t size = 0;
    int fd = -1;
    enum haul_status status = durable_file_path(place->directory, "instance", path, error);
    if (status == HAUL_OK) {
        status = durable_file_open(calls, path, O_RDONLY | O_NOFOLLOW, &fd, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_read(calls, fd, PATH_BYTES_MAX, &data, &size);
    if (status == HAUL_OK && calls->identity(calls->context, fd, now) != 0) {
        status = HAUL_IO;
    }
    int code = status == HAUL_IO ? errno : 0;
    (void)calls->close(calls->context, fd);
    if (status != HAUL_OK && status != HAUL_LIMIT) {
        free(data);
        return haul_error_set(error, status, "read", code, "cannot read %s", path);
    }
    status = status == HAUL_LIMIT ? HAUL_CORRUPT : decode_or_mend(data, size, instance);
    free(data);
    if (status == HAUL_VERSION) {
        haul_error_set(error, status, NULL, 0, "%s was written by a newer haul", path);
        haul_error_hint(error, "use that release, or a newer one, on this database");
    }
    return status;
}

/* Does the folder hold anything about a job or a hand-over? */
static enum haul_status look_for_records(const struct instance_place *place, bool *any,
                                         struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    struct file_identity ignored;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status =
        journal_directory_list(place->calls, place->directory, &entries, &count, error);
    free(entries);
    if (status == HAUL_OK) {
        status = durable_file_path(place->directory, "ownership", path, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = look_at_path(calls_of(place), path, O_RDONLY | O_NOFOLLOW, &ignored, error);
    *any = count > 0 || status == HAUL_OK;
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static bool is_set_back(const struct instance_place *place, const struct instance *instance)
{
    const struct manifest_progress now = manifest_progress_around(place->directory, false);
    return place->sequence < instance->sequence ||
           (now.file != 0 && manifest_progress_is_before(&now, &instance->manifest));
}

static enum instance_state judge(const struct instance_place *place,
                                 const struct instance *instance, const struct file_identity *file,
                                 const struct file_identity *folder)
{
    bool known = instance->identity[0] != '\0';
    if (known && strncmp(instance->identity, place->identity, HAUL_IDENTITY_BYTES_MAX - 1) != 0) {
        return INSTANCE_OTHER;
    }
    if (is_moved(&instance->file, file) || is_moved(&instance->folder, folder)) {
        return INSTANCE_COPY;
    }
    return is_set_back(place, instance) ? INSTANCE_RESET : INSTANCE_SAME;
}

/* `*instance` is meaningful unless NONE, or DAMAGED without an id. */
static enum haul_status look(const struct instance_place *place, struct instance *instance,
                             enum instance_state *state, struct haul_error *error)
{
    struct file_identity file;
    struct file_identity folder;
    memset(instance, 0, sizeof(*instance));
    enum haul_status status = read_file(place, instance, &file, error);
    if (status == HAUL_NOT_FOUND || status == HAUL_CORRUPT) {
        *state = status == HAUL_NOT_FOUND ? INSTANCE_NONE : INSTANCE_DAMAGED;
        return HAUL_OK;
    }
    if (status == HAUL_OK) {
        status =
            look_at_path(calls_of(place), place->directory, O_RDONLY | O_DIRECTORY, &folder, error);
    }
    if (status == HAUL_OK) {
        *state = judge(place, instance, &file, &folder);
    }
    return status;
}

enum haul_status instance_look(const struct instance_place *place, struct instance_view *view,
                               struct haul_error *error)
{
    struct instance instance;
    memset(view, 0, sizeof(*view));
    enum haul_status status = look(place, &instance, &view->state, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (view->state != INSTANCE_NONE && view->state != INSTANCE_DAMAGED) {
        format_name(&instance, view->name);
    }
    (void)snprintf(view->identity, sizeof(view->identity), "%s", instance.identity);
    view->sequence = instance.sequence;
    return look_for_records(place, &view->has_records, error);
}

/* --- refusing --------------------------------------------------------------------------------- */

void instance_explain(const struct instance_place *place, const struct instance_view *view,
                      struct haul_error *error)
{
    const char *why = "when it is the original, which was moved or restored here: --adopt";
    switch (view->state) {
    case INSTANCE_COPY:
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "this database is a copy or a restored backup: what %s records is the "
                       "original's",
                       place->directory);
        break;
    case INSTANCE_OTHER:
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "what %s records is of database %s, and this one is %s", place->directory,
                       view->identity, place->identity[0] == '\0' ? "unnamed" : place->identity);
        why = "when it is the same one, repaired or with a new IDENTITY: --adopt";
        break;
    case INSTANCE_RESET:
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "this database was set back to an earlier state: %s records a later %s",
                       place->directory,
                       place->sequence < view->sequence ? "write" : "list of its tables");
        why = "when it shall go on from there: --adopt";
        break;
    case INSTANCE_DAMAGED:
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "%s/instance is damaged: it is unknown whose records these are",
                       place->directory);
        why = "when it is the original: --adopt";
        break;
    case INSTANCE_NONE:
    case INSTANCE_SAME:
        return;
    }
    haul_error_hint(error,
                    "`haul owner --db DIR --forget --accept-two-owners` makes it a database of its "
                    "own; %s --accept-two-owners",
                    why);
}

static enum haul_status check(const struct instance_place *place, struct instance_view *view,
                              struct haul_error *error)
{
    enum haul_status status = instance_look(place, view, error);
    bool fits = view->state == INSTANCE_NONE || view->state == INSTANCE_SAME ||
                HAUL_PLANTED_BUG(COPY_TRUSTED);
    if (status != HAUL_OK || fits || !view->has_records) {
        return status;
    }
    instance_explain(place, view, error);
    return HAUL_MISMATCH;
}

enum haul_status instance_check(const struct instance_place *place, struct haul_error *error)
{
    struct instance_view view;
    return check(place, &view, error);
}

/* --- changing --------------------------------------------------------------------------------- */

/* Does the temporary name still belong to the open file? */
static bool is_named(const struct file_calls *calls, int fd, const char *path)
{
    struct file_identity mine;
    struct file_identity named;
    struct haul_error ignored;
    return calls->identity(calls->context, fd, &mine) == 0 &&
           look_at_path(calls, path, O_RDONLY | O_NOFOLLOW, &named, &ignored) == HAUL_OK &&
           mine.inode == named.inode;
}

/* The temporary file, locked until `*fd` is closed; reuses one that a crash left.
 * Errors: BUSY, NO_SPACE, IO, others of opening. */
static enum haul_status lock_temporary(const struct instance_place *place, const char *path,
                                       int *fd, struct haul_error *error)
{
    const struct file_calls *calls = calls_of(place);
    enum haul_status status = HAUL_BUSY;
    for (unsigned waited_ms = 0; waited_ms <= LOCK_WAIT_MS; waited_ms += LOCK_PAUSE_MS) {
        status = durable_file_open_beside(calls, place->directory, "instance.tmp", fd, error);
        if (status != HAUL_OK) {
            return status;
        }
        status = durable_file_lock(calls, *fd, path, error);
        bool ours = status == HAUL_OK && is_named(calls, *fd, path);
        if (ours && (status = durable_file_one_name(calls, *fd, path, error)) == HAUL_OK) {
            return HAUL_OK;
        }
        (void)calls->close(calls->context, *fd);
        if (status != HAUL_OK && status != HAUL_BUSY && status != HAUL_NOT_FOUND) {
            return status;
        }
        calls->pause(calls->context, LOCK_PAUSE_MS);
    }
    return haul_error_set(error, HAUL_BUSY, NULL, 0, "another process is changing %s", path);
}

/* Write the file and put it in place. Errors: NO_SPACE, IO. */
static enum haul_status publish(const struct instance_place *place, struct instance *instance,
                                int fd, const char *temporary, struct haul_error *error)
{
    const struct file_calls *calls = calls_of(place);
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    uint8_t bytes[INSTANCE_FILE_BYTES];
    const int flags = O_RDONLY | O_DIRECTORY;
    enum haul_status status = durable_file_path(place->directory, "instance", path, error);
    if (status == HAUL_OK) {
        status = look_at_path(calls, place->directory, flags, &instance->folder, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (calls->identity(calls->context, fd, &instance->file) != 0) {
        return haul_error_set(error, HAUL_IO, "statx", errno, "cannot look at %s", temporary);
    }
    encode(instance, bytes);
    bool cut = calls->ftruncate(calls->context, fd, 0) == 0;
    status = cut ? durable_file_write(calls, fd, slice_of(bytes, sizeof(bytes)), 0)
                 : durable_file_status(errno);
    if (status == HAUL_OK && calls->fsync(calls->context, fd) != 0) {
        status = durable_file_status(errno);
    }
    if (status == HAUL_OK && calls->rename(calls->context, temporary, path) != 0) { /* N1 */
        int code = errno;
        bool aside = code == EISDIR &&
                     durable_file_put_aside(calls, place->directory, "instance", error) == HAUL_OK;
        bool again = aside && calls->rename(calls->context, temporary, path) == 0;
        status = again ? HAUL_OK : durable_file_status(errno = code);
    }
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "write", errno, "cannot write %s", path);
    }
    return durable_file_sync_directory(calls, place->directory, error);
}

/* A change of the present file. False: the file stays as it is. */
typedef bool instance_change(const struct instance_place *place, enum instance_state state,
                             struct instance *instance);

/* Errors: those of look, lock_temporary and publish; IO (no random number). */
static enum haul_status run_locked(const struct instance_place *place, int fd,
                                   const char *temporary, instance_change *change,
                                   struct instance *instance, struct haul_error *error)
{
    const struct file_calls *calls = calls_of(place);
    enum instance_state state = INSTANCE_NONE;
    enum haul_status status = look(place, instance, &state, error); /* N2 */
    bool changes = status == HAUL_OK && change(place, state, instance);
    while (changes && status == HAUL_OK && instance->id == 0) {
        if (calls->random(calls->context, &instance->id, sizeof(instance->id)) != 0) {
            status = haul_error_set(error, HAUL_IO, "getrandom", errno,
                                    "no random number for the database's instance");
        }
    }
    if (changes && status == HAUL_OK) {
        status = publish(place, instance, fd, temporary, error);
    } else if (status == HAUL_OK) { /* who made it may have been killed before he synced its name */
        status = durable_file_sync_directory(calls, place->directory, error);
    }
    if (!changes || status != HAUL_OK) {
        (void)calls->unlink(calls->context, temporary);
    }
    return status;
}

static enum haul_status run_change(const struct instance_place *place, instance_change *change,
                                   struct instance *instance, struct haul_error *error)
{
    const struct file_calls *calls = calls_of(place);
    char temporary[DURABLE_FILE_PATH_BYTES_MAX];
    int fd = -1;
    enum haul_status status = durable_file_path(place->directory, "instance.tmp", temporary, error);
    if (status == HAUL_OK) {
        status = durable_file_make_directory(calls, place->directory, error);
    }
    if (status == HAUL_OK) {
        status = lock_temporary(place, temporary, &fd, error);
    }
    if (status == HAUL_OK) {
        status = run_locked(place, fd, temporary, change, instance, error);
        (void)calls->close(calls->context, fd);
    }
    return status;
}

static void take_identity(const struct instance_place *place, struct instance *instance)
{
    memset(instance->identity, 0, sizeof(instance->identity));
    (void)snprintf(instance->identity, sizeof(instance->identity), "%s", place->identity);
}

/* Record how far the database has come. True: further than recorded before. */
static bool take_progress(const struct instance_place *place, struct instance *instance)
{
    const struct manifest_progress now = manifest_progress_around(place->directory, true);
    bool written = place->sequence != UINT64_MAX && place->sequence > instance->sequence;
    bool listed = manifest_progress_is_before(&instance->manifest, &now);
    instance->sequence = written ? place->sequence : instance->sequence;
    instance->manifest = listed ? now : instance->manifest;
    return written || listed;
}

/* Keep the id that peers know and look the rest up again; without an id, draw one. */
static void keep_id(struct instance *instance)
{
    *instance = (struct instance){.id = instance->id};
}

/* An instance_change. The folder holds no records here, unless the state is SAME or NONE. */
static bool make_or_keep(const struct instance_place *place, enum instance_state state,
                         struct instance *instance)
{
    /* RESET: another maker was faster, and has seen a later write. */
    if (state == INSTANCE_DAMAGED) {
        keep_id(instance);
    } else if (state != INSTANCE_SAME && state != INSTANCE_RESET) {
        memset(instance, 0, sizeof(*instance));
    }
    bool further = take_progress(place, instance);
    bool stays = state == INSTANCE_SAME && !further && instance->identity[0] != '\0';
    take_identity(place, instance);
    return !stays;
}

/* An instance_change. */
static bool note(const struct instance_place *place, enum instance_state state,
                 struct instance *instance)
{
    (void)take_progress(place, instance);
    return state == INSTANCE_SAME;
}

/* An instance_change. */
static bool rebind(const struct instance_place *place, enum instance_state state,
                   struct instance *instance)
{
    (void)state;
    keep_id(instance);
    take_identity(place, instance); /* its present progress may not be durable */
    return true;
}

enum haul_status instance_adopt(const struct instance_place *place, struct haul_error *error)
{
    struct instance instance;
    return run_change(place, rebind, &instance, error);
}

/* --- holding and removing --------------------------------------------------------------------- */

/* Errors: those of lock_temporary, and of durable_file_path. */
static enum haul_status lock_file(const struct instance_place *place, int *lock_fd,
                                  struct haul_error *error)
{
    char temporary[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(place->directory, "instance.tmp", temporary, error);
    return status == HAUL_OK ? lock_temporary(place, temporary, lock_fd, error) : status;
}

static void unlock_file(const struct instance_place *place, int lock_fd)
{
    const struct file_calls *calls = calls_of(place);
    char temporary[DURABLE_FILE_PATH_BYTES_MAX];
    struct haul_error ignored;
    if (durable_file_path(place->directory, "instance.tmp", temporary, &ignored) == HAUL_OK) {
        (void)calls->unlink(calls->context, temporary);
    }
    (void)calls->close(calls->context, lock_fd);
}

/* Errors: BUSY (a journal exists), those of journal_directory_list. */
static enum haul_status check_no_journal(const struct instance_place *place,
                                         struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status =
        journal_directory_list(place->calls, place->directory, &entries, &count, error);
    free(entries);
    if (status != HAUL_OK || count == 0) {
        return status;
    }
    haul_error_set(error, HAUL_BUSY, NULL, 0, "a job has begun meanwhile");
    haul_error_hint(error, "run the command again when it is over");
    return HAUL_BUSY;
}

static enum haul_status remove_locked(const struct instance_place *place, struct haul_error *error)
{
    const struct file_calls *calls = calls_of(place);
    enum haul_status status = check_no_journal(place, error);
    if (status == HAUL_OK) {
        status = durable_file_remove(calls, place->directory, "instance", error);
    }
    return status == HAUL_OK ? durable_file_sync_directory(calls, place->directory, error) : status;
}

enum haul_status instance_remove(const struct instance_place *place, struct haul_error *error)
{
    int lock_fd = -1;
    enum haul_status status = lock_file(place, &lock_fd, error);
    if (status == HAUL_OK) {
        status = remove_locked(place, error);
        unlock_file(place, lock_fd);
    }
    return status;
}

enum haul_status instance_check_list(const char *directory, struct haul_error *error)
{
    const struct instance_place place = {
        .directory = directory, .identity = "", .sequence = UINT64_MAX};
    const struct instance_view view = {.state = INSTANCE_RESET};
    struct haul_error ignored;
    struct file_identity file;
    struct instance instance;
    bool any = false;
    if (read_file(&place, &instance, &file, &ignored) != HAUL_OK ||
        !is_set_back(&place, &instance) ||
        (look_for_records(&place, &any, &ignored) == HAUL_OK && !any)) {
        return HAUL_OK;
    }
    instance_explain(&place, &view, error);
    return error->status;
}

/* --- stores ----------------------------------------------------------------------------------- */

static enum haul_status place_of(struct haul_store *store, char directory[PATH_BYTES_MAX],
                                 struct instance_place *place, struct haul_error *error)
{
    if (!haul_directory_of(store, directory, PATH_BYTES_MAX)) {
        return haul_directory_too_long(error);
    }
    *place = (struct instance_place){.calls = haul_files_of(store),
                                     .directory = directory,
                                     .identity = store->ops->identity(store),
                                     .sequence = store->ops->sequence(store)};
    return HAUL_OK;
}

enum haul_status instance_check_store(struct haul_store *store, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    enum haul_status status = haul_place_check(store, error);
    if (status == HAUL_OK) {
        status = place_of(store, directory, &place, error);
    }
    return status == HAUL_OK ? instance_check(&place, error) : status;
}

/* Only durable progress may be recorded: a power failure takes the rest back. */
static void sync_first(struct haul_store *store, struct instance_place *place)
{
    struct haul_error ignored;
    bool logs = (store->ops->features(store) & HAUL_STORE_WAL) != 0;
    if (!logs || store->ops->sync(store, &ignored) != HAUL_OK) {
        place->sequence = UINT64_MAX;
    }
}

enum haul_status instance_begin(struct haul_store *store, char name[HAUL_IDENTITY_BYTES_MAX],
                                struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    struct instance instance;
    struct instance_view view;
    enum haul_status status = haul_place_check(store, error);
    if (status == HAUL_OK) {
        status = place_of(store, directory, &place, error);
    }
    if (status == HAUL_OK) {
        status = check(&place, &view, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    sync_first(store, &place);
    bool goes_on = view.state == INSTANCE_RESET; /* no record exists that it could have lost */
    status = run_change(&place, goes_on ? rebind : make_or_keep, &instance, error);
    if (status == HAUL_OK) {
        format_name(&instance, name);
        return HAUL_OK;
    }
    /* An existing file serves as it is, also on a full disk. */
    struct haul_error ignored;
    if (instance_look(&place, &view, &ignored) == HAUL_OK && view.state == INSTANCE_SAME) {
        memcpy(name, view.name, sizeof(view.name));
        return HAUL_OK;
    }
    return status;
}

void instance_name(struct haul_store *store, char name[HAUL_IDENTITY_BYTES_MAX])
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    struct instance_view view;
    struct haul_error ignored;
    if (place_of(store, directory, &place, &ignored) == HAUL_OK &&
        instance_look(&place, &view, &ignored) == HAUL_OK && view.state == INSTANCE_SAME) {
        memcpy(name, view.name, sizeof(view.name));
        return;
    }
    const char *identity = store->ops->identity(store);
    (void)snprintf(name, HAUL_IDENTITY_BYTES_MAX, "%s", identity[0] == '\0' ? "unnamed" : identity);
}

/* Looks up only the folder. */
static enum haul_status folder_of(const struct haul_store *store, char directory[PATH_BYTES_MAX],
                                  struct instance_place *place, struct haul_error *error)
{
    *place = (struct instance_place){
        .calls = haul_files_of(store), .directory = directory, .identity = ""};
    return haul_directory_of(store, directory, PATH_BYTES_MAX) ? HAUL_OK
                                                               : haul_directory_too_long(error);
}

static enum haul_status check_name(const struct instance_place *place, const char *name,
                                   struct haul_error *error)
{
    struct instance instance;
    struct file_identity ignored;
    char now[HAUL_IDENTITY_BYTES_MAX] = "";
    enum haul_status status = read_file(place, &instance, &ignored, error);
    if (status == HAUL_OK) {
        format_name(&instance, now);
    }
    bool gone = status == HAUL_NOT_FOUND || (status == HAUL_OK && strcmp(now, name) != 0);
    if (gone) {
        status = haul_error_set(error, HAUL_BUSY, NULL, 0,
                                "the records of this database were forgotten meanwhile");
        haul_error_hint(error, "run the command again");
    } else if (status == HAUL_CORRUPT) {
        status = haul_error_set(error, status, NULL, 0, "%s/instance is damaged", place->directory);
    }
    return status;
}

enum haul_status instance_hold(const struct haul_store *store, const char *name, int *lock_fd,
                               struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    enum haul_status status = folder_of(store, directory, &place, error);
    if (status == HAUL_OK) {
        status = lock_file(&place, lock_fd, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = check_name(&place, name, error); /* N3 */
    if (status != HAUL_OK) {
        unlock_file(&place, *lock_fd);
    }
    return status;
}

void instance_release(const struct haul_store *store, int lock_fd)
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    struct haul_error ignored;
    if (folder_of(store, directory, &place, &ignored) == HAUL_OK) {
        unlock_file(&place, lock_fd);
    }
}

bool instance_is_current(const struct haul_store *store, const char *name)
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    struct haul_error ignored;
    return folder_of(store, directory, &place, &ignored) == HAUL_OK &&
           check_name(&place, name, &ignored) == HAUL_OK;
}

void instance_note(struct haul_store *store)
{
    char directory[PATH_BYTES_MAX];
    struct instance_place place;
    struct instance instance;
    struct haul_error ignored;
    if (haul_place_check(store, &ignored) == HAUL_OK &&
        place_of(store, directory, &place, &ignored) == HAUL_OK) {
        sync_first(store, &place);
        (void)run_change(&place, note, &instance, &ignored);
    }
}
