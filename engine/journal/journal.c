/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c — the file of a journal: created whole, appended to, cut at the first torn record.
 *
 *   journal_create:  tmp file -> lock -> header -> fsync -> rename -> fsync of the directory
 *   journal_open:    lock -> read all -> replay -> write again -> cut -> fsync
 *   journal_append:  check -> pwrite -> (fdatasync) -> take into the state
 *
 *            journal_create, journal_open
 *                      |
 *                      v     pwrite failed, cut back to the old end
 *         +--------> LIVE <---------------------------------+
 *         |            |                                    |
 *         +- append ---+--- sync failed, cut failed ---> DEAD: every call gives the same answer
 *
 * Why the order of creation: the name appears only on a complete and durable header, so a torn
 * header is never the trace of a crash; adopting a journal creates a new file, too. Why opening
 * writes everything again: a page that the kernel failed to write is clean in its cache; we would
 * read it as if it were on disk, and the next fsync would return OK without writing it. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"
#include "durable_file.h"
#include "planted_bug.h"
#include "probe.h"

static const char journal_magic[8] = {'H', 'A', 'U', 'L', 'J', 'R', 'N', 'L'};

/* Offsets in the header. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_ROLE = 10,
    AT_SEED = 12,
    AT_JOB_ID = 16,
    AT_IDENTITY = 32,
    AT_INODE = 96, /* from format 2 on: of the file itself; 0: unknown */
    AT_BIRTH = 104,
    AT_RESERVED = 112, /* zeros */
    AT_CRC = 124,
};

_Static_assert(AT_IDENTITY + HAUL_IDENTITY_BYTES_MAX == AT_INODE, "the identity fits");
_Static_assert(AT_CRC + 4 == JOURNAL_HEADER_BYTES, "the checksum ends the header");
_Static_assert(JOURNAL_FILE_BYTES_MAX - JOURNAL_POSITIONS_BYTES_MAX > 2 * JOURNAL_BODY_BYTES_MAX,
               "the finished streams and the decision fit behind the limit");

struct journal {
    const struct file_calls *calls;
    char directory[DURABLE_FILE_PATH_BYTES_MAX];
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    uint8_t job_id[HAUL_JOB_BYTES];
    char identity[HAUL_IDENTITY_BYTES_MAX];
    struct file_identity file; /* as named in the header */
    int fd;
    bool read_only;
    bool is_copy;
    bool unsynced; /* appended since the last sync */
    uint32_t seed;
    uint64_t end;    /* the place of the next record */
    uint8_t *buffer; /* for the record being written */
    size_t buffer_size;
    enum haul_status dead; /* OK while alive; then every call returns this */
    struct journal_state state;
};

/* --- names ------------------------------------------------------------------------------------ */

static const char *role_name(enum journal_role role)
{
    return role == JOURNAL_SOURCE ? "source" : "target";
}

void journal_name_format(enum journal_role role, const uint8_t job_id[HAUL_JOB_BYTES],
                         char name[JOURNAL_NAME_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    static const char suffix[] = ".journal";
    const char *prefix = role_name(role);
    size_t at = strlen(prefix);
    memcpy(name, prefix, at);
    name[at++] = '-';
    for (int i = 0; i < HAUL_JOB_BYTES; i++) {
        name[at++] = digits[job_id[i] >> 4];
        name[at++] = digits[job_id[i] & 15];
    }
    memcpy(name + at, suffix, sizeof(suffix));
}

/* The value of a lower-case hexadecimal digit; -1: not such a digit. */
static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);
    return found == NULL ? -1 : (int)(found - digits);
}

