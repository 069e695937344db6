/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_fixture.h — temporary RocksDB databases for tests, filled through the store interface. */
#ifndef HAUL_TESTS_ROCKS_FIXTURE_H
#define HAUL_TESTS_ROCKS_FIXTURE_H

#include "bytes.h"
#include "haul/migration.h"
#include "haul/store.h"

struct rocks_fixture {
    char path[256];
    struct haul_store *store;
};

/* A new database in a directory of its own. A failure aborts the test program. */
void rocks_fixture_open(struct rocks_fixture *fixture);
/* Only the directory, empty; `store` is NULL. */
void rocks_fixture_make_directory(struct rocks_fixture *fixture);
/* Close and reopen, as after a restart. */
void rocks_fixture_reopen(struct rocks_fixture *fixture);
/* Close (if open) and remove everything. */
void rocks_fixture_close(struct rocks_fixture *fixture);

/* Make a column family; returns its id. */
uint32_t rocks_fixture_family(struct rocks_fixture *fixture, const char *name);
void rocks_fixture_put(struct rocks_fixture *fixture, uint32_t family_id, struct haul_slice key,
                       struct haul_slice value);
/* A wide-column entity of one column; the empty name is the default one. */
void rocks_fixture_put_entity(struct rocks_fixture *fixture, uint32_t family_id,
                              struct haul_slice key, const char *name, const char *value);
void rocks_fixture_delete(struct rocks_fixture *fixture, uint32_t family_id, struct haul_slice key);
/* `count` records "<prefix><8 digits>" with values of `value_size` pseudo-random bytes. */
void rocks_fixture_fill(struct rocks_fixture *fixture, uint32_t family_id, const char *prefix,
                        uint32_t count, size_t value_size);
/* Number of families that differ between the two databases (within the ranges; none: all). */
size_t rocks_fixture_differences(struct rocks_fixture *a, struct rocks_fixture *b,
                                 const struct haul_range *ranges, size_t range_count);
/* Number of records in one family. */
uint64_t rocks_fixture_count(struct rocks_fixture *fixture, const char *family);

static inline struct haul_slice text_slice(const char *text)
{
    return slice_of(text, strlen(text));
}

#endif
