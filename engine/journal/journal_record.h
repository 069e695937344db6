/* SPDX-License-Identifier: Apache-2.0 */
/* journal_record.h — the records of a job's journal: their meaning, their bytes, their frame.
 * Pure: no file is touched here. docs/PROTOCOL.md has the same format independent of the code.
 *
 *   frame: u32 body size | u16 type | u16 flags | u64 number | body | u32 CRC-32C
 *
 * All integers are little-endian. Numbers count from 1 without holes. The checksum covers the
 * frame up to itself and starts from the file's random seed, so that bytes of another file, or of
 * an earlier life of these disk blocks, are never taken for a record. An encoding is canonical:
 * decoding and encoding again gives the same bytes. */
#ifndef HAUL_JOURNAL_RECORD_H
#define HAUL_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "haul/slice.h"
#include "haul/status.h"
#include "haul/store.h"
#include "stream_position.h"

enum {
    JOURNAL_FRAME_HEADER_BYTES = 16,
    JOURNAL_FRAME_BYTES = JOURNAL_FRAME_HEADER_BYTES + 4, /* without the body */
    JOURNAL_BODY_BYTES_MAX = 16 << 20,
    JOURNAL_PLAN_BYTES_MAX = 1 << 20,
    JOURNAL_TEXT_BYTES_MAX = 255,
    JOURNAL_ADDRESS_BYTES_MAX = 127,
    JOURNAL_POSITIONS_MAX = 256, /* in one record */
};

enum journal_role {
    JOURNAL_SOURCE = 1,
    JOURNAL_TARGET = 2,
};

/* Name, value, the sides that write it (1 source, 2 target, 3 both). Values are part of the file:
 * append only. */
#define JOURNAL_TYPE_LIST(X) \
    X(PLAN, 1, 3)            \
    X(ABORTED, 2, 3)         \
    X(DONE, 3, 3)            \
    X(PEER, 4, 3)            \
    X(SNAPSHOT, 16, 1)       \
    X(FROZEN, 17, 1)         \
    X(UNFROZEN, 18, 1)       \
    X(DECISION, 19, 1)       \
    X(RELEASED, 20, 1)       \
    X(RESTORED, 21, 1)       \
    X(PARTED, 22, 1)         \
    X(POSITION, 32, 2)       \
    X(DELTA, 33, 2)          \
    X(PREPARED, 34, 2)       \
    X(COMMITTED, 35, 2)      \
    X(CLEARED, 36, 2)        \
    X(EPOCH, 37, 2)          \
    X(FAMILY, 38, 2)         \
    X(HELD, 39, 2)

enum journal_type {
#define JOURNAL_TYPE_ENUM(name, value, sides) JOURNAL_##name = value,
    JOURNAL_TYPE_LIST(JOURNAL_TYPE_ENUM)
#undef JOURNAL_TYPE_ENUM
};

enum journal_frame_flags {
    /* Everything before this record was durable when it was written. A sound record with this flag
     * after an unsound one proves that the unsound one was damaged later, not torn by a crash. */
    JOURNAL_FRAME_AFTER_SYNC = 1 << 0,
};

/* The job gave up. `status` is never OK. */
struct journal_aborted {
    enum haul_status status;
    struct haul_slice text; /* at most JOURNAL_TEXT_BYTES_MAX */
};

/* The database at the other end of the job, for good; `address` is its last known address, for an
 * operator. */
struct journal_peer {
    struct haul_slice identity; /* 1 to HAUL_IDENTITY_BYTES_MAX - 1 bytes, none of them 0 */
    struct haul_slice address;  /* at most JOURNAL_ADDRESS_BYTES_MAX */
};

/* The scan reads the view at `sequence`; the log is replayed from `wal_sequence` on. A second one
 * replaces the first after a restart of the source. */
struct journal_snapshot {
    uint64_t sequence;
    uint64_t wal_sequence;
};