bool journal_name_parse(const char *name, enum journal_role *role, uint8_t job_id[HAUL_JOB_BYTES])
{
    enum journal_role found = JOURNAL_SOURCE;
    if (strncmp(name, "target-", 7) == 0) {
        found = JOURNAL_TARGET;
    } else if (strncmp(name, "source-", 7) != 0) {
        return false;
    }
    uint8_t bytes[HAUL_JOB_BYTES];
    const char *at = name + 7;
    for (int i = 0; i < HAUL_JOB_BYTES; i++, at += 2) {
        int high = hex_digit(at[0]);
        int low = high < 0 ? -1 : hex_digit(at[1]);
        if (low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (strcmp(at, ".journal") != 0) {
        return false;
    }
    *role = found;
    memcpy(job_id, bytes, sizeof(bytes));
    return true;
}

/* --- the header ------------------------------------------------------------------------------- */

static void header_encode(const struct journal *journal, uint8_t header[JOURNAL_HEADER_BYTES])
{
    memset(header, 0, JOURNAL_HEADER_BYTES);
    memcpy(header + AT_MAGIC, journal_magic, sizeof(journal_magic));
    put_u16(header + AT_VERSION, JOURNAL_FORMAT_VERSION);
    put_u16(header + AT_ROLE, (uint16_t)journal->state.role);
    put_u32(header + AT_SEED, journal->seed);
    memcpy(header + AT_JOB_ID, journal->job_id, sizeof(journal->job_id));
    memcpy(header + AT_IDENTITY, journal->identity, strlen(journal->identity));
    put_u64(header + AT_INODE, journal->file.inode);
    put_u64(header + AT_BIRTH, journal->file.birth_ns);
    put_u32(header + AT_CRC, crc32c(header, AT_CRC));
}

/* Take the identity from a sound header. */
static void note_file(struct journal *journal, const uint8_t *header)
{
    bool named = get_u16(header + AT_VERSION) > 1;
    journal->file.inode = named ? get_u64(header + AT_INODE) : 0;
    journal->file.birth_ns = named ? get_u64(header + AT_BIRTH) : 0;
}

/* For an unknown format: would the checksum be right with one of our format numbers? Then only the
 * number is damaged. */
static bool is_rotten_version(const uint8_t *header)
{
    uint8_t tried[JOURNAL_HEADER_BYTES];
    memcpy(tried, header, sizeof(tried));
    bool any = false;
    for (uint16_t i = JOURNAL_FORMAT_VERSION_MIN; i <= JOURNAL_FORMAT_VERSION && !any; i++) {
        put_u16(tried + AT_VERSION, i);
        any = get_u32(tried + AT_CRC) == crc32c(tried, AT_CRC);
    }
    return any;
}

/* Check the header and take identity and seed from it. Errors: CORRUPT, VERSION, MISMATCH. */
static enum haul_status header_decode(struct journal *journal, struct haul_slice file,
                                      const char *identity, struct haul_error *error)
{
    const uint8_t *header = file.data;
    if (file.size < JOURNAL_HEADER_BYTES ||
        memcmp(header, journal_magic, sizeof(journal_magic)) != 0) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is not a journal", journal->path);
    }
    /* Before the checksum: another version may keep it elsewhere. */
    unsigned version = get_u16(header + AT_VERSION);
    bool known = version >= JOURNAL_FORMAT_VERSION_MIN && version <= JOURNAL_FORMAT_VERSION;
    if (!known && !is_rotten_version(header)) {
        (void)haul_error_set(error, HAUL_VERSION, NULL, 0, "%s has journal format %u, not %d",
                             journal->path, version, JOURNAL_FORMAT_VERSION);
        haul_error_hint(error, "finish the job with the haul that began it");
        return HAUL_VERSION;
    }
    if (get_u32(header + AT_CRC) != crc32c(header, AT_CRC) || header[AT_INODE - 1] != 0) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "the header of %s is damaged",
                              journal->path);
    }
    if (get_u16(header + AT_ROLE) != (uint16_t)journal->state.role ||
        memcmp(header + AT_JOB_ID, journal->job_id, sizeof(journal->job_id)) != 0) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                              "%s is the journal of another job under a wrong name", journal->path);
    }
    memcpy(journal->identity, header + AT_IDENTITY, sizeof(journal->identity));
    if (identity != NULL && !journal_is_of(journal, identity)) {
        (void)haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                             "%s belongs to database %s, this one is %s", journal->path,
                             journal->identity, identity[0] == '\0' ? "unnamed" : identity);
        haul_error_hint(error, "the database was replaced, restored or repaired while the job was "
                               "open: `haul owner --db DIR --adopt --accept-two-owners`, or "
                               "`--forget --accept-two-owners`");
        return HAUL_MISMATCH;
    }
    note_file(journal, header);
    journal->seed = get_u32(header + AT_SEED);
    return HAUL_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Errors: INVALID, NO_MEMORY. */
