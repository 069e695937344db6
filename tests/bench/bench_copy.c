/* SPDX-License-Identifier: Apache-2.0 */
/* bench_copy.c — the machine's own limit without a network: one thread that scans a database and
 * ingests what it reads into another one, using only RocksDB's C API.
 *
 *   bench_copy SOURCE TARGET
 *
 * The target exists, empty, with the options that its tables are to have. Reads ahead 2 MiB,
 * bypasses the block cache, writes tables of 64 MiB: as haul does, but without a copy, a checksum,
 * a digest, or a second process. Prints one JSON document. */
#include <inttypes.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { READAHEAD_BYTES = 2 << 20, TABLE_BYTES = 64 << 20, PATH_BYTES_MAX = 4096 };

struct copy {
    rocksdb_options_t *options;
    rocksdb_t *target;
    const char *target_path;
    rocksdb_envoptions_t *env;
    rocksdb_sstfilewriter_t *writer; /* NULL: no table is open */
    uint64_t table_bytes;
    uint32_t table_count;
    uint64_t records;
    uint64_t bytes;
};

static void must(char *message)
{
    if (message != NULL) {
        (void)fprintf(stderr, "bench_copy: %s\n", message);
        exit(1);
    }
}

static double now_seconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* With the options that the database itself has stored. */
static rocksdb_t *open_database(const char *path, rocksdb_options_t **options)
{
    char *message = NULL;
    size_t count = 0;
    char **names = NULL;
    rocksdb_options_t **family_options = NULL;
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(8 << 20);
    rocksdb_load_latest_options(path, env, true, cache, options, &count, &names, &family_options,
                                &message);
    must(message);
    if (count != 1) {
        must("only the default column family is copied");
    }
    rocksdb_options_destroy(*options);
    *options = rocksdb_options_create_copy(family_options[0]);
    rocksdb_t *db = rocksdb_open(*options, path, &message);
    must(message);
    return db;
}

static void table_path(const struct copy *copy, char *path)
{
    (void)snprintf(path, PATH_BYTES_MAX, "%s/copy-%u.sst", copy->target_path, copy->table_count);
}

static void open_table(struct copy *copy)
{
    char *message = NULL;
    char path[PATH_BYTES_MAX];
    table_path(copy, path);
    copy->writer = rocksdb_sstfilewriter_create(copy->env, copy->options);
    rocksdb_sstfilewriter_open(copy->writer, path, &message);
    must(message);
    copy->table_bytes = 0;
}

static void ingest_table(struct copy *copy)
{
    char *message = NULL;
    char path[PATH_BYTES_MAX];
    table_path(copy, path);
    rocksdb_sstfilewriter_finish(copy->writer, &message);
    must(message);
    rocksdb_sstfilewriter_destroy(copy->writer);
    copy->writer = NULL;
    rocksdb_ingestexternalfileoptions_t *how = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(how, 1);
    const char *paths[] = {path};
    rocksdb_ingest_external_file(copy->target, paths, 1, how, &message);
    must(message);
    rocksdb_ingestexternalfileoptions_destroy(how);
    copy->table_count++;
}

static void copy_record(struct copy *copy, rocksdb_iterator_t *iterator)
{
    char *message = NULL;
    size_t key_size = 0;
    size_t value_size = 0;
    const char *key = rocksdb_iter_key(iterator, &key_size);
    const char *value = rocksdb_iter_value(iterator, &value_size);
    if (copy->writer == NULL) {
        open_table(copy);
    }
    rocksdb_sstfilewriter_put(copy->writer, key, key_size, value, value_size, &message);
    must(message);
    copy->records++;
    copy->bytes += key_size + value_size;
    copy->table_bytes += key_size + value_size;
    if (copy->table_bytes >= TABLE_BYTES) {
        ingest_table(copy);
    }
}

static void copy_all(struct copy *copy, rocksdb_t *source)
{
    char *message = NULL;
    rocksdb_readoptions_t *how = rocksdb_readoptions_create();
    rocksdb_readoptions_set_readahead_size(how, READAHEAD_BYTES);
    rocksdb_readoptions_set_fill_cache(how, 0);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(source, how);
    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        copy_record(copy, iterator);
    }
    rocksdb_iter_get_error(iterator, &message);
    must(message);
    if (copy->writer != NULL) {
        ingest_table(copy);
    }
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(how);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fputs("Usage: bench_copy SOURCE TARGET\n", stderr);
        return 2;
    }
    rocksdb_options_t *source_options = NULL;
    struct copy copy = {.target_path = argv[2], .env = rocksdb_envoptions_create()};
    double wall = now_seconds(CLOCK_MONOTONIC);
    rocksdb_t *source = open_database(argv[1], &source_options);
    copy.target = open_database(argv[2], &copy.options);
    copy_all(&copy, source);
    rocksdb_close(copy.target);
    rocksdb_close(source);
    rocksdb_options_destroy(copy.options);
    rocksdb_options_destroy(source_options);
    rocksdb_envoptions_destroy(copy.env);
    (void)printf("{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64
                 ", \"seconds\": %.4f, \"cpu_seconds\": %.4f}\n",
                 copy.records, copy.bytes, now_seconds(CLOCK_MONOTONIC) - wall,
                 now_seconds(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
