/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_stored.h — the options that a database has stored itself: its newest OPTIONS file, as text.
 *
 * RocksDB's C API returns only some of them, and no table options at all. RocksDB writes the file
 * when a database is opened, when a column family is created or dropped, and in SetOptions. */
#ifndef HAUL_ROCKS_STORED_H
#define HAUL_ROCKS_STORED_H

#include "haul/status.h"

enum rocks_section {
    ROCKS_SECTION_VERSION,  /* not of a family */
    ROCKS_SECTION_DATABASE, /* not of a family */
    ROCKS_SECTION_FAMILY,
    ROCKS_SECTION_TABLE,
};

struct rocks_stored;

/* Read the newest OPTIONS file of the database in `path`. A database without one gives an empty
 * set. Errors: IO, NO_MEMORY, LIMIT (a file larger than 64 MiB). Thread: any. */
enum haul_status rocks_stored_read(const char *path, struct rocks_stored **stored,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void rocks_stored_free(struct rocks_stored *stored);

/* The value of one option, "" if it is not stored. `family` is "" for an option without a family.
 * Borrowed until the set is freed. Thread: any. */
const char *rocks_stored_value(const struct rocks_stored *stored, enum rocks_section section,
                               const char *family, const char *name);

/* The class of a customizable option's value: "Name" and "{id=Name;...}" give "Name", "nullptr" and
 * nothing give "". `name_size` includes the NUL; longer names are cut. */
void rocks_stored_class(const char *value, char *name, unsigned long name_size);

#endif