static enum haul_status allocate(const struct journal_config *config, struct journal **out,
                                 struct haul_error *error)
{
    haul_assert(config->role == JOURNAL_SOURCE || config->role == JOURNAL_TARGET);
    haul_assert(config->identity != NULL || config->read_only);
    if (config->identity != NULL && strlen(config->identity) >= HAUL_IDENTITY_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the database identity is too long");
    }
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "cannot hold a journal");
    }
    journal->calls = file_calls_or_system(config->calls);
    journal->read_only = config->read_only;
    journal->fd = -1;
    memcpy(journal->job_id, config->job_id, sizeof(journal->job_id));
    journal_state_init(&journal->state, config->role);
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(config->role, config->job_id, name);
    enum haul_status status = durable_file_path(config->directory, name, journal->path, error);
    if (status != HAUL_OK) {
        journal_close(journal);
        return status;
    }
    (void)snprintf(journal->directory, sizeof(journal->directory), "%s", config->directory);
    *out = journal;
    return HAUL_OK;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->fd >= 0) {
        (void)journal->calls->close(journal->calls->context, journal->fd);
    }
    journal_state_fini(&journal->state);
    free(journal->buffer);
    free(journal);
}

static enum haul_status fail_call(const struct journal *journal, enum haul_status status,
                                  const char *call, struct haul_error *error)
{
    return haul_error_set(error, status, call, errno, "cannot write the journal %s", journal->path);
}

/* --- creating --------------------------------------------------------------------------------- */

/* Remove the temporary file that a crash left: its creator is gone, because nobody holds its lock
 * and it still has its name. Errors: NOT_FOUND, BUSY, IO. */
