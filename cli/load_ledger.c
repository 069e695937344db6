/* SPDX-License-Identifier: Apache-2.0 */
/* load_ledger.c — reads and writes the ledger's file. */
#include "load_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    RECORD_BYTES = 24,
    CHECKED_BYTES = 16,
    FLAG_ACKNOWLEDGED = 1,
    KIND_PUT = 1,
    KIND_DELETE = 2,
    READ_RECORDS = 4096,
};

static void put_le(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_le(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

/* FNV-1a: only has to distinguish a torn record from a complete one. */
static uint32_t check_of(const uint8_t *record)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < CHECKED_BYTES; i++) {
        hash = (hash ^ record[i]) * UINT32_C(16777619);
    }
    return hash;
}

static void encode(const struct load_entry *entry, uint8_t *record)
{
    memset(record, 0, RECORD_BYTES);
    put_le(record, entry->version, 8);
    put_le(record + 8, entry->key, 4);
    put_le(record + 12, entry->is_delete ? KIND_DELETE : KIND_PUT, 2);
    put_le(record + 14, entry->acknowledged ? FLAG_ACKNOWLEDGED : 0, 2);
    put_le(record + CHECKED_BYTES, check_of(record), 4);
}

static bool decode(const uint8_t *record, struct load_entry *entry)
{
    *entry = (struct load_entry){.version = get_le(record, 8),
                                 .key = (uint32_t)get_le(record + 8, 4),
                                 .is_delete = get_le(record + 12, 2) == KIND_DELETE,
                                 .acknowledged = get_le(record + 14, 2) == FLAG_ACKNOWLEDGED};
    return get_le(record + CHECKED_BYTES, 4) == check_of(record) && entry->version > 0;
}

static enum haul_status io_error(const char *call, const char *path, struct haul_error *error)
{
    return haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, call, errno,
                          "the ledger %s", path);
}

static enum haul_status open_error(const char *path, struct haul_error *error)
{
    bool is_name = errno == ENOENT || errno == ENOTDIR || errno == EISDIR || errno == ENAMETOOLONG;
    if (!is_name) {
        return io_error("open", path, error);
    }
    haul_error_set(error, HAUL_NOT_FOUND, "open", errno, "the ledger %s", path);
    haul_error_hint(error, "check the name: it must be a file in an existing directory");
    return HAUL_NOT_FOUND;
}

/* `*end`: the offset after the last sound record. */
static enum haul_status read_records(int fd, const char *path, off_t *end,
                                     enum haul_status (*take)(void *context,
                                                              const struct load_entry *entry),
                                     void *context, struct haul_error *error)
{
    uint8_t bytes[READ_RECORDS * RECORD_BYTES];
    *end = 0;
    for (;;) {
        ssize_t size = pread(fd, bytes, sizeof(bytes), *end);
        if (size < 0) {
            return io_error("pread", path, error);
        }
        size_t count = (size_t)size / RECORD_BYTES;
        for (size_t i = 0; i < count; i++) {
            struct load_entry entry;
            if (!decode(bytes + i * RECORD_BYTES, &entry)) {
                return HAUL_OK;
            }
            enum haul_status status = take(context, &entry);
            if (status != HAUL_OK) {
                return status;
            }
            *end += RECORD_BYTES;
        }
        if (count == 0) {
            return HAUL_OK;
        }
    }
}

/* Less than one record: the start of a first record, perhaps zeros after a crash, or a foreign
 * file. */
static bool may_be_torn(const uint8_t *bytes, size_t size)
{
    static const uint8_t largest[RECORD_BYTES] = {
        1,    0,    0,    0,    0, 0, 0, 0, /* version */
        0xff, 0xff, 0xff, 0xff,             /* key */
        2,    0,    1,    0,                /* kind, flags */
        0xff, 0xff, 0xff, 0xff,             /* check */
    };
    bool torn = true;
    for (size_t i = 0; i < size; i++) {
        torn = torn && bytes[i] <= largest[i];
    }
    return torn;
}

/* A crash tears only the last record. A file with complete records after the tear, or with none
 * before it, is damaged or is not a ledger. */
static enum haul_status check_end(int fd, const char *path, off_t end, struct haul_error *error)
{
    uint8_t record[RECORD_BYTES];
    off_t at = end;
    ssize_t size = 0;
    bool behind = false;
    while (!behind && (size = pread(fd, record, sizeof(record), at)) == (ssize_t)sizeof(record)) {
        struct load_entry ignored;
        behind = decode(record, &ignored);
        at += RECORD_BYTES;
    }
    if (size < 0) {
        return io_error("pread", path, error);
    }
    if (behind) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                              "the ledger %s is damaged at byte %lld: complete records follow it",
                              path, (long long)end);
    }
    if (end == 0 && (at > 0 || !may_be_torn(record, (size_t)size))) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is not a ledger of --load", path);
    }
    return HAUL_OK;
}

static enum haul_status take_version(void *context, const struct load_entry *entry)
{
    uint64_t *version = context;
    *version = entry->version;
    return HAUL_OK;
}

enum haul_status load_ledger_open(struct load_ledger *ledger, const char *path,
                                  struct haul_error *error)
{
    off_t end = 0;
    *ledger = (struct load_ledger){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
    if (ledger->fd < 0) {
        return open_error(path, error);
    }
    enum haul_status status =
        read_records(ledger->fd, path, &end, take_version, &ledger->version, error);
    if (status == HAUL_OK) {
        status = check_end(ledger->fd, path, end, error);
    }
    if (status == HAUL_OK &&
        (ftruncate(ledger->fd, end) != 0 || lseek(ledger->fd, end, SEEK_SET) != end)) {
        status = io_error("ftruncate", path, error);
    }
    if (status != HAUL_OK) {
        load_ledger_close(ledger);
    }
    return status;
}

enum haul_status load_ledger_add(struct load_ledger *ledger, const struct load_entry *entry,
                                 struct haul_error *error)
{
    uint8_t record[RECORD_BYTES];
    encode(entry, record);
    ledger->version = entry->version;
    return write(ledger->fd, record, sizeof(record)) == (ssize_t)sizeof(record)
               ? HAUL_OK
               : io_error("write", "is cut short", error);
}

enum haul_status load_ledger_sync(struct load_ledger *ledger, struct haul_error *error)
{
    return fdatasync(ledger->fd) == 0 ? HAUL_OK : io_error("fdatasync", "is not durable", error);
}

void load_ledger_close(struct load_ledger *ledger)
{
    if (ledger->fd >= 0) {
        (void)close(ledger->fd);
        ledger->fd = -1;
    }
}

enum haul_status load_ledger_read(const char *path,
                                  enum haul_status (*take)(void *context,
                                                           const struct load_entry *entry),
                                  void *context, struct haul_error *error)
{
    off_t end = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return haul_error_set(error, errno == ENOENT ? HAUL_NOT_FOUND : HAUL_IO, "open", errno,
                              "the ledger %s", path);
    }
    enum haul_status status = read_records(fd, path, &end, take, context, error);
    if (status == HAUL_OK) {
        status = check_end(fd, path, end, error);
    }
    if (status == HAUL_OK && end == 0) {
        status =
            haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                           "the ledger %s has no complete record: there is nothing to check", path);
    }
    (void)close(fd);
    return status;
}
