/* SPDX-License-Identifier: Apache-2.0 */
/* raw_batch.h — RocksDB's WriteBatch representation: built in place, and read without trust.
 *
 *   u64le sequence (0 on the wire) | u32le count | record*
 *   record: tag byte | [varint32 family id, for the family tags] | varstring key | [varstring
 * value]
 *
 * The tags are RocksDB's (db/dbformat.h of 7.8). A snapshot yields only Put; a delta adds
 * Delete, DeleteRange and, if both sides want it, LogData, which the count leaves out.
 * SingleDelete is converted into Delete before sending. The reader refuses everything else: an
 * unknown or torn record passed to rocksdb_write would leave the target read-only and unable to
 * open again. */
#ifndef HAUL_RAW_BATCH_H
#define HAUL_RAW_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "haul/status.h"

enum { RAW_BATCH_HEADER_BYTES = 12, RAW_LOG_DATA_HEAD_BYTES_MAX = 1 + VARINT32_BYTES_MAX };

enum raw_tag {
    RAW_DELETE = 0x00,
    RAW_PUT = 0x01,
    RAW_MERGE = 0x02,
    RAW_LOG_DATA = 0x03,
    RAW_FAMILY_DELETE = 0x04,
    RAW_FAMILY_PUT = 0x05,
    RAW_FAMILY_MERGE = 0x06,
    RAW_SINGLE_DELETE = 0x07,
    RAW_FAMILY_SINGLE_DELETE = 0x08,
    RAW_BEGIN_PREPARE = 0x09,
    RAW_END_PREPARE = 0x0a,
    RAW_COMMIT = 0x0b,
    RAW_ROLLBACK = 0x0c,
    RAW_NOOP = 0x0d,
    RAW_FAMILY_DELETE_RANGE = 0x0e,
    RAW_DELETE_RANGE = 0x0f,
    RAW_FAMILY_BLOB_INDEX = 0x10,
    RAW_BLOB_INDEX = 0x11,
    RAW_BEGIN_PERSISTED_PREPARE = 0x12,
    RAW_BEGIN_UNPREPARE = 0x13,
    RAW_COMMIT_WITH_TIMESTAMP = 0x15,
    RAW_PUT_ENTITY = 0x16,
    RAW_FAMILY_PUT_ENTITY = 0x17,
};

/* --- building --------------------------------------------------------------------------------- */

/* Writes records of any family into the caller's memory. */
struct raw_batch_writer {
    uint8_t *begin;
    uint8_t *at;
    uint8_t *end;
    uint32_t count;
};

/* `capacity_bytes` must hold at least the 12-byte header. */
void raw_batch_begin(struct raw_batch_writer *writer, uint8_t *memory, size_t capacity_bytes);

/* Bytes that a record takes. */
size_t raw_batch_put_size(uint32_t family_id, size_t key_size, size_t value_size);
size_t raw_batch_delete_size(uint32_t family_id, size_t key_size);
size_t raw_batch_delete_range_size(uint32_t family_id, size_t begin_size, size_t end_size);
size_t raw_batch_log_data_size(size_t blob_size);

/* Append. False: it does not fit, and nothing was written. */
bool raw_batch_put(struct raw_batch_writer *writer, uint32_t family_id, struct haul_slice key,
                   struct haul_slice value) HAUL_MUST_CHECK;
bool raw_batch_delete(struct raw_batch_writer *writer, uint32_t family_id,
                      struct haul_slice key) HAUL_MUST_CHECK;
bool raw_batch_delete_range(struct raw_batch_writer *writer, uint32_t family_id,
                            struct haul_slice begin, struct haul_slice end) HAUL_MUST_CHECK;
/* LogData of no family, which does not count as a record. */
bool raw_batch_log_data(struct raw_batch_writer *writer, struct haul_slice blob) HAUL_MUST_CHECK;

/* One LogData as it lies in a batch, at `at`, which has raw_batch_log_data_size bytes. Returns its
 * end. */
uint8_t *raw_log_data_encode(uint8_t *at, struct haul_slice blob);

/* Write the count into the header. Returns the size of the whole batch. */
size_t raw_batch_finish(struct raw_batch_writer *writer);

/* --- walking ---------------------------------------------------------------------------------- */

/* One record; `value` is the end key of a DeleteRange, or the blob of LogData. */
struct raw_record {
    enum raw_tag tag;   /* as found */
    enum raw_tag kind;  /* the tag without its family form: RAW_FAMILY_PUT is RAW_PUT */
    uint32_t family_id; /* 0 for the short forms */
    struct haul_slice key;
    struct haul_slice value;
    struct haul_slice whole; /* the record's bytes, tag included */
};

struct raw_batch_reader {
    struct cursor cursor;
    uint64_t sequence;
    uint32_t count; /* from the header */
    uint32_t seen;  /* counted records read so far */
};

/* Errors: CORRUPT (shorter than its header). */
enum haul_status raw_batch_open(struct raw_batch_reader *reader,
                                struct haul_slice batch) HAUL_MUST_CHECK;
/* The next record. Errors: NOT_FOUND (valid end: all bytes used, the count agrees), CORRUPT (torn
 * record, unknown tag, wrong count). Reads every known tag, and keys of any size; the caller
 * decides what to refuse. */
enum haul_status raw_batch_next(struct raw_batch_reader *reader,
                                struct raw_record *record) HAUL_MUST_CHECK;

#endif
