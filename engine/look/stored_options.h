/* SPDX-License-Identifier: Apache-2.0 */
/* stored_options.h — the settings of a database's newest OPTIONS file that decide whether and how
 * haul may open the database. The file is text: sections, and one `name=value` a line.
 *
 * RocksDB itself silently uses the default for objects that it cannot create. With the wrong
 * comparator the open fails; but with the wrong merge operator a later read fails or a merge is
 * lost, and with the wrong table factory the next flush converts tables.
 *
 * Thread: any. */
#ifndef HAUL_STORED_OPTIONS_H
#define HAUL_STORED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/status.h"
#include "haul/store.h"

enum { STORED_PATH_BYTES_MAX = 4096, STORED_VERSION_BYTES_MAX = 32 };

/* Values have no escapes and are truncated when too long; empty: not in the file, or none. */
struct stored_family {
    char name[HAUL_NAME_BYTES_MAX];
    char comparator[HAUL_NAME_BYTES_MAX];
    char merge_operator[HAUL_NAME_BYTES_MAX]; /* "Name" or "{id=Name;option=value;}" */
    char table_factory[HAUL_NAME_BYTES_MAX];
    bool inplace_updates;
};

struct stored_options {
    char path[STORED_PATH_BYTES_MAX];       /* of the file; empty: no file */
    char version[STORED_VERSION_BYTES_MAX]; /* of the RocksDB that wrote it */
    char wal_dir[STORED_PATH_BYTES_MAX];
    bool writes_no_identity; /* a missing IDENTITY file means nothing */
    bool archives_log;       /* WAL_ttl_seconds or WAL_size_limit_MB */
    bool two_phase;          /* allow_2pc */
    struct stored_family *families;
    size_t family_count;
};

/* A missing OPTIONS file is no error. Errors: NO_MEMORY, IO. */
enum haul_status stored_options_read(const char *directory, struct stored_options *options,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void stored_options_fini(struct stored_options *options);

/* NULL: the file does not have it. */
const struct stored_family *stored_options_family(const struct stored_options *options,
                                                  const char *name);

/* Remove the escapes from `size` bytes of text: "\n", "\r", and "\" before any other byte.
 * Truncates what does not fit. */
void stored_options_unescape(const char *text, size_t size, char *to, size_t to_size_bytes);

/* The name within "Name" or "{id=Name;...}". */
void stored_options_id(const char *value, char id[HAUL_NAME_BYTES_MAX]);

#endif
