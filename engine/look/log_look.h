/* SPDX-License-Identifier: Apache-2.0 */
/* log_look.h — examines the log files of a closed database: would RocksDB replay every record, and
 * does one of them hold what haul cannot move?
 *
 * At damage, RocksDB by default replays what comes before it and removes the rest with the file;
 * its wal_recovery_mode decides (rocks_damage.c). A write that a crash has torn is no loss, because
 * no complete record follows it. But complete records after the damage had been acknowledged.
 *
 * Thread: any. */
#ifndef HAUL_LOG_LOOK_H
#define HAUL_LOG_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

enum { LOG_LOOK_TEXT_BYTES_MAX = 256, LOG_LOOK_FAMILIES_MAX = 64 };

struct log_look {
    uint64_t file_count;
    uint64_t record_count;
    bool is_opaque; /* compressed, not by zstd: checked only for damage */
    /* Complete records follow the damage, which `damage` describes. */
    bool loses_records;
    char damage[LOG_LOOK_TEXT_BYTES_MAX];
    bool is_damaged_within; /* not only by a file that ends within a record */
    /* A transaction that is prepared and neither committed nor rolled back. */
    bool has_prepared;
    char prepared[LOG_LOOK_TEXT_BYTES_MAX]; /* its name */
    bool has_persisted_prepare; /* of the policies write-prepared and write-unprepared */
    bool has_blob_index;        /* of the old BlobDB */
    uint64_t last_sequence;     /* of the last complete record; 0: none, or opaque */
    uint32_t merge_families[LOG_LOOK_FAMILIES_MAX]; /* ids of the first families with merges */
    size_t merge_family_count;
};

/* Look at the files of `directory`. Those below number `min_number` matter only for prepared
 * transactions.
 * Errors: VERSION (records that only a later release knows), IO, NO_MEMORY. */
enum haul_status log_look(const char *directory, uint64_t min_number, struct log_look *look,
                          struct haul_error *error) HAUL_MUST_CHECK;

/* Is this the name of a log file? */
bool log_look_is_log(const char *name);

#endif
