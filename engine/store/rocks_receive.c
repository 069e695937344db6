/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_receive.c — may a column family of this database receive records? Refuses, by name,
 * configurations that would later drop or change them, or hide where they are.
 *
 * For an embedder's open database RocksDB reports the current options. A database that the tool
 * opens has no compaction filter, because RocksDB cannot create one by name; but its owner has one,
 * so the stored name counts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "bytes.h"
#include "family_options.h"
#include "rocks_door.h"
#include "rocks_known.h"
#include "rocks_store.h"
#include "rocks_stored.h"
#include "store_look.h"

enum { STYLE_FIFO = 2 }; /* rocksdb::CompactionStyle */

static enum haul_status refuse(const char *family, struct haul_error *error, const char *feature,
                               const char *hint)
{
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "column family '%s' of the target %s", family,
                   feature);
    haul_error_hint(error, "%s", hint);
    return HAUL_UNSUPPORTED;
}

/* --- the database ----------------------------------------------------------------------------- */

static enum haul_status check_database(struct rocks_store *store, struct haul_error *error)
{
    struct rocks_database_facts facts;
    struct statvfs disk;
    if (statvfs(store->path, &disk) == 0 && (disk.f_flag & ST_RDONLY) != 0) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the file system of the target's database %s is mounted read-only",
                       store->path);
        haul_error_hint(error, "check the system log for the reason, and mount it for writing");
        return HAUL_UNSUPPORTED;
    }
    rocks_door_database(store->db, &facts);
    if (facts.has_paths) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the target's database %s has tables in other directories (db_paths)",
                       store->path);
        haul_error_hint(error, "receive into a database that has one directory");
        return HAUL_UNSUPPORTED;
    }
    if (facts.unordered_write) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the target's database %s is open with unordered_write: what was written "
                       "cannot be counted at one moment",
                       store->path);
        haul_error_hint(error, "open it without unordered_write while it receives");
        return HAUL_UNSUPPORTED;
    }
    return HAUL_OK;
}

/* The log also holds these bytes, until their table files exist. */
static uint64_t unwritten_bytes(struct rocks_store *store)
{
    uint64_t sum = 0;
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count && !store->lost; i++) {
        uint64_t bytes = 0;
        rocksdb_column_family_handle_t *handle = store->families[i].handle;
        bool known = handle != NULL &&
                     rocksdb_property_int_cf(store->db, handle, "rocksdb.cur-size-all-mem-tables",
                                             &bytes) == 0;
        sum += known ? bytes : 0;
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    return sum;
}

/* RocksDB stops writes to a family when all its buffers are full, and allocates a log file of the
 * largest buffer and a tenth of it in advance. */
static void look_at_buffers(struct rocks_store *store, struct haul_space *space)
{
    uint64_t buffer_max = 0;
    uint64_t memory_max = 0;
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count && !store->lost; i++) {
        rocksdb_options_t *options = store->families[i].options;
        if (options == NULL) {
            continue; /* dropped */
        }
        uint64_t buffer = rocksdb_options_get_write_buffer_size(options);
        int count = rocksdb_options_get_max_write_buffer_number(options);
        uint64_t memory = buffer * (uint64_t)(count < 1 ? 1 : count);
        buffer_max = buffer > buffer_max ? buffer : buffer_max;
        memory_max = memory > memory_max ? memory : memory_max;
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    space->family_memory_bytes = memory_max;
    space->log_ahead_bytes = buffer_max + buffer_max / 10;
}

enum haul_status rocks_space(struct haul_store *base, struct haul_space *space,
                             struct haul_error *error)
{
    struct statvfs disk;
    const char *path = rocks_of(base)->path;
    if (statvfs(path, &disk) != 0) {
        return haul_error_set(error, HAUL_IO, "statvfs", errno, "cannot look at %s", path);
    }
    space->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    space->total_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    space->unwritten_bytes = unwritten_bytes(rocks_of(base));
    look_at_buffers(rocks_of(base), space);
    return HAUL_OK;
}

/* --- one family ------------------------------------------------------------------------------- */

