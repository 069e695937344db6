/* SPDX-License-Identifier: Apache-2.0 */
/* verify_reader.h — reads ranges of one column family piece by piece, for a comparison with another
 * database. The contents of the records decide where a piece ends, so both databases have the same
 * pieces up to their first difference.
 *
 * Between two reads the reader holds nothing of the store but a place, so a database that waits for
 * its peer pins nothing. Each read sees the store as it is at that time.
 *
 * Ownership: ranges are borrowed for the life of the reader; a chunk owns its keys.
 * Thread: one at a time. */
#ifndef HAUL_VERIFY_READER_H
#define HAUL_VERIFY_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call_steps.h"
#include "digest.h"
#include "haul/migration.h"
#include "haul/store.h"

enum {
    VERIFY_PIECE_RECORDS = 64,       /* on average */
    VERIFY_PIECE_COUNT_MAX = 1024,   /* of a chunk */
    VERIFY_KEY_BYTES_MAX = 64 << 10, /* of a chunk's keys together, or one longer key */
    VERIFY_READ_BYTES_MAX = 4 << 20, /* of the records of a chunk, or one larger record */
    VERIFY_READ_RECORDS_MAX = 64 << 10,
    VERIFY_WIRE_KEY_BYTES_MAX = 8 << 10, /* bytes of a key that are sent */
};

/* A place in the ranges: after `key` in the range, or at its start. */
struct verify_place {
    size_t range;
    bool behind_key;
    struct haul_slice key; /* malloc'ed by its owner */
};

struct verify_piece {
    struct digest digest;
    size_t range;
    struct haul_slice key; /* the last key, malloc'ed; empty without keys, or at a range's end */
    bool ends_range;
};

/* The pieces of one read. */
struct verify_chunk {
    struct verify_piece pieces[VERIFY_PIECE_COUNT_MAX];
    size_t count;
    bool ended; /* no pieces follow */
};

struct verify_reader {
    struct haul_store *store;
    uint32_t family_id;
    const struct haul_range *ranges;
    size_t range_count;
    bool single;    /* each record is a piece */
    bool with_keys; /* pieces carry their last key */
    struct digest_key digest_key;
    struct verify_place place;
    size_t key_capacity;
    struct digest begun; /* the open piece that contains `place` */
    bool ended;
};

struct verify_reading {
    const char *family;
    const struct haul_range *ranges; /* no ranges: everything */
    size_t range_count;
    bool single;
    bool with_keys;
    const struct verify_place *from; /* NULL: from the start; copied */
    struct haul_slice digest_key;    /* DIGEST_KEY_BYTES; empty: none */
};

/* Errors: NOT_FOUND (the family), INVALID (no such range), UNSUPPORTED (ranges in a family that is
 * not ordered by bytes), NO_MEMORY, those of the store. A failed init needs no fini. */
enum haul_status verify_reader_init(struct verify_reader *reader, struct haul_store *store,
                                    const struct verify_reading *reading,
                                    struct haul_error *error) HAUL_MUST_CHECK;
void verify_reader_fini(struct verify_reader *reader);

/* Read the next chunk. It must be empty, and gets zero or more pieces. `steps` may be NULL.
 * Errors: STOPPED (the caller ended the steps), NO_MEMORY, those of the store. */
enum haul_status verify_reader_next(struct verify_reader *reader, const struct haul_steps *steps,
                                    struct verify_chunk *chunk,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Free the keys and empty the chunk. */
void verify_chunk_clear(struct verify_chunk *chunk);

/* Copy a key into `*copy`, whose old key is freed. False: no memory. */
bool verify_key_copy(struct haul_slice key, struct haul_slice *copy);
void verify_key_free(struct haul_slice *key);

#endif