/* The single record that decides who owns the range. */
struct journal_decision {
    bool commit;
    uint64_t old_version;
    uint64_t new_version;
    uint64_t epoch;
};

/* All delta batches before `next_batch`, and so all of the source's log up to `wal_sequence`, are
 * durable in the target. */
struct journal_delta {
    uint64_t next_batch;
    uint64_t wal_sequence;
};

struct journal_family_digest {
    uint32_t family_id; /* the target's */
    struct digest digest;
};

/* The target can commit and, from here on, may not give up on its own. */
struct journal_prepared {
    uint64_t old_version;
    uint64_t new_version;
    uint64_t epoch;
    uint64_t frozen_sequence; /* the source's */
    uint32_t digest_count;
    struct journal_family_digest digests[HAUL_FAMILY_COUNT_MAX];
};

struct journal_committed {
    uint64_t new_version;
    uint64_t epoch;
};

/* How far the target's database had come when it held all records; a later comparison shows whether
 * anything else has changed it since. */
struct journal_held {
    uint64_t sequence;       /* the greatest sequence number */
    uint64_t manifest;       /* number of RocksDB's MANIFEST; 0: unknown */
    uint64_t manifest_bytes; /* of it */
};

/* Slices and `positions` are borrowed. */
struct journal_record {
    enum journal_type type;
    union {
        struct haul_slice plan; /* opaque here; at most JOURNAL_PLAN_BYTES_MAX, not empty */
        struct journal_aborted aborted;
        struct journal_peer peer;
        struct journal_snapshot snapshot;
        uint64_t frozen_sequence;
        struct journal_decision decision;
        struct {
            const struct stream_position *items; /* each stream once, no deltas */
            size_t count;                        /* 1 to JOURNAL_POSITIONS_MAX */
        } positions;
        struct journal_delta delta;
        const struct journal_prepared *prepared;
        struct journal_committed committed;
        struct journal_held held;
        uint64_t epoch; /* EPOCH: attempts of the source before this one are fenced; from 1 */
        /* FAMILY: the name of a column family that is created for the job and dropped with it. */
        struct haul_slice family; /* 1 to HAUL_NAME_BYTES_MAX - 1 bytes, none of them 0 */
    };
};

/* Where decoding puts what does not fit into a journal_record. */
struct journal_scratch {
    struct stream_position positions[JOURNAL_POSITIONS_MAX];
    struct journal_prepared prepared;
};

struct journal_frame {
    uint32_t seed;
    uint16_t flags;
    uint64_t number;
};

/* "POSITION", or "UNKNOWN". */
const char *journal_type_name(enum journal_type type);
bool journal_type_is_of(enum journal_type type, enum journal_role role);

/* Bytes of the whole frame. Errors: INVALID (a field is outside its bounds), LIMIT (the body would
 * be larger than JOURNAL_BODY_BYTES_MAX: make two records of it). */
enum haul_status journal_record_size(const struct journal_record *record,
                                     size_t *size) HAUL_MUST_CHECK;

/* Write the frame into `memory`, which has room for journal_record_size(record) bytes. */
void journal_record_encode(const struct journal_record *record, const struct journal_frame *frame,
                           uint8_t *memory);

/* Read the record at the start of `bytes`. In: frame->seed. Out: frame->flags and ->number,
 * `*record` (borrows `bytes` and `scratch`), `*size` of its frame.
 * Errors: NOT_FOUND (no sound frame here: torn, foreign or damaged), CORRUPT (the frame is sound,
 * but this version writes no such body). */
enum haul_status journal_record_decode(struct haul_slice bytes, struct journal_frame *frame,
                                       struct journal_scratch *scratch,
                                       struct journal_record *record, size_t *size) HAUL_MUST_CHECK;

/* Is there a sound frame at the start of `bytes`? Fills in flags, number and size; does not decode
 * the body. */
bool journal_frame_check(struct haul_slice bytes, struct journal_frame *frame, size_t *size);

#endif
