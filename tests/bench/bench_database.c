/* SPDX-License-Identifier: Apache-2.0 */
/* bench_database.c — makes the database with RocksDB's own interface, because ours cannot set the
 * compression. */
#include "bench_database.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 << 10, /* as in Kvrocks */ RECORDS_PER_BATCH = 256 };

static enum haul_status check(char *message, const char *call, struct haul_error *error)
{
    if (message == NULL) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_STORE, call, 0, "%s", message);
    rocksdb_free(message);
    return HAUL_STORE;
}

static void fill_random(char *bytes, uint32_t size, uint64_t *state)
{
    for (uint32_t i = 0; i < size; i += (uint32_t)sizeof(*state)) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        uint32_t left = size - i;
        memcpy(bytes + i, state, left < sizeof(*state) ? left : sizeof(*state));
    }
}

static enum haul_status put_records(rocksdb_t *db, uint64_t record_count, uint32_t value_bytes,
                                    struct haul_error *error)
{
    char *value = malloc(value_bytes);
    if (value == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a value");
    }
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(options, 1);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    enum haul_status status = HAUL_OK;
    for (uint64_t i = 0; i < record_count && status == HAUL_OK; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%016" PRIu64, i);
        fill_random(value, value_bytes, &random);
        rocksdb_writebatch_put(batch, key, BENCH_KEY_BYTES, value, value_bytes);
        if ((i + 1) % RECORDS_PER_BATCH == 0 || i + 1 == record_count) {
            char *message = NULL;
            rocksdb_write(db, options, batch, &message);
            rocksdb_writebatch_clear(batch);
            status = check(message, "write", error);
        }
    }
    rocksdb_writebatch_destroy(batch);
    rocksdb_writeoptions_destroy(options);
    free(value);
    return status;
}

/* Compact everything into table files of the last level. */
static enum haul_status settle(rocksdb_t *db, struct haul_error *error)
{
    char *message = NULL;
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(flush, 1);
    rocksdb_flush(db, flush, &message);
    rocksdb_flushoptions_destroy(flush);
    enum haul_status status = check(message, "flush", error);
    if (status == HAUL_OK) {
        rocksdb_compact_range(db, NULL, 0, NULL, 0);
    }
    return status;
}

enum haul_status bench_database_make(struct bench_database *database, uint64_t bytes,
                                     uint32_t value_bytes, struct haul_error *error)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(database->path, sizeof(database->path), "%s/haul-bench-XXXXXX",
                          base == NULL ? "/tmp" : base);
    if (length < 0 || (size_t)length >= sizeof(database->path) || mkdtemp(database->path) == NULL) {
        int number = errno;
        database->path[0] = '\0';
        return haul_error_set(error, HAUL_IO, "mkdtemp", number, "no temporary directory");
    }
    uint32_t record_bytes = BENCH_KEY_BYTES + value_bytes;
    database->record_count = bytes < record_bytes ? 1 : bytes / record_bytes;
    database->bytes = database->record_count * record_bytes;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    char *message = NULL;
    rocksdb_t *db = rocksdb_open(options, database->path, &message);
    enum haul_status status = check(message, "open", error);
    if (status == HAUL_OK) {
        status = put_records(db, database->record_count, value_bytes, error);
        status = status == HAUL_OK ? settle(db, error) : status;
        rocksdb_close(db);
    }
    rocksdb_options_destroy(options);
    return status;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void bench_database_remove(struct bench_database *database)
{
    if (database->path[0] != '\0') {
        (void)nftw(database->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        database->path[0] = '\0';
    }
}
