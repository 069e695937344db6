/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_damage.c — a copy of a damaged log, and what RocksDB will do with it. */
#include "rocks_damage.h"

#include <stddef.h>

#include "log_rescue.h"
#include "rocks_store.h"

/* RocksDB's WALRecoveryMode, by number and by its name in the OPTIONS file. */
enum {
    MODE_TOLERATE_TAILS = 0,
    MODE_ABSOLUTE = 1,
    MODE_POINT_IN_TIME = 2,
    MODE_SKIP_ANY = 3,
    MODE_COUNT
};

static const char *mode_name(int mode)
{
    static const char *const names[MODE_COUNT] = {"kTolerateCorruptedTailRecords",
                                                  "kAbsoluteConsistency", "kPointInTimeRecovery",
                                                  "kSkipAnyCorruptedRecords"};
    return mode >= 0 && mode < MODE_COUNT ? names[mode] : "unknown";
}

/* What happens to the complete records behind the damage. */
static const char *effect_of(const struct log_look *log, int mode, bool paranoid_checks)
{
    if (mode == MODE_SKIP_ANY || (mode == MODE_TOLERATE_TAILS && !log->is_damaged_within)) {
        return ", which RocksDB reads: only the damaged records are lost";
    }
    if (!paranoid_checks) {
        return ", which RocksDB reads if it can";
    }
    return mode == MODE_POINT_IN_TIME ? ", which RocksDB will not read"
                                      : "; RocksDB refuses to open such a database";
}

enum haul_status rocks_damage_keep(const struct store_look *look,
                                   const struct haul_rocks_options *options, int recovery_mode,
                                   bool paranoid_checks, struct haul_error *error)
{
    char copy[ROCKS_PATH_BYTES_MAX] = "";
    enum haul_status status = HAUL_OK;
    if (!look->log.loses_records) {
        return HAUL_OK;
    }
    if (!options->read_only) {
        status = log_rescue(look->directory, look->wal_dir, copy, sizeof(copy), error);
    }
    if (status == HAUL_OK) {
        haul_log(options->log, HAUL_LOG_WARNING,
                 "the log is damaged (%s), and complete records follow the damage%s "
                 "(wal_recovery_mode %s%s): %s%s",
                 look->log.damage, effect_of(&look->log, recovery_mode, paranoid_checks),
                 mode_name(recovery_mode), paranoid_checks ? "" : ", paranoid_checks off",
                 copy[0] == '\0' ? "the log is left as it is" : "a copy is in ", copy);
    }
    return status;
}
