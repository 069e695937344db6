/* SPDX-License-Identifier: Apache-2.0 */
/* kv.c — single records of a database, through RocksDB itself; `ldb` would leave its own options.
 *
 *   kv put DIR [KEY VALUE]...    creates the database if there is none
 *   kv delete DIR KEY...
 *   kv scan DIR                  "KEY : VALUE" a line, without opening it for writing */
#include <rocksdb/c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(char *failure)
{
    if (failure != NULL) {
        (void)fprintf(stderr, "kv: %s\n", failure);
        exit(1);
    }
}

static void change(rocksdb_t *database, bool put, int count, char **words)
{
    char *failure = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    for (int i = 0; i + (put ? 1 : 0) < count; i += put ? 2 : 1) {
        if (put) {
            rocksdb_put(database, options, words[i], strlen(words[i]), words[i + 1],
                        strlen(words[i + 1]), &failure);
        } else {
            rocksdb_delete(database, options, words[i], strlen(words[i]), &failure);
        }
        check(failure);
    }
    rocksdb_writeoptions_destroy(options);
}

static void scan(rocksdb_t *database)
{
    char *failure = NULL;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(database, options);
    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator) != 0;
         rocksdb_iter_next(iterator)) {
        size_t key_size = 0;
        size_t value_size = 0;
        const char *key = rocksdb_iter_key(iterator, &key_size);
        const char *value = rocksdb_iter_value(iterator, &value_size);
        (void)printf("%.*s : %.*s\n", (int)key_size, key, (int)value_size, value);
    }
    rocksdb_iter_get_error(iterator, &failure);
    check(failure);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
}

int main(int argc, char **argv)
{
    bool put = argc > 2 && strcmp(argv[1], "put") == 0;
    bool delete = argc > 2 && strcmp(argv[1], "delete") == 0;
    bool reading = argc == 3 && strcmp(argv[1], "scan") == 0;
    if (!put && !delete &&!reading) {
        (void)fprintf(stderr, "usage: kv put|delete|scan DIR [WORD...]\n");
        return 2;
    }
    char *failure = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, put ? 1 : 0);
    rocksdb_t *database = reading ? rocksdb_open_for_read_only(options, argv[2], 0, &failure)
                                  : rocksdb_open(options, argv[2], &failure);
    check(failure);
    if (reading) {
        scan(database);
    } else {
        change(database, put, argc - 3, argv + 3);
    }
    rocksdb_close(database);
    rocksdb_options_destroy(options);
    return 0;
}