static enum haul_status remove_temporary(const struct journal *journal, const char *temporary,
                                         struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    int fd = -1;
    enum haul_status status = durable_file_open(calls, temporary, O_RDWR, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_lock(calls, fd, temporary, error);
    if (status == HAUL_OK && calls->unlink(calls->context, temporary) != 0) {
        status = fail_call(journal, HAUL_IO, "unlink", error);
    }
    (void)calls->close(calls->context, fd);
    return status;
}

/* Open a new file under the temporary name, locked. Errors: BUSY, others of opening. */
static enum haul_status open_temporary(struct journal *journal, const char *temporary,
                                       struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    enum haul_status status =
        durable_file_open(calls, temporary, O_RDWR | O_CREAT | O_EXCL, &journal->fd, error);
    if (status == HAUL_EXISTS) {
        status = remove_temporary(journal, temporary, error);
        if (status == HAUL_OK) {
            status =
                durable_file_open(calls, temporary, O_RDWR | O_CREAT | O_EXCL, &journal->fd, error);
        }
    }
    if (status == HAUL_OK) {
        status = durable_file_lock(calls, journal->fd, temporary, error);
    }
    if (status == HAUL_EXISTS || status == HAUL_NOT_FOUND) {
        /* Another process is creating it right now. */
        status = haul_error_set(error, HAUL_BUSY, NULL, 0, "%s is being created by another process",
                                journal->path);
    }
    return status;
}

/* While we hold the temporary name, nobody else can create a file under the final name.
 * Errors: EXISTS, others. */
static enum haul_status check_absent(const struct journal *journal, struct haul_error *error)
{
    int fd = -1;
    enum haul_status status =
        durable_file_open(journal->calls, journal->path, O_RDONLY, &fd, error);
    if (status == HAUL_NOT_FOUND) {
        return HAUL_OK;
    }
    if (status != HAUL_OK) {
        return status;
    }
    (void)journal->calls->close(journal->calls->context, fd);
    return haul_error_set(error, HAUL_EXISTS, NULL, 0, "the journal %s exists already",
                          journal->path);
}

/* Write the file, sync it, rename it; the directory is not durable yet. Errors: NO_SPACE, IO. */
static enum haul_status write_and_rename(struct journal *journal, const char *temporary,
                                         struct haul_slice bytes, struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    enum haul_status status = durable_file_write(calls, journal->fd, bytes, 0);
    if (status != HAUL_OK) {
        return fail_call(journal, status, "pwrite", error);
    }
    if (calls->fsync(calls->context, journal->fd) != 0) {
        return fail_call(journal, durable_file_status(errno), "fsync", error);
    }
    if (calls->rename(calls->context, temporary, journal->path) != 0) {
        return fail_call(journal, durable_file_status(errno), "rename", error);
    }
    return HAUL_OK;
}

/* Publish a new journal with only its header under its final name. Errors: NO_SPACE, IO. */
static enum haul_status publish(struct journal *journal, const char *temporary,
                                struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    if (calls->random(calls->context, &journal->seed, sizeof(journal->seed)) != 0) {
        return fail_call(journal, HAUL_IO, "getentropy", error);
    }
    if (calls->identity(calls->context, journal->fd, &journal->file) != 0) {
        return fail_call(journal, HAUL_IO, "statx", error);
    }
    uint8_t header[JOURNAL_HEADER_BYTES];
    header_encode(journal, header);
    journal->end = JOURNAL_HEADER_BYTES;
    return write_and_rename(journal, temporary, slice_of(header, sizeof(header)), error);
}

enum haul_status journal_create(const struct journal_config *config, struct journal **out,
                                struct haul_error *error)
{
    haul_assert(!config->read_only);
    struct journal *journal = NULL;
    enum haul_status status = allocate(config, &journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    (void)snprintf(journal->identity, sizeof(journal->identity), "%s", config->identity);
    char temporary[DURABLE_FILE_PATH_BYTES_MAX + 8];
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", journal->path);
    status = durable_file_make_directory(journal->calls, config->directory, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    status = open_temporary(journal, temporary, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    status = check_absent(journal, error);
    if (status == HAUL_OK) {
        status = publish(journal, temporary, error);
    }
    if (status != HAUL_OK) {
        (void)journal->calls->unlink(journal->calls->context, temporary);
        goto fail;
    }
    status = durable_file_sync_directory(journal->calls, config->directory, error);
    if (status != HAUL_OK) {
        /* It contains no promise yet: better no journal than one whose name may vanish. */
        (void)journal->calls->unlink(journal->calls->context, journal->path);
        goto fail;
    }
    *out = journal;
    return HAUL_OK;
fail:
    journal_close(journal);
    return status;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Write the sound part again, cut off the rest, and sync the file. Errors: NO_SPACE, IO. */
static enum haul_status harden(struct journal *journal, struct haul_slice file,
                               struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    enum haul_status status =
        durable_file_write(calls, journal->fd, slice_of(file.data, (size_t)journal->end), 0);
    if (status != HAUL_OK) {
        return fail_call(journal, status, "pwrite", error);
    }
    if (journal->end < file.size &&
        calls->ftruncate(calls->context, journal->fd, journal->end) != 0) {
        return fail_call(journal, HAUL_IO, "ftruncate", error);
    }
    if (calls->fsync(calls->context, journal->fd) != 0) {
        return fail_call(journal, durable_file_status(errno), "fsync", error);
    }
    return HAUL_OK;
}

/* The header names this file and this database from here on; format 1 does not name its file. */
static void name_in(struct journal *journal, const char *identity, const struct file_identity *now,
                    uint8_t *header)
{
    size_t size = strlen(identity); /* allocate has checked the size */
    journal->is_copy = false;
    memset(journal->identity, 0, sizeof(journal->identity));
    memcpy(journal->identity, identity, size);
    memcpy(header + AT_IDENTITY, journal->identity, sizeof(journal->identity));
    if (get_u16(header + AT_VERSION) > 1) {
        journal->file = *now;
        put_u64(header + AT_INODE, now->inode);
        put_u64(header + AT_BIRTH, now->birth_ns);
    }
    put_u32(header + AT_CRC, crc32c(header, AT_CRC));
}

/* Is the file the one that its header names? Compares birth times, too, where the system has them.
 * Errors: MISMATCH (it is not, and the journal is open for writing), IO. */
static enum haul_status check_file(struct journal *journal, const struct journal_config *config,
                                   struct haul_error *error)
{
    struct file_identity now;
    if (journal->calls->identity(journal->calls->context, journal->fd, &now) != 0) {
        return haul_error_set(error, HAUL_IO, "statx", errno, "cannot read the journal %s",
                              journal->path);
    }
    const struct file_identity *made = &journal->file;
    bool born_elsewhere =
        made->birth_ns != 0 && now.birth_ns != 0 && made->birth_ns != now.birth_ns;
    journal->is_copy = made->inode != 0 && (made->inode != now.inode || born_elsewhere);
    if (journal->is_copy && !journal->read_only && !config->adopts) {
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "%s is a copy: its job belongs to the original database", journal->path);
        haul_error_hint(error, "`haul owner --db DIR --forget --accept-two-owners` makes a copy a "
                               "database of its own; `--adopt --accept-two-owners`, when the "
                               "original was moved here");
        return HAUL_MISMATCH;
    }
    return HAUL_OK;
}

/* Write the sound part, with a new header, to the file with the temporary name.
 * Errors: NO_SPACE, IO. */
static enum haul_status write_adopted(struct journal *journal, const struct journal_config *config,
                                      const char *temporary, uint8_t *data,
                                      struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    struct file_identity now;
    if (calls->identity(calls->context, journal->fd, &now) != 0) {
        return fail_call(journal, HAUL_IO, "statx", error);
    }
    name_in(journal, config->identity, &now, data);
    enum haul_status status =
        write_and_rename(journal, temporary, slice_of(data, (size_t)journal->end), error);
    return status == HAUL_OK ? durable_file_sync_directory(calls, config->directory, error)
                             : status;
}

/* Adopt into a new file, as at creation: a power failure must not tear a complete header. The old
 * file stays locked until the new one has its name. Errors: BUSY, NO_SPACE, IO. */
static enum haul_status adopt(struct journal *journal, const struct journal_config *config,
                              uint8_t *data, struct haul_error *error)
{
    const struct file_calls *calls = journal->calls;
    int old_fd = journal->fd;
    char temporary[DURABLE_FILE_PATH_BYTES_MAX + 8];
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", journal->path);
    journal->fd = -1;
    enum haul_status status = open_temporary(journal, temporary, error);
    if (status == HAUL_OK) {
        status = write_adopted(journal, config, temporary, data, error);
    }
    if (status != HAUL_OK && journal->fd >= 0) {
        (void)calls->unlink(calls->context, temporary);
    }
    (void)calls->close(calls->context, old_fd);
    return status;
}

/* Errors: CORRUPT, VERSION, LIMIT, NO_MEMORY. */
static enum haul_status replay(struct journal *journal, struct haul_slice records,
                               size_t *sound_size, struct haul_error *error)
{
    struct haul_error why = {.status = HAUL_OK};
    enum haul_status status =
        journal_state_replay(&journal->state, journal->seed, records, sound_size, &why);
    if (status == HAUL_CORRUPT) {
        return haul_error_set(error, status, NULL, 0, "%s is damaged: %s", journal->path, why.text);
    }
    if (status != HAUL_OK && error != NULL) {
        *error = why;
    }
    return status;
}

/* Errors: CORRUPT, VERSION, MISMATCH, NO_MEMORY, NO_SPACE, IO. */
static enum haul_status load(struct journal *journal, const struct journal_config *config,
                             struct haul_error *error)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum haul_status status =
        durable_file_read(journal->calls, journal->fd, JOURNAL_FILE_BYTES_MAX, &data, &size);
    if (status == HAUL_LIMIT) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                              "the journal %s is larger than a journal can be", journal->path);
    }
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "pread", status == HAUL_IO ? errno : 0,
                              "cannot read the journal %s", journal->path);
    }
    struct haul_slice file = slice_of(data, size);
    status = header_decode(journal, file, config->adopts ? NULL : config->identity, error);
    if (status == HAUL_OK) {
        status = check_file(journal, config, error);
    }
    if (status == HAUL_OK) {
        size_t sound_size = 0;
        struct haul_slice records =
            slice_of(data + JOURNAL_HEADER_BYTES, size - JOURNAL_HEADER_BYTES);
        status = replay(journal, records, &sound_size, error);
        journal->end = JOURNAL_HEADER_BYTES + sound_size;
    }
    if (status == HAUL_OK && config->adopts) {
        status = adopt(journal, config, data, error);
    } else if (status == HAUL_OK && !journal->read_only) {
        status = harden(journal, file, error); /* J4 */
    }
    free(data);
    return status;
}

