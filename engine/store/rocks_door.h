/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_door.h — what RocksDB's C interface lacks: a record's columns, the view of an iterator, the
 * current options of a database that an embedder has open, and whether a release knows a table
 * format. rocks_door.cc is the engine's only C++ file.
 *
 * A C handle of RocksDB is a struct whose first member is the C++ pointer (or, for options and
 * write batches, the C++ object). Every release with a C interface does this, and it is all that
 * the door assumes; rocks_door_fits() checks it at run time.
 *
 * Thread: any; an iterator belongs to one thread at a time. */
#ifndef HAUL_ROCKS_DOOR_H
#define HAUL_ROCKS_DOOR_H

#include <rocksdb/c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ROCKS_DOOR_NAME_BYTES = 128 };

/* Do this library's handles have the layout that the door needs? False: no other function here may
 * be called. */
bool rocks_door_fits(void);

/* Of the running library, not of its headers. */
struct rocks_release {
    int major;
    int minor;
    int patch;
};
struct rocks_release rocks_door_release(void);

/* Can this release read block-based tables of this format version? */
bool rocks_door_reads_tables(uint32_t format_version);

/* --- records ---------------------------------------------------------------------------------- */

enum rocks_door_record {
    ROCKS_DOOR_END,     /* no record: the end, or an error that the iterator holds */
    ROCKS_DOOR_PLAIN,   /* one value; also an entity with only the default column */
    ROCKS_DOOR_COLUMNS, /* an entity with other columns; `value` is its default one */
};

/* The iterator's current record. Key and value are the iterator's until it moves. */
enum rocks_door_record rocks_door_current(const rocksdb_iterator_t *iterator,
                                          struct haul_slice *key, struct haul_slice *value);
/* One step, then as above. The iterator must be at a record. */
enum rocks_door_record rocks_door_next(rocksdb_iterator_t *iterator, struct haul_slice *key,
                                       struct haul_slice *value);

/* Iterators with the same number read the same memory and the same files, whatever compaction has
 * done since. 0: the release does not provide it. */
uint64_t rocks_door_view_number(const rocksdb_iterator_t *iterator);

/* --- batches ---------------------------------------------------------------------------------- */

/* The batch that the pieces and then `closing` make up, of which each byte is copied once. Unless
 * it holds `only_puts` (and LogData), RocksDB reads it once more to learn what it holds. */
rocksdb_writebatch_t *rocks_door_batch(const struct haul_slice *pieces, size_t piece_count,
                                       struct haul_slice closing, bool only_puts);

/* --- table files ------------------------------------------------------------------------------ */

/* The contents of a table file that was just written. */
struct rocks_table_facts {
    struct haul_slice first; /* malloc'ed, the caller frees; in the family's order */
    struct haul_slice last;
    uint64_t entries;
};
/* As rocksdb_sstfilewriter_finish, with the facts; they are empty when `*message` is set. */
void rocks_door_finish_table(rocksdb_sstfilewriter_t *writer, struct rocks_table_facts *facts,
                             char **message);

/* Live tables that overlap [first, last], by their own properties, for which RocksDB opens them.
 * The number is that of the newest file with exactly this many entries and no deletion; 0: none
 * has. */
struct rocks_tables_there {
    uint64_t number;
    uint64_t entries; /* of all of them */
};
struct rocks_tables_there rocks_door_tables(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                                            struct haul_slice first, struct haul_slice last,
                                            uint64_t entries, char **message);

/* --- options of a database to be opened ------------------------------------------------------- */

/* The merge operator as RocksDB stores it: "Name" or "{id=Name;option=value;}"; empty: none. */
void rocks_door_describe_merge(const rocksdb_options_t *options,
                               char description[ROCKS_DOOR_NAME_BYTES]);
/* May compactions with these options remove live records? */
bool rocks_door_drops_records(const rocksdb_options_t *options);
/* Are a family's options RocksDB's defaults? */
bool rocks_door_is_default_family(const rocksdb_options_t *options);
/* Start the database's LOG anew, as RocksDB does, but written by haul: RocksDB's writer ends the
 * process when the disk is full. Call before a database is opened for writing. */
void rocks_door_write_log(rocksdb_options_t *options, const char *directory);
/* Opening the database leaves the log's records in memory and in the log. */
void rocks_door_avoid_flush(rocksdb_options_t *options);

/* Keys in the domain of a family's prefix extractor. Its hash index and hash memtables need a
 * prefix of every key, and RocksDB ends the process without one. */
struct rocks_key_domain;
/* Remove hash index and hash memtables from the options of a family whose extractor does not have
 * every key in its domain, or is missing here. Returns the domain that the removed parts need,
 * which is the caller's; NULL: nothing was removed, or the domain is unknown here. */
struct rocks_key_domain *rocks_door_avoid_prefixes(rocksdb_options_t *options);
/* The same for an open family, whose options stay. NULL: it takes every key. */
struct rocks_key_domain *rocks_door_domain(rocksdb_t *db, rocksdb_column_family_handle_t *handle);
bool rocks_door_is_in_domain(const struct rocks_key_domain *domain, struct haul_slice key);
/* NULL is allowed. */
void rocks_door_domain_free(struct rocks_key_domain *domain);

/* --- options in force ------------------------------------------------------------------------- */

struct rocks_database_facts {
    char wal_dir[4096]; /* cut when longer */
    bool unordered_write;
    bool allow_2pc;
    bool has_paths; /* db_paths other than the database's own directory */
};
void rocks_door_database(rocksdb_t *db, struct rocks_database_facts *database);

struct rocks_family_facts {
    uint32_t timestamp_bytes; /* of user timestamps; 0: none */
    bool inplace_updates;
    bool has_paths;                                /* cf_paths */
    bool drops_records;                            /* a compaction may remove live records */
    char comparator[ROCKS_DOOR_NAME_BYTES];        /* cut when longer, like the others */
    char merge_operator[ROCKS_DOOR_NAME_BYTES];    /* as above; empty: none */
    char compaction_filter[ROCKS_DOOR_NAME_BYTES]; /* or its factory; empty: none */
    char table_factory[ROCKS_DOOR_NAME_BYTES];
};
void rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                       struct rocks_family_facts *family);

#ifdef __cplusplus
}
#endif

#endif
