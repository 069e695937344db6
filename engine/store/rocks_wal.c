/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_wal.c — reads the write-ahead log and proves that no record of it is missing.
 *
 * RocksDB returns OK when a purged part of the log is read: with the first batch that is left, or
 * with no batch at all. So only the sequence numbers count:
 *   W1 the first batch begins at or before the wanted sequence number, and reaches it
 *   W2 every next batch begins right behind the last one's records
 *   W3 "no more" is only true when the next number to read is one above the database's last
 * Anything else is a GAP.
 *
 * The iterator is kept at the tail, where RocksDB lets it continue once there is more, because a
 * new one reads the log file from its beginning. A new one is created only when the old one cannot
 * continue:
 *
 *     none --open_iterator--> on a batch <--move_on--> at the tail (status OK)
 *      ^                          |                        |
 *      +------- close_iterator ---+------------------------+   (any other status) */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "raw_batch.h"
#include "rocks_store.h"

/* Checks of the tail before a missing number counts as a GAP. A record is in the log before the
 * database counts it, but its file may be moving to the archive at this moment. */
enum { TAIL_LOOKS_MAX = 16 };

struct haul_wal_reader {
    struct rocks_store *store;
    rocksdb_wal_iterator_t *iterator; /* NULL: to be opened at `position` */
    rocksdb_writebatch_t *batch;      /* lent to the caller */
    uint64_t position;                /* the next number wanted */
};

enum haul_status rocks_wal_pin(struct haul_store *base, struct haul_error *error)
{
    char *message = NULL;
    if (rocks_of(base)->read_only) {
        return HAUL_OK; /* nothing would remove a file */
    }
    rocksdb_disable_file_deletions(rocks_of(base)->db, &message);
    return rocks_error(message, "disable file deletions", error);
}

void rocks_wal_unpin(struct haul_store *base)
{
    char *message = NULL;
    if (rocks_of(base)->read_only) {
        return;
    }
#ifdef HAUL_ROCKSDB_COUNTED_DELETIONS
    rocksdb_enable_file_deletions(rocks_of(base)->db, &message); /* from RocksDB 9 on */
#else
    rocksdb_enable_file_deletions(rocks_of(base)->db, 0, &message); /* 0: count down by one */
#endif
    rocksdb_free(message);
}

static enum haul_status gap(uint64_t wanted, const char *found, uint64_t sequence,
                            struct haul_error *error)
{
    haul_error_set(error, HAUL_GAP, NULL, 0,
                   "the write-ahead log has a hole: wanted sequence %" PRIu64 ", %s %" PRIu64,
                   wanted, found, sequence);
    haul_error_hint(error, "log files were purged, or something was written without the log; "
                           "keep more of it (WAL_ttl_seconds) and start again");
    return HAUL_GAP;
}

/* --- moving the iterator ---------------------------------------------------------------------- */

static void close_iterator(struct haul_wal_reader *reader)
{
    if (reader->iterator != NULL) {
        rocksdb_wal_iter_destroy(reader->iterator);
        reader->iterator = NULL;
    }
}

/* Is it damage, and not only a hole? For a hole the numbers give the better text. */
static bool is_damage(const char *message)
{
    bool is_hole = strstr(message, "Gap in sequence") != NULL;
    return (strncmp(message, "Corruption", 10) == 0 && !is_hole) ||
           (strncmp(message, "IO error", 8) == 0 && strstr(message, "No such file") == NULL);
}

/* After a move: on a batch, at the tail (AGAIN), or closed again (AGAIN). */
static enum haul_status after_move(struct haul_wal_reader *reader, struct haul_error *error)
{
    if (rocksdb_wal_iter_valid(reader->iterator)) {
        return HAUL_OK;
    }
    char *message = NULL;
    rocksdb_wal_iter_status(reader->iterator, &message);
    if (message == NULL) {
        return HAUL_AGAIN;
    }
    close_iterator(reader);
    if (is_damage(message)) {
        return rocks_error(message, "read log", error);
    }
    rocksdb_free(message); /* usually "create a new iterator to fetch the new tail" */
    return HAUL_AGAIN;
}

