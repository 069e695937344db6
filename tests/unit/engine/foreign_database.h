/* SPDX-License-Identifier: Apache-2.0 */
/* foreign_database.h — databases as other programs make them: with RocksDB's C API alone, with
 * their own comparators, merge operators and options. */
#ifndef HAUL_TESTS_FOREIGN_DATABASE_H
#define HAUL_TESTS_FOREIGN_DATABASE_H

#include <ftw.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assertion.h"

enum { FOREIGN_PATH_BYTES_MAX = 256 };

struct foreign_database {
    char path[FOREIGN_PATH_BYTES_MAX];
    rocksdb_options_t *options; /* may be changed between init and open */
    rocksdb_t *db;              /* NULL: closed */
};

static inline void foreign_check(char *message)
{
    if (message != NULL) {
        (void)fprintf(stderr, "foreign database: %s\n", message);
    }
    haul_assert(message == NULL);
}

/* An empty directory and default options. */
static inline void foreign_init(struct foreign_database *foreign)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(foreign->path, sizeof(foreign->path), "%s/haul-test-XXXXXX",
                   base == NULL ? "/tmp" : base);
    const char *made = mkdtemp(foreign->path);
    haul_assert(made != NULL);
    foreign->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(foreign->options, 1);
    foreign->db = NULL;
}

/* More options in RocksDB's own text form, "name=value;name=value". */
static inline void foreign_set(struct foreign_database *foreign, const char *text)
{
    char *message = NULL;
    rocksdb_options_t *changed = rocksdb_options_create();
    rocksdb_get_options_from_string(foreign->options, text, changed, &message);
    foreign_check(message);
    rocksdb_options_destroy(foreign->options);
    foreign->options = changed;
}

static inline void foreign_open(struct foreign_database *foreign)
{
    char *message = NULL;
    foreign->db = rocksdb_open(foreign->options, foreign->path, &message);
    foreign_check(message);
}

static inline void foreign_put(struct foreign_database *foreign, const char *key, const char *value)
{
    char *message = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_put(foreign->db, options, key, strlen(key), value, strlen(value), &message);
    rocksdb_writeoptions_destroy(options);
    foreign_check(message);
}

static inline void foreign_close(struct foreign_database *foreign)
{
    if (foreign->db != NULL) {
        rocksdb_close(foreign->db);
        foreign->db = NULL;
    }
}

static inline int foreign_remove_entry(const char *path, const struct stat *status, int type,
                                       struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

/* Close and remove everything. */
static inline void foreign_fini(struct foreign_database *foreign)
{
    foreign_close(foreign);
    rocksdb_options_destroy(foreign->options);
    (void)nftw(foreign->path, foreign_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