enum haul_status journal_open(const struct journal_config *config, struct journal **out,
                              struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status = allocate(config, &journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_open(journal->calls, journal->path,
                               (config->read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW, &journal->fd,
                               error);
    if (status == HAUL_OK && !config->read_only) {
        status = durable_file_lock(journal->calls, journal->fd, journal->path, error);
    }
    if (status == HAUL_OK) {
        status = load(journal, config, error);
    }
    if (status != HAUL_OK) {
        goto fail;
    }
    *out = journal;
    return HAUL_OK;
fail:
    journal_close(journal);
    if (status == HAUL_CORRUPT) {
        haul_error_hint(error, "`haul status` shows what that means; `haul cancel --db DIR --job "
                               "ID --accept-two-owners` moves the journal aside");
    }
    return status;
}

/* --- appending -------------------------------------------------------------------------------- */

/* From now on the journal returns IO, whatever the errno of `call`: other errors would mean that
 * the caller may continue. */
static enum haul_status die(struct journal *journal, const char *call, struct haul_error *error)
{
    journal->dead = HAUL_IO; /* J3 */
    return fail_call(journal, HAUL_IO, call, error);
}

/* Errors: INVALID, or the error that the journal died of. */
static enum haul_status check_alive(const struct journal *journal, struct haul_error *error)
{
    if (journal->read_only) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "%s is open for reading only",
                              journal->path);
    }
    if (journal->dead != HAUL_OK) {
        return haul_error_set(error, journal->dead, NULL, 0,
                              "the journal %s failed before and must be opened again",
                              journal->path);
    }
    return HAUL_OK;
}