static enum haul_status open_iterator(struct haul_wal_reader *reader, struct haul_error *error)
{
    char *message = NULL;
    reader->iterator =
        rocksdb_get_updates_since(reader->store->db, reader->position, NULL, &message);
    if (message == NULL) {
        enum haul_status status = after_move(reader, error);
        if (status != HAUL_OK) {
            /* With empty log files the iterator has no file open, and moving it crashes RocksDB:
             * keep only one that has been on a batch. */
            close_iterator(reader);
        }
        return status;
    }
    reader->iterator = NULL;
    if (strncmp(message, "NotFound", 8) == 0) {
        rocksdb_free(message); /* "not yet written": W3 decides whether that is true */
        return HAUL_AGAIN;
    }
    return rocks_error(message, "open log", error);
}

static enum haul_status move_on(struct haul_wal_reader *reader, struct haul_error *error)
{
    if (reader->iterator == NULL) {
        return open_iterator(reader, error);
    }
    rocksdb_wal_iter_next(reader->iterator);
    return after_move(reader, error);
}

/* Move to the next batch, or AGAIN by W3. */
static enum haul_status find_batch(struct haul_wal_reader *reader, struct haul_error *error)
{
    rocksdb_t *db = reader->store->db;
    uint64_t latest = 0;
    for (int look = 0; look < TAIL_LOOKS_MAX; look++) {
        enum haul_status status = move_on(reader, error);
        if (status != HAUL_AGAIN) {
            return status;
        }
        latest = rocksdb_get_latest_sequence_number(db);
        if (reader->position == latest + 1) {
            return HAUL_AGAIN;
        }
        if (look == 0 && !reader->store->read_only) {
            /* A database with manual log flush holds the tail in memory. */
            char *message = NULL;
            rocksdb_flush_wal(db, 0, &message);
            rocksdb_free(message);
        } else {
            close_iterator(reader);
        }
    }
    return gap(reader->position, "no batch up to", latest, error);
}

/* --- reading ---------------------------------------------------------------------------------- */

enum haul_status rocks_wal_open(struct haul_store *base, uint64_t sequence,
                                struct haul_wal_reader **out, struct haul_error *error)
{
    struct haul_wal_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a log reader");
    }
    reader->store = rocks_of(base);
    reader->position = sequence;
    *out = reader;
    return HAUL_OK;
}

static void release_batch(struct haul_wal_reader *reader)
{
    if (reader->batch != NULL) {
        rocksdb_writebatch_destroy(reader->batch);
        reader->batch = NULL;
    }
}

/* Take the iterator's current batch: it is moved out, so only once. */
static enum haul_status take_batch(struct haul_wal_reader *reader, struct haul_log_batch *batch,
                                   uint32_t *count, struct haul_error *error)
{
    reader->batch = rocksdb_wal_iter_get_batch(reader->iterator, &batch->sequence);
    size_t size = 0;
    const char *bytes = rocksdb_writebatch_data(reader->batch, &size);
    batch->data = slice_of(bytes, size);
    struct raw_batch_reader raw;
    if (raw_batch_open(&raw, batch->data) != HAUL_OK) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "a log batch of %zu bytes", size);
    }
    *count = raw.count;
    return HAUL_OK;
}

enum haul_status rocks_wal_next(struct haul_wal_reader *reader, struct haul_log_batch *batch,
                                struct haul_error *error)
{
    struct haul_log_batch found;
    uint32_t count = 0;
    release_batch(reader);
    enum haul_status status = find_batch(reader, error);
    if (status == HAUL_OK) {
        status = take_batch(reader, &found, &count, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    bool follows = found.sequence == reader->position;   /* W2 */
    bool encloses = found.sequence < reader->position && /* W1 */
                    found.sequence + count > reader->position;
    if (!follows && !encloses) {
        /* A reader that met a hole must not step over it on the next call. */
        close_iterator(reader);
        return gap(reader->position, "found", found.sequence, error);
    }
    reader->position = found.sequence + count;
    *batch = found;
    return HAUL_OK;
}

uint64_t rocks_wal_position(const struct haul_wal_reader *reader)
{
    return reader->position;
}

void rocks_wal_close(struct haul_wal_reader *reader)
{
    release_batch(reader);
    close_iterator(reader);
    free(reader);
}
