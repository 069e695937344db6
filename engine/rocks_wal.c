/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_wal.c — reading the write-ahead log, with proof that nothing of it is missing.
 *
 * RocksDB answers a read of purged log with OK: either with the first batch that is left, or with
 * no batch at all. So nothing is believed but the numbers:
 *   W1 the first batch begins at or before the wanted sequence number
 *   W2 every next batch begins right behind the last one's records
 *   W3 "no more" is only true when the next number to read is one above the database's last
 * Anything else is a GAP. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "raw_batch.h"
#include "rocks_store.h"

/* The tail may be in flight between the log and the reader: look again so often before W3 fails. */
enum { TAIL_RETRIES_MAX = 1000 };

struct haul_wal_reader {
    struct rocks_store *store;
    rocksdb_wal_iterator_t *iterator; /* NULL: to be opened at `position` */
    rocksdb_writebatch_t *batch;      /* lent to the caller */
    uint64_t position;                /* the next number wanted */
    bool stands_on_batch;             /* the iterator's batch was taken; move on first */
};

enum haul_status rocks_wal_pin(struct haul_store *base, struct haul_error *error)
{
    char *message = NULL;
    rocksdb_disable_file_deletions(rocks_of(base)->db, &message);
    return rocks_error(message, "disable file deletions", error);
}

void rocks_wal_unpin(struct haul_store *base)
{
    char *message = NULL;
    rocksdb_enable_file_deletions(rocks_of(base)->db, 0, &message);
    rocksdb_free(message);
}

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

static void close_iterator(struct haul_wal_reader *reader)
{
    if (reader->iterator != NULL) {
        rocksdb_wal_iter_destroy(reader->iterator);
        reader->iterator = NULL;
    }
    reader->stands_on_batch = false;
}

static enum haul_status gap(const struct haul_wal_reader *reader, const char *found,
                            uint64_t sequence, struct haul_error *error)
{
    haul_error_set(error, HAUL_GAP, NULL, 0,
                   "the write-ahead log has a hole: wanted sequence %" PRIu64 ", %s %" PRIu64,
                   reader->position, found, sequence);
    haul_error_hint(error, "log files were purged, or something was written without the log; "
                           "keep more of it (WAL_ttl_seconds) and start again");
    return HAUL_GAP;
}

/* Open the iterator, or move it on. AGAIN: it has no batch now. */
static enum haul_status advance(struct haul_wal_reader *reader, struct haul_error *error)
{
    char *message = NULL;
    if (reader->iterator == NULL) {
        reader->iterator =
            rocksdb_get_updates_since(reader->store->db, reader->position, NULL, &message);
        if (message != NULL) {
            reader->iterator = NULL;
            /* "Requested sequence not yet written": whether that is true is W3's question. */
            bool not_written = strncmp(message, "NotFound", 8) == 0;
            enum haul_status status = rocks_error(message, "open log", error);
            return not_written ? HAUL_AGAIN : status;
        }
    } else if (reader->stands_on_batch) {
        rocksdb_wal_iter_next(reader->iterator);
    }
    reader->stands_on_batch = false;
    if (rocksdb_wal_iter_valid(reader->iterator)) {
        return HAUL_OK;
    }
    rocksdb_wal_iter_status(reader->iterator, &message);
    rocksdb_free(message); /* whatever it says: a new iterator and the numbers tell the truth */
    close_iterator(reader);
    return HAUL_AGAIN;
}

/* Take the batch the iterator stands on. It may be taken once only. */
static enum haul_status take_batch(struct haul_wal_reader *reader, uint64_t *sequence,
                                   uint32_t *count, struct haul_slice *data,
                                   struct haul_error *error)
{
    if (reader->batch != NULL) {
        rocksdb_writebatch_destroy(reader->batch);
    }
    uint64_t first = 0;
    reader->batch = rocksdb_wal_iter_get_batch(reader->iterator, &first);
    reader->stands_on_batch = true;
    size_t size = 0;
    const char *bytes = rocksdb_writebatch_data(reader->batch, &size);
    struct raw_batch_reader raw;
    *data = slice_of(bytes, size);
    *sequence = first;
    if (raw_batch_open(&raw, *data) != HAUL_OK) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "a log batch of %zu bytes", size);
    }
    *count = raw.count;
    return HAUL_OK;
}

/* W3. */
static enum haul_status check_tail(struct haul_wal_reader *reader, struct haul_error *error)
{
    uint64_t latest = rocksdb_get_latest_sequence_number(reader->store->db);
    if (reader->position == latest + 1) {
        return HAUL_AGAIN;
    }
    return gap(reader, "no batch up to", latest, error);
}

enum haul_status rocks_wal_next(struct haul_wal_reader *reader, struct haul_log_batch *batch,
                                struct haul_error *error)
{
    enum haul_status status = HAUL_AGAIN;
    for (int retry = 0; retry < TAIL_RETRIES_MAX; retry++) {
        status = advance(reader, error);
        if (status == HAUL_AGAIN) {
            status = check_tail(reader, error);
            if (status == HAUL_GAP) {
                continue; /* the batch may just be on its way into the file */
            }
            return status;
        }
        break;
    }
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t sequence = 0;
    uint32_t count = 0;
    status = take_batch(reader, &sequence, &count, &batch->data, error);
    if (status != HAUL_OK) {
        return status;
    }
    bool first_of_reader = sequence < reader->position && sequence + count > reader->position;
    if (sequence != reader->position && !first_of_reader) {
        return gap(reader, "found", sequence, error);
    }
    batch->sequence = sequence;
    reader->position = sequence + count;
    return HAUL_OK;
}

uint64_t rocks_wal_position(const struct haul_wal_reader *reader)
{
    return reader->position;
}

void rocks_wal_close(struct haul_wal_reader *reader)
{
    close_iterator(reader);
    if (reader->batch != NULL) {
        rocksdb_writebatch_destroy(reader->batch);
    }
    free(reader);
}