/* Errors: NO_MEMORY. */
static enum haul_status reserve_buffer(struct journal *journal, size_t size)
{
    if (size <= journal->buffer_size) {
        return HAUL_OK;
    }
    uint8_t *larger = realloc(journal->buffer, size);
    if (larger == NULL) {
        return HAUL_NO_MEMORY;
    }
    journal->buffer = larger;
    journal->buffer_size = size;
    return HAUL_OK;
}

/* Without a dispensable record a resume only repeats more. A finished stream is never dispensable:
 * deltas follow it, and a resume that copied the stream again would put old records over newer
 * ones. */
static bool is_dispensable(const struct journal_record *record)
{
    bool dispensable = record->type == JOURNAL_POSITION || record->type == JOURNAL_DELTA;
    size_t count = record->type == JOURNAL_POSITION ? record->positions.count : 0;
    for (size_t i = 0; i < count; i++) {
        dispensable = dispensable && !record->positions.items[i].finished;
    }
    return dispensable;
}

/* All checks that can refuse the record before the file changes. Errors: INVALID, LIMIT,
 * NO_MEMORY. */
static enum haul_status reserve(struct journal *journal, const struct journal_record *record,
                                size_t *size, struct haul_error *error)
{
    const char *name = journal_type_name(record->type);
    enum haul_status status = journal_record_size(record, size);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "journal record %s is out of bounds", name);
    }
    uint64_t limit = is_dispensable(record) ? JOURNAL_POSITIONS_BYTES_MAX : JOURNAL_FILE_BYTES_MAX;
    if (journal->end + *size > limit) {
        haul_error_set(error, HAUL_LIMIT, NULL, 0, "the journal %s is full", journal->path);
        haul_error_hint(error, "begin anew: `haul cancel`, then `haul send`");
        return HAUL_LIMIT;
    }
    status = reserve_buffer(journal, *size);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "cannot hold journal record %s", name);
    }
    return journal_state_reserve(&journal->state, record, error);
}

