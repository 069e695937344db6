/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h — every limit, default and fixed size that a program or a user of haul can meet, in one
 * place. A value above a limit is refused with LIMIT or INVALID, and the message has the number.
 *
 * A size that dimensions an array of a public struct does not change while the library keeps its
 * SONAME (haul/version.h). */
#ifndef HAUL_LIMITS_H
#define HAUL_LIMITS_H

#include <stdint.h>

/* --- sizes ------------------------------------------------------------------------------------ */

enum {
    HAUL_ID_BYTES = 16,             /* random ids: of jobs, sessions and tokens */
    HAUL_JOB_BYTES = HAUL_ID_BYTES, /* of a job's id */
    HAUL_NAME_BYTES_MAX = 128,      /* of column families, comparators, operators; with the NUL */
    HAUL_IDENTITY_BYTES_MAX = 64,   /* of a database's identity; with the NUL */
    HAUL_DIRECTORY_BYTES_MAX = 900, /* of a database's path; with the NUL */
    HAUL_SECRET_BYTES_MAX = 64,
    HAUL_KEY_BYTES_MAX = 8 << 20, /* RocksDB's own */
    HAUL_DIGEST_TEXT_BYTES = 33,  /* hexadecimal; with the NUL */
    HAUL_REASON_BYTES_MAX = 256,
    HAUL_JOB_TEXT_BYTES_MAX = 128,
    HAUL_ADDRESS_TEXT_BYTES_MAX = 128, /* "ADDR:PORT" */
    HAUL_LOG_DATA_BYTES_MAX = 256,     /* one piece of LogData from a hook or an attached store */
};
/* One record with its value (RocksDB's own limit is 4 GiB). */
#define HAUL_RECORD_BYTES_MAX (UINT64_C(1) << 30)

/* --- counts ----------------------------------------------------------------------------------- */

enum {
    HAUL_FAMILY_COUNT_MAX = 256, /* column families of a store */
    HAUL_RANGE_COUNT_MAX = 1024, /* ranges of a job */
    HAUL_LINK_COUNT_MAX = 16,    /* data links of a job, or of a benchmark */
    HAUL_READER_COUNT_MAX = 64,  /* threads that read a source */
    HAUL_APPLIER_COUNT_MAX = 16, /* threads that write a target */
    HAUL_TARGET_JOBS_MAX = 16,   /* jobs that a target runs at the same time */
    HAUL_OPTION_DIFFERENCES_MAX = 64,
    HAUL_TRANSPORT_LIST_MAX = 8,
};

/* --- links ------------------------------------------------------------------------------------ */

enum {
    HAUL_PORT_DEFAULT = 7447,
    HAUL_SLOT_COUNT_DEFAULT = 16,
    HAUL_SLOT_COUNT_MAX = 256,
    /* A slot holds the 64-byte header and the payload. */
    HAUL_SLOT_SIZE_BYTES_DEFAULT = 4 << 20,
    HAUL_SLOT_SIZE_BYTES_MIN = 4 << 10,
    HAUL_SLOT_SIZE_BYTES_MAX = 64 << 20,
    HAUL_BATCH_SIZE_BYTES_MIN = 64,
    HAUL_BATCH_SIZE_BYTES_MIN_DEFAULT = 1 << 20,
    HAUL_BATCH_SIZE_BYTES_MAX_DEFAULT = 4 << 20,
    HAUL_PEER_TIMEOUT_MS_DEFAULT = 5000,
    HAUL_PEER_TIMEOUT_MS_MIN = 100,
    HAUL_PEER_TIMEOUT_MS_MAX = 600000,
    HAUL_SPIN_US_DEFAULT = 20,
};

/* --- jobs ------------------------------------------------------------------------------------- */

enum {
    HAUL_FREEZE_MAX_MS_DEFAULT = 500,
    HAUL_RETRY_MAX_MS_DEFAULT = 30000,
    HAUL_LAG_BYTES_MAX_DEFAULT = 1 << 20,
    HAUL_TARGET_JOBS_DEFAULT = 4, /* of `haul recv`; a program has 1 */
    HAUL_TABLE_SIZE_BYTES_DEFAULT = 64 << 20,
};

/* --- names ------------------------------------------------------------------------------------ */

/* The comparators of RocksDB whose order haul knows. Ranges can be moved only in families with the
 * first; a family with any other comparator moves as a whole. */
#define HAUL_COMPARATOR_BYTEWISE "leveldb.BytewiseComparator"
#define HAUL_COMPARATOR_REVERSE "rocksdb.ReverseBytewiseComparator"

#endif
