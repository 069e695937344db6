/* SPDX-License-Identifier: Apache-2.0 */
/* feature_gate.c — one function for each reason to refuse, and the list of them. */
#include "feature_gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "haul/store.h"

#define HINT_EMBED "embed libhaul in the program that has it"

/* --- objects that RocksDB creates by name ----------------------------------------------------- */

static const char *const comparators[] = {
    HAUL_COMPARATOR_BYTEWISE,
    HAUL_COMPARATOR_REVERSE,
};

/* Without RocksDB's "MergeSortOperator", which reads past the end of unsuitable operands. */
static const char *const merge_operators[] = {
    "UInt64AddOperator", "StringAppendOperator", "StringAppendTESTOperator", "MaxOperator",
    "BytesXOR",          "PutOperator",
};

static const char *const table_factories[] = {"BlockBasedTable", "PlainTable", "CuckooTable"};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    bool found = name[0] == '\0'; /* the default */
    for (size_t i = 0; i < count; i++) {
        found = found || strcmp(name, names[i]) == 0;
    }
    return found;
}

bool feature_gate_knows_comparator(const char *name)
{
    return is_among(name, comparators, sizeof(comparators) / sizeof(comparators[0]));
}

bool feature_gate_knows_merge_operator(const char *id)
{
    return is_among(id, merge_operators, sizeof(merge_operators) / sizeof(merge_operators[0]));
}

/* --- releases --------------------------------------------------------------------------------- */

static bool is_later(const struct store_look *look, const struct feature_release *release)
{
    int major = 0;
    int minor = 0;
    int fields = sscanf(look->options.version, "%d.%d", &major, &minor);
    return fields == 2 &&
           (major > release->major || (major == release->major && minor > release->minor));
}

enum haul_status feature_gate_explain(const struct store_look *look,
                                      const struct feature_release *release,
                                      enum haul_status status, struct haul_error *error)
{
    bool may_be_the_reason = status == HAUL_VERSION || status == HAUL_CORRUPT ||
                             status == HAUL_STORE || status == HAUL_UNSUPPORTED;
    if (!may_be_the_reason || (status != HAUL_VERSION && !is_later(look, release))) {
        return status;
    }
    char reason[160];
    (void)snprintf(reason, sizeof(reason), "%.150s", error->text);
    const char *version =
        look->options.version[0] == '\0' ? "of a later release" : look->options.version;
    haul_error_set(error, HAUL_VERSION, NULL, 0,
                   "the database was written by RocksDB %s, and this is %d.%d.%d: %s", version,
                   release->major, release->minor, release->patch, reason);
    haul_error_hint(error, "build haul with the RocksDB release of the database's program");
    return HAUL_VERSION;
}

/* --- the database ----------------------------------------------------------------------------- */

static enum haul_status refuse(struct haul_error *error, const char *hint)
{
    haul_error_hint(error, "%s", hint);
    return error->status;
}

static enum haul_status check_kind(const struct store_look *look, struct haul_error *error)
{
    if (look->is_leveldb) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "%s holds a LevelDB database, not a RocksDB one", look->directory);
        return refuse(error, "copy its records into a RocksDB database first");
    }
    if (look->has_stacked_blobs || look->log.has_blob_index) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "%s holds a BlobDB of the old kind, whose values lie in blob_dir",
                       look->directory);
        return refuse(error, "rewrite it with integrated blob files (enable_blob_files) first");
    }
    return HAUL_OK;
}

static enum haul_status check_paths(const struct store_look *look, bool read_only,
                                    struct haul_error *error)
{
    if (look->other_path[0] != '\0') {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the database keeps table files in several directories %s",
                       look->other_path);
        return refuse(error, "no file names them: embed libhaul in the program that opens it with "
                             "its db_paths and cf_paths");
    }
    if (look->missing_table != 0 && !read_only) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "table file %06" PRIu64 ".sst is not in %s", look->missing_table,
                       look->directory);
        return refuse(error, "it is in another one of the database's db_paths or cf_paths, or is "
                             "lost; embed libhaul in the program that knows them");
    }
    if (look->wal_place == WAL_UNSURE) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the database's options name the log directory %s, which may belong to "
                       "the database it was copied from",
                       look->wal_dir);
        return refuse(error, "name its own log directory with --wal-dir: that one, or the "
                             "database's own");
    }
    return HAUL_OK;
}

static enum haul_status check_tables(const struct store_look *look,
                                     const struct feature_release *release,
                                     struct haul_error *error)
{
    if (look->table_format_max > release->table_format_max) {
        haul_error_set(error, HAUL_VERSION, NULL, 0,
                       "table files of format %u; up to %u can be read", look->table_format_max,
                       release->table_format_max);
        return feature_gate_explain(look, release, HAUL_VERSION, error);
    }
    if (look->cut_table != 0) {
        haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                       "table file %06" PRIu64 ".sst in %s is shorter than it was", look->cut_table,
                       look->directory);
        return refuse(error, "restore it, or the database, from a backup; nothing was changed");
    }
    if (look->foreign_tables == TABLE_UNKNOWN) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "a table file has a format that RocksDB does not know");
        return refuse(error, "it is encrypted, or made by another program's table factory: embed "
                             "libhaul in that program");
    }
    return HAUL_OK;
}

/* --- its log ---------------------------------------------------------------------------------- */

