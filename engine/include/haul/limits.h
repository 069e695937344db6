/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h — every limit of haul that a program or a user can meet, once. More is refused with
 * LIMIT or INVALID and the number. */
#ifndef HAUL_LIMITS_H
#define HAUL_LIMITS_H

#include <stdint.h>

enum {
    HAUL_FAMILY_COUNT_MAX = 256,    /* column families of a store */
    HAUL_RANGE_COUNT_MAX = 1024,    /* ranges of a job */
    HAUL_LINK_COUNT_MAX = 16,       /* data links of a job */
    HAUL_READER_COUNT_MAX = 64,     /* threads that read a source */
    HAUL_APPLIER_COUNT_MAX = 16,    /* threads that write a target */
    HAUL_DIRECTORY_BYTES_MAX = 900, /* of a database's path; with the NUL */
    HAUL_NAME_BYTES_MAX = 128,      /* of column families, comparators, operators; with the NUL */
    HAUL_IDENTITY_BYTES_MAX = 64,
    HAUL_SECRET_BYTES_MAX = 64,
    HAUL_KEY_BYTES_MAX = 8 << 20, /* RocksDB's own */
};
/* One record with its value (RocksDB's own limit is 4 GiB). */
#define HAUL_RECORD_BYTES_MAX (UINT64_C(1) << 30)

#endif
