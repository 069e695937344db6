/* SPDX-License-Identifier: Apache-2.0 */
/* database_secret.c — the file, and what proves that somebody has it.
 *
 *   0 "HAULSEC1"   8 the secret (32)   40 u32 CRC-32C of bytes 0..39
 *
 * Whoever creates the name writes the file and syncs it before he uses it. So an unsound file is
 * not finished yet, or was not when the power failed, or is damaged; after a while it is made anew.
 * A sound one may come from a process that was killed before it had synced, or whose sync failed:
 * whoever reads it writes the same again and syncs it before he uses it. */
#include "database_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "durable_file.h"
#include "haul_folder.h"

enum { MAGIC_BYTES = 8, CRC_AT = MAGIC_BYTES + DATABASE_SECRET_BYTES, FILE_BYTES = CRC_AT + 4 };

static const char magic[MAGIC_BYTES + 1] = "HAULSEC1";

static bool is_sound(const uint8_t *bytes, size_t size)
{
    return size == FILE_BYTES && memcmp(bytes, magic, MAGIC_BYTES) == 0 &&
           get_u32(bytes + CRC_AT) == crc32c(bytes, CRC_AT);
}

/* `*writable` false: the owner has made it read-only.
 * Errors: NOT_FOUND, CORRUPT (no regular file), IO. */
static enum haul_status open_file(const struct file_calls *calls, const char *path, int *fd,
                                  bool *writable, struct haul_error *error)
{
    enum haul_status status = durable_file_open(calls, path, O_RDWR | O_NOFOLLOW, fd, error);
    *writable = status == HAUL_OK;
    if (status == HAUL_IO && error->code == EACCES) {
        status = durable_file_open(calls, path, O_RDONLY | O_NOFOLLOW, fd, error);
    }
    if (status == HAUL_CORRUPT) {
        haul_error_hint(error, "`mv DIR/haul/secret DIR/haul/secret.aside`, and put a backup of it "
                               "there if there is one; docs/OPERATIONS.md, D3");
    }
    return status;
}

/* Errors: NO_SPACE, IO, others of writing. */
static enum haul_status write_again(const struct file_calls *calls, int fd, bool writable,
                                    const uint8_t *bytes, const char *path,
                                    struct haul_error *error)
{
    enum haul_status status =
        writable ? durable_file_write(calls, fd, slice_of(bytes, FILE_BYTES), 0) : HAUL_OK;
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "pwrite", errno, "cannot write %s again", path);
    }
    if (calls->fsync(calls->context, fd) != 0) {
        int code = errno;
        status = haul_error_set(error, durable_file_status(code), "fsync", code,
                                "cannot make %s durable", path);
    }
    return status;
}

/* Errors: NOT_FOUND (none, or an unsound one), CORRUPT (no regular file), NO_MEMORY, those of
 * write_again. */
static enum haul_status read_file(const struct file_calls *calls, const char *path,
                                  struct database_secret *secret, struct haul_error *error)
{
    int fd = -1;
    bool writable = false;
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = open_file(calls, path, &fd, &writable, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_read(calls, fd, FILE_BYTES, &bytes, &size);
    if (status == HAUL_LIMIT || (status == HAUL_OK && !is_sound(bytes, size))) {
        status = HAUL_NOT_FOUND;
    } else if (status != HAUL_OK) {
        status = haul_error_set(error, status, "pread", errno, "cannot read %s", path);
    } else {
        status = write_again(calls, fd, writable, bytes, path, error);
    }
    (void)calls->close(calls->context, fd);
    if (status == HAUL_OK) {
        memcpy(secret->bytes, bytes + MAGIC_BYTES, DATABASE_SECRET_BYTES);
    }
    if (bytes != NULL) {
        explicit_bzero(bytes, size);
        free(bytes);
    }
    return status;
}

/* Errors: EXISTS (somebody else was faster), NO_SPACE, IO. */
static enum haul_status make_file(const struct file_calls *calls, const char *directory,
                                  const char *path, struct haul_error *error)
{
    uint8_t bytes[FILE_BYTES];
    int fd = -1;
    memcpy(bytes, magic, MAGIC_BYTES);
    if (calls->random(calls->context, bytes + MAGIC_BYTES, DATABASE_SECRET_BYTES) != 0) {
        return haul_error_set(error, HAUL_IO, "getrandom", errno, "no random numbers");
    }
    put_u32(bytes + CRC_AT, crc32c(bytes, CRC_AT));
    enum haul_status status =
        durable_file_open(calls, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, &fd, error);
    if (status != HAUL_OK) {
        explicit_bzero(bytes, sizeof(bytes));
        return status;
    }
    status = durable_file_write(calls, fd, slice_of(bytes, sizeof(bytes)), 0);
    if (status == HAUL_OK && calls->fsync(calls->context, fd) != 0) {
        status = durable_file_status(errno);
    }
    int code = errno;
    explicit_bzero(bytes, sizeof(bytes));
    (void)calls->close(calls->context, fd);
    if (status != HAUL_OK) {
        (void)calls->unlink(calls->context, path);
        return haul_error_set(error, status, "write", code, "cannot write %s", path);
    }
    return durable_file_sync_directory(calls, directory, error);
}

enum haul_status database_secret_begin(struct haul_store *store, struct database_secret *secret,
                                       struct haul_error *error)
{
    enum { ATTEMPTS_MAX = 50, PAUSE_MS = 10 };
    const struct file_calls *calls = file_calls_or_system(haul_files_of(store));
    char directory[DURABLE_FILE_PATH_BYTES_MAX];
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    enum haul_status status = durable_file_path(directory, "secret", path, error);
    for (int i = 0; status == HAUL_OK; i++) {
        status = read_file(calls, path, secret, error);
        if (status != HAUL_NOT_FOUND) {
            return status == HAUL_OK ? durable_file_sync_directory(calls, directory, error)
                                     : status;
        }
        status = make_file(calls, directory, path, error);
        if (status == HAUL_EXISTS && i < ATTEMPTS_MAX) {
            calls->pause(calls->context, PAUSE_MS); /* its maker is about to finish it */
            status = HAUL_OK;
        } else if (status == HAUL_EXISTS) { /* he never will */
            status = durable_file_remove(calls, directory, "secret", error);
        }
    }
    return status;
}

enum haul_status database_secret_proof(const struct database_secret *secret,
                                       const uint8_t job[HAUL_JOB_BYTES],
                                       struct source_proof *proof)
{
    static const char purpose[] = "proof";
    enum { PURPOSE_BYTES = sizeof(purpose) };
    uint8_t message[PURPOSE_BYTES + HAUL_JOB_BYTES];
    unsigned size = 0;
    memcpy(message, purpose, PURPOSE_BYTES);
    memcpy(message + PURPOSE_BYTES, job, HAUL_JOB_BYTES);
    proof->given = HMAC(EVP_sha256(), secret->bytes, DATABASE_SECRET_BYTES, message,
                        sizeof(message), proof->bytes, &size) != NULL &&
                   size == SOURCE_PROOF_BYTES;
    return proof->given ? HAUL_OK : HAUL_INTERNAL;
}