static const char *stored_operator(const struct store_look *look, const char *family)
{
    const struct stored_family *stored = stored_options_family(&look->options, family);
    return stored == NULL ? "" : stored->merge_operator;
}

/* Without the operator, replay stops at the first merge as if the log ended there. */
static enum haul_status check_merges(const struct store_look *look, struct haul_error *error)
{
    for (size_t i = 0; i < look->log.merge_family_count; i++) {
        for (size_t j = 0; j < look->manifest.family_count; j++) {
            const struct manifest_family *family = &look->manifest.families[j];
            if (family->id == look->log.merge_families[i] &&
                stored_operator(look, family->name)[0] == '\0') {
                haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                               "the log holds merges of column family '%s', and no merge operator "
                               "is stored for it",
                               family->name);
                return refuse(error, HINT_EMBED);
            }
        }
    }
    return HAUL_OK;
}

enum haul_status feature_gate_check_log(const struct store_look *look, struct haul_error *error)
{
    if (look->log.has_prepared) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "transaction %.100s is prepared, and neither committed nor rolled back",
                       look->log.prepared);
        return refuse(error, "commit or roll back prepared transactions first");
    }
    if (look->log.has_persisted_prepare) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the log holds transactions of the policy write-prepared or "
                       "write-unprepared");
        return refuse(error, "close the database in its own program after all transactions have "
                             "ended and memory was flushed");
    }
    return check_merges(look, error);
}

/* --- its column families ---------------------------------------------------------------------- */

static enum haul_status check_name(const struct manifest_family *family, struct haul_error *error)
{
    if (family->name_size == 0) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the database has a column family with an empty name, which RocksDB itself "
                       "cannot open");
        return refuse(error, "drop it with the program that created it");
    }
    if (family->name_size >= HAUL_NAME_BYTES_MAX || strlen(family->name) != family->name_size) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "a column family's name has %zu bytes, or a zero among them: %.64s; names "
                       "have 1 to %d bytes",
                       family->name_size, family->name, HAUL_NAME_BYTES_MAX - 1);
        return refuse(error, "give it a shorter name with the program that created it");
    }
    return HAUL_OK;
}

static enum haul_status unknown_object(const char *family, const char *what, const char *name,
                                       struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "column family '%s' uses the %s '%s', which this program does not have", family,
                   what, name);
    return refuse(error, HINT_EMBED);
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text);
    size_t end_size = strlen(end);
    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

static enum haul_status check_order(const char *family, const char *comparator,
                                    struct haul_error *error)
{
    if (ends_with(comparator, ".u64ts")) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "column family '%s' has user-defined timestamps (comparator '%s')", family,
                       comparator);
        return refuse(error, "haul cannot move the versions of a key; copy the newest ones into a "
                             "family without timestamps");
    }
    return feature_gate_knows_comparator(comparator)
               ? HAUL_OK
               : unknown_object(family, "comparator", comparator, error);
}

static enum haul_status check_stored(const struct stored_family *family, bool read_only,
                                     struct haul_error *error)
{
    char id[HAUL_NAME_BYTES_MAX];
    stored_options_id(family->comparator, id);
    enum haul_status status = check_order(family->name, id, error);
    if (status != HAUL_OK) {
        return status;
    }
    stored_options_id(family->merge_operator, id);
    if (!feature_gate_knows_merge_operator(id)) {
        return unknown_object(family->name, "merge operator", id, error);
    }
    stored_options_id(family->table_factory, id);
    bool known =
        is_among(id, table_factories, sizeof(table_factories) / sizeof(table_factories[0]));
    return known || read_only ? HAUL_OK : unknown_object(family->name, "table factory", id, error);
}

enum haul_status feature_gate_check_families(const struct store_look *look, bool read_only,
                                             struct haul_error *error)
{
    size_t counted = 0;
    for (size_t i = 0; i < look->manifest.family_count; i++) {
        const struct manifest_family *family = &look->manifest.families[i];
        const struct stored_family *stored = stored_options_family(&look->options, family->name);
        enum haul_status status = check_name(family, error);
        if (status == HAUL_OK) {
            status = check_order(family->name, family->comparator, error);
        }
        if (status == HAUL_OK && stored != NULL) {
            status = check_stored(stored, read_only, error);
        }
        if (status != HAUL_OK) {
            return status;
        }
        counted += strcmp(family->name, STATISTICS_FAMILY) == 0 ? 0 : 1;
    }
    if (counted > HAUL_FAMILY_COUNT_MAX) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the database has %zu column families; haul opens databases of at most %d",
                       counted, HAUL_FAMILY_COUNT_MAX);
        return refuse(error,
                      "name the ones to send with --cf; RocksDB opens all or none for writing, "
                      "so a receiver cannot have more");
    }
    return HAUL_OK;
}

enum haul_status feature_gate_check(const struct store_look *look,
                                    const struct feature_release *release, bool read_only,
                                    struct haul_error *error)
{
    enum haul_status status = check_kind(look, error);
    if (status == HAUL_OK) {
        status = check_tables(look, release, error);
    }
    if (status == HAUL_OK) {
        status = feature_gate_check_families(look, read_only, error);
    }
    if (status == HAUL_OK) {
        status = check_paths(look, read_only, error);
    }
    return status == HAUL_OK ? feature_gate_check_log(look, error) : status;
}