static void class_of(const char *options, const char *name, char class[HAUL_NAME_BYTES_MAX])
{
    struct haul_slice value;
    char text[2 * HAUL_NAME_BYTES_MAX] = "";
    if (family_options_find(options, slice_of(name, strlen(name)), &value)) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)value.size, (const char *)value.data);
    }
    rocks_stored_class(text, class, HAUL_NAME_BYTES_MAX);
}

/* The source's filter of the same name drops the same records, so the move loses nothing. */
static enum haul_status check_filter(struct rocks_store *store, const char *family,
                                     const struct rocks_family_facts *facts, const char *options,
                                     struct haul_error *error)
{
    static const char *const names[] = {"compaction_filter", "compaction_filter_factory"};
    char ours[HAUL_NAME_BYTES_MAX] = "";
    char theirs[HAUL_NAME_BYTES_MAX] = "";
    for (size_t i = 0; i < 2 && ours[0] == '\0'; i++) {
        char value[ROCKS_OPTION_VALUE_BYTES_MAX];
        rocks_family_option(store, family, names[i], value);
        rocks_stored_class(value, ours, sizeof(ours));
    }
    for (size_t i = 0; i < 2 && theirs[0] == '\0'; i++) {
        class_of(options, names[i], theirs);
    }
    if (ours[0] == '\0') {
        (void)snprintf(ours, sizeof(ours), "%.*s", HAUL_NAME_BYTES_MAX - 1,
                       facts->compaction_filter);
    }
    if (ours[0] == '\0' || strcmp(ours, theirs) == 0) {
        return HAUL_OK;
    }
    char feature[HAUL_NAME_BYTES_MAX + 96];
    (void)snprintf(feature, sizeof(feature),
                   "has the compaction filter '%s', which may drop what it receives", ours);
    return refuse(
        family, error, feature,
        "receive into a column family without it, or one whose filter the source has too");
}

static enum haul_status check_family(struct rocks_store *store, const struct rocks_family *family,
                                     const char *options, struct haul_error *error)
{
    const char *name = family->family.name;
    struct rocks_family_facts facts;
    char style[ROCKS_OPTION_VALUE_BYTES_MAX];
    rocks_door_family(store->db, family->handle, &facts);
    rocks_family_option(store, name, "compaction_style", style);
    bool fifo = rocksdb_options_get_compaction_style(family->options) == STYLE_FIFO ||
                strcmp(style, "kCompactionStyleFIFO") == 0;
    if (fifo) {
        return refuse(name, error,
                      "has FIFO compaction, which drops the oldest tables by size or age",
                      "receive into a column family with level or universal compaction");
    }
    if (facts.table_factory[0] != '\0' && strcmp(facts.table_factory, "BlockBasedTable") != 0) {
        char feature[ROCKS_DOOR_NAME_BYTES + 64];
        (void)snprintf(feature, sizeof(feature), "has tables of the kind %s", facts.table_factory);
        return refuse(name, error, feature, "receive into a column family with block-based tables");
    }
    if (facts.timestamp_bytes > 0) {
        return refuse(name, error, "has user-defined timestamps in its keys",
                      "receive into a column family without them");
    }
    if (facts.has_paths) {
        return refuse(name, error, "has tables in other directories (cf_paths)",
                      "receive into a column family in the database's own directory");
    }
    return check_filter(store, name, &facts, options, error);
}

enum haul_status rocks_receive_check(struct haul_store *base, const char *name, const char *options,
                                     struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    if (store->lost) {
        return rocks_lost(store, error);
    }
    if (strcmp(name, STATISTICS_FAMILY) == 0) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "column family '%s' is RocksDB's own, and holds no user records", name);
        haul_error_hint(error, "leave it out: haul does");
        return HAUL_UNSUPPORTED;
    }
    bool is_made = !store->attached;
    enum haul_status status = check_database(store, error);
    (void)pthread_rwlock_rdlock(&store->families_lock); /* none is dropped meanwhile */
    for (size_t i = 0; i < store->family_count && status == HAUL_OK; i++) {
        if (strcmp(store->families[i].family.name, name) == 0) {
            is_made = is_made && rocks_is_unwritten(store);
            status = check_family(store, &store->families[i], options, error);
        }
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    return status == HAUL_OK && is_made ? rocks_known_check(name, options, error) : status;
}
