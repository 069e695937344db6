/* SPDX-License-Identifier: Apache-2.0 */
/* stored_options.h — the settings of a database's newest OPTIONS file that decide whether and how
 * haul may open the database. The file is text: sections, and one `name=value` a line.
 *
 * RocksDB itself silently takes the default for objects that it cannot make: with the wrong
 * comparator an open fails, but with the wrong merge operator it is a later read that fails, or a
 * merge that is lost, and with the wrong table factory it is the next flush that converts.
 *
 * Thread: any. */
#ifndef HAUL_STORED_OPTIONS_H
#define HAUL_STORED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/status.h"
#include "haul/store.h"

enum { STORED_PATH_BYTES_MAX = 4096, STORED_VERSION_BYTES_MAX = 32 };

/* Values are without their escapes, cut when too long; empty: not in the file, or none. */
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

/* No OPTIONS file is no error. Errors: NO_MEMORY, IO. */
enum haul_status stored_options_read(const char *directory, struct stored_options *options,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void stored_options_fini(struct stored_options *options);

/* NULL: the file does not have it. */
const struct stored_family *stored_options_family(const struct stored_options *options,
                                                  const char *name);

/* `size` bytes of text without their escapes: "\n", "\r", and "\" before any other byte. Cut when
 * it does not fit. */
void stored_options_unescape(const char *text, size_t size, char *to, size_t to_size_bytes);

/* The name within "Name" or "{id=Name;...}". */
void stored_options_id(const char *value, char id[HAUL_NAME_BYTES_MAX]);

#endif