/* A write failed. Cut off what it left behind the old end, or a later append would follow it; after
 * a full disk the journal stays alive.
 * Errors: NO_SPACE (alive), others (dead). */
static enum haul_status undo_write(struct journal *journal, enum haul_status failure,
                                   struct haul_error *error)
{
    int code = errno;
    bool cut = journal->calls->ftruncate(journal->calls->context, journal->fd, journal->end) == 0;
    errno = code;
    if (failure == HAUL_NO_SPACE && cut) {
        return fail_call(journal, failure, "pwrite", error);
    }
    return die(journal, "pwrite", error);
}

enum haul_status journal_append(struct journal *journal, const struct journal_record *record,
                                bool sync, struct haul_error *error)
{
    enum haul_status status = check_alive(journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t size = 0;
    status = reserve(journal, record, &size, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct journal_frame frame = {
        .seed = journal->seed,
        .flags = journal->unsynced ? 0 : JOURNAL_FRAME_AFTER_SYNC,
        .number = journal->state.record_count + 1,
    };
    journal_record_encode(record, &frame, journal->buffer);
    status = durable_file_write(journal->calls, journal->fd, slice_of(journal->buffer, size),
                                journal->end);
    if (status != HAUL_OK) {
        return undo_write(journal, status, error);
    }
    journal->unsynced = true;
    if (sync) { /* J2 */
        status = journal_sync(journal, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    journal->end += size;
    journal_state_apply(&journal->state, record); /* J1 */
    PROBE3(journal_record, journal->state.role, record->type, sync);
    return HAUL_OK;
}

enum haul_status journal_sync(struct journal *journal, struct haul_error *error)
{
    enum haul_status status = check_alive(journal, error);
    if (status != HAUL_OK || !journal->unsynced) {
        return status;
    }
    if (!HAUL_PLANTED_BUG(JOURNAL_UNSYNCED) &&
        journal->calls->fdatasync(journal->calls->context, journal->fd) != 0) {
        return die(journal, "fdatasync", error);
    }
    journal->unsynced = false;
    return HAUL_OK;
}

const struct journal_state *journal_state(const struct journal *journal)
{
    return &journal->state;
}

const uint8_t *journal_job_id(const struct journal *journal)
{
    return journal->job_id;
}

const char *journal_identity(const struct journal *journal)
{
    return journal->identity;
}

bool journal_is_of(const struct journal *journal, const char *identity)
{
    return journal->identity[0] == '\0' || strcmp(journal->identity, identity) == 0;
}

bool journal_is_copy(const struct journal *journal)
{
    return journal->is_copy;
}

enum haul_status journal_remove(struct journal *journal, struct haul_error *error)
{
    enum haul_status status = check_alive(journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    enum journal_phase phase = journal->state.phase;
    if (phase != JOURNAL_PHASE_DONE && phase != JOURNAL_PHASE_NEW) {
        (void)haul_error_set(error, HAUL_INVALID, NULL, 0, "the job of %s is in phase %s",
                             journal->path, journal_phase_name(phase));
        haul_error_hint(error, "finish or abort it first");
        return HAUL_INVALID;
    }
    /* DONE must be durable before the file is removed: otherwise earlier records may come back
     * without it. */
    status = journal_sync(journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (journal->calls->unlink(journal->calls->context, journal->path) != 0) {
        return die(journal, "unlink", error);
    }
    journal->dead = HAUL_NOT_FOUND;
    return durable_file_sync_directory(journal->calls, journal->directory, error);
}
