/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_open.c — opens databases: absent, locked, damaged, with foreign options. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"
#include "foreign_database.h"
#include "haul/store.h"
#include "raw_batch.h"

static off_t synced_bytes; /* of the last new text of the options, when it was synced; -1: none */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    char link[64];
    char path[512] = "";
    struct stat status;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/OPTIONS-") != NULL &&
        fstat(fd, &status) == 0) {
        synced_bytes = status.st_size;
    }
    return __real_fsync(fd);
}

static struct foreign_database foreign;
static struct haul_error error;

static enum haul_status open_with(struct haul_rocks_options options, struct haul_store **store)
{
    error = (struct haul_error){0};
    return haul_rocks_store_open(foreign.path, &options, store, &error);
}

/* Open, and close again on success. */
static enum haul_status try_open(struct haul_rocks_options options)
{
    struct haul_store *store = NULL;
    enum haul_status status = open_with(options, &store);
    if (status == HAUL_OK) {
        store->ops->close(store);
    }
    return status;
}

static void make_database(void)
{
    foreign_init(&foreign);
    foreign_open(&foreign);
    foreign_put(&foreign, "a", "1");
    foreign_put(&foreign, "b", "2");
    foreign_close(&foreign);
}

static void file_path(char path[512], const char *name)
{
    (void)snprintf(path, 512, "%s/%s", foreign.path, name);
}

/* The first file of the database whose name begins with this. */
static void find_file(char path[512], const char *prefix)
{
    DIR *directory = opendir(foreign.path);
    haul_assert(directory != NULL);
    const struct dirent *entry;
    path[0] = '\0';
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            (void)snprintf(path, 512, "%s/%.128s", foreign.path, entry->d_name);
        }
    }
    (void)closedir(directory);
    haul_assert(path[0] != '\0');
}

static void overwrite(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    haul_assert(file != NULL);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void remove_options(void)
{
    DIR *directory = opendir(foreign.path);
    haul_assert(directory != NULL);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, "OPTIONS-", 8) == 0) {
            char path[512];
            (void)snprintf(path, sizeof(path), "%s/%.128s", foreign.path, entry->d_name);
            (void)unlink(path);
        }
    }
    (void)closedir(directory);
}

static bool has_record(struct haul_store *store, const char *key, const char *expected)
{
    uint8_t *value = NULL;
    size_t size = 0;
    enum haul_status status =
        store->ops->get(store, NULL, 0, slice_of(key, strlen(key)), &value, &size, &error);
    bool same = status == HAUL_OK && size == strlen(expected) && memcmp(value, expected, size) == 0;
    free(value);
    return same;
}

/* --- absent ----------------------------------------------------------------------------------- */

static void test_open__empty_directory__not_found(void)
{
    foreign_init(&foreign);
    check_status(try_open((struct haul_rocks_options){0}), HAUL_NOT_FOUND);
    check(strstr(error.text, foreign.path) != NULL);
    check(error.hint[0] != '\0');
    foreign_fini(&foreign);
}

static void test_open__no_directory__not_found(void)
{
    foreign_init(&foreign);
    foreign_fini(&foreign);
    foreign.options = NULL;
    check_status(try_open((struct haul_rocks_options){0}), HAUL_NOT_FOUND);
}

static void test_open__empty_directory_create__new_database(void)
{
    foreign_init(&foreign);
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){.create_if_missing = true}, &store),
                 HAUL_OK);
    check_or_stop(store != NULL);
    struct haul_family families[2];
    size_t count = 0;
    check_status(store->ops->families(store, families, 2, &count, &error), HAUL_OK);
    check_equal(count, 1);
    check_text(families[0].name, "default");
    check_text(families[0].comparator, "leveldb.BytewiseComparator");
    check_text(families[0].merge_operator, "");
    check(strlen(store->ops->identity(store)) > 8);
    check_text(store->ops->directory(store), foreign.path);
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__read_only_create__not_found(void)
{
    foreign_init(&foreign);
    struct haul_rocks_options options = {.create_if_missing = true, .read_only = true};
    check_status(try_open(options), HAUL_NOT_FOUND);
    foreign_fini(&foreign);
}

static void test_open__path_too_long__invalid(void)
{
    static char path[5000];
    memset(path, 'p', sizeof(path) - 1);
    struct haul_store *store = NULL;
    struct haul_rocks_options options = {.create_if_missing = true};
    check_error(haul_rocks_store_open(path, &options, &store, &error), HAUL_INVALID, error);
}

/* --- existing --------------------------------------------------------------------------------- */

static void test_open__twice__same_identity(void)
{
    make_database();
    struct haul_store *store = NULL;
    char identity[HAUL_IDENTITY_BYTES_MAX];
    check_status(open_with((struct haul_rocks_options){0}, &store), HAUL_OK);
    (void)snprintf(identity, sizeof(identity), "%s", store->ops->identity(store));
    store->ops->close(store);
    check_status(open_with((struct haul_rocks_options){0}, &store), HAUL_OK);
    check_text(store->ops->identity(store), identity);
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__locked__busy_names_the_directory(void)
{
    make_database();
    foreign_open(&foreign);
    check_status(try_open((struct haul_rocks_options){0}), HAUL_BUSY);
    check(strstr(error.text, foreign.path) != NULL);
    check(strstr(error.hint, "process") != NULL);
    foreign_fini(&foreign);
}

static void test_open__locked_read_only__reads(void)
{
    make_database();
    foreign_open(&foreign);
    foreign_put(&foreign, "c", "3");
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){.read_only = true}, &store), HAUL_OK);
    check_or_stop(store != NULL);
    check(has_record(store, "a", "1"));
    check(has_record(store, "c", "3"));
    check_equal(store->ops->features(store), 0);
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__read_only__write_fails(void)
{
    make_database();
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){.read_only = true}, &store), HAUL_OK);
    check_or_stop(store != NULL);
    uint8_t memory[64];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, slice_of("x", 1), slice_of("y", 1)));
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    check_error(store->ops->write(store, batch, 0, &error), HAUL_STORE, error);
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__stored_options__kept(void)
{
    foreign_init(&foreign);
    foreign_set(&foreign, "write_buffer_size=1234567;compression=kNoCompression");
    foreign_open(&foreign);
    foreign_close(&foreign);
    check_status(try_open((struct haul_rocks_options){0}), HAUL_OK);
    /* RocksDB has written the options of our opening into a new file. */
    rocksdb_options_t *options = NULL;
    rocksdb_options_t **families = NULL;
    char **names = NULL;
    size_t count = 0;
    char *message = NULL;
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(1 << 20);
    rocksdb_load_latest_options(foreign.path, env, true, cache, &options, &count, &names, &families,
                                &message);
    foreign_check(message);
    check_equal(count, 1);
    check_equal(rocksdb_options_get_write_buffer_size(families[0]), 1234567);
    check_equal(rocksdb_options_get_compression(families[0]), rocksdb_no_compression);
    rocksdb_load_latest_options_destroy(options, names, families, count);
    rocksdb_cache_destroy(cache);
    rocksdb_env_destroy(env);
    foreign_fini(&foreign);
}

static void test_open__unknown_value_in_the_options__unsupported_names_the_file(void)
{
    static char text[1 << 16];
    char path[512];
    make_database();
    find_file(path, "OPTIONS-");
    FILE *file = fopen(path, "rb");
    check_or_stop(file != NULL);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    check_equal(fclose(file), 0);
    char *value = strstr(text, "  compression=k");
    check_or_stop(value != NULL);
    value[strlen("  compression=")] = 'q';
    overwrite(path, text);
    check_error(try_open((struct haul_rocks_options){0}), HAUL_UNSUPPORTED, error);
    check(strstr(error.text, "OPTIONS-") != NULL);
    check(strstr(error.hint, "correct the file") != NULL);
    foreign_fini(&foreign);
}

/* The old text replaces the new file only when all of it is on the disk. */
static void test_open__options__text_is_whole_before_it_takes_the_place(void)
{
    char path[512];
    struct stat before;
    struct stat after;
    make_database();
    find_file(path, "OPTIONS-");
    check_or_stop(stat(path, &before) == 0);
    synced_bytes = -1;
    check_status(try_open((struct haul_rocks_options){0}), HAUL_OK);
    check_equal(synced_bytes, before.st_size);
    find_file(path, "OPTIONS-");
    check_or_stop(stat(path, &after) == 0);
    check_equal(after.st_size, before.st_size);
    foreign_fini(&foreign);
}

static void test_open__no_options_file__reads_with_defaults(void)
{
    make_database();
    remove_options();
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){0}, &store), HAUL_OK);
    check_or_stop(store != NULL);
    check(has_record(store, "b", "2"));
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__copied_directory__own_log(void)
{
    make_database();
    char original[FOREIGN_PATH_BYTES_MAX];
    (void)snprintf(original, sizeof(original), "%s", foreign.path);
    (void)snprintf(foreign.path, sizeof(foreign.path), "%.200s-moved", original);
    check_equal(rename(original, foreign.path), 0);
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){0}, &store), HAUL_OK);
    check_or_stop(store != NULL);
    check(has_record(store, "a", "1"));
    check(access(original, F_OK) != 0);
    store->ops->close(store);
    foreign_fini(&foreign);
}

/* --- damaged ---------------------------------------------------------------------------------- */

static void test_open__current_is_empty__corrupt(void)
{
    make_database();
    char path[512];
    file_path(path, "CURRENT");
    overwrite(path, "");
    check_status(try_open((struct haul_rocks_options){0}), HAUL_CORRUPT);
    check(strstr(error.hint, "nothing was changed; restore a backup") != NULL);
    foreign_fini(&foreign);
}

static void test_open__current_names_no_file__fails_and_keeps_data(void)
{
    make_database();
    char path[512];
    file_path(path, "CURRENT");
    overwrite(path, "MANIFEST-999999\n");
    enum haul_status status = try_open((struct haul_rocks_options){.create_if_missing = true});
    check(status == HAUL_CORRUPT || status == HAUL_IO);
    find_file(path, "MANIFEST-");
    foreign_fini(&foreign);
}

/* The disk failed, or the process was killed, before CURRENT existed: the database never held
 * data. */
static void test_open__making_was_cut_short_create__made_again(void)
{
    char path[512];
    struct haul_store *store = NULL;
    foreign_init(&foreign);
    file_path(path, "MANIFEST-000001");
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL);
    check_equal(fclose(file), 0);
    check_status(try_open((struct haul_rocks_options){.create_if_missing = false}), HAUL_NOT_FOUND);
    check_status(open_with((struct haul_rocks_options){.create_if_missing = true}, &store),
                 HAUL_OK);
    check_or_stop(store != NULL);
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__current_lost_create__corrupt_and_keeps_data(void)
{
    make_database();
    char path[512];
    file_path(path, "CURRENT");
    check_equal(unlink(path), 0);
    check_status(try_open((struct haul_rocks_options){.create_if_missing = true}), HAUL_CORRUPT);
    check(strstr(error.text, "CURRENT") != NULL);
    check(strstr(error.hint, "restore a backup or use `ldb repair`; nothing was changed") != NULL);
    find_file(path, "MANIFEST-");
    foreign_fini(&foreign);
}

/* It has no complete fragment: RocksDB has not written it. */
static void test_open__manifest_is_garbage__unsupported(void)
{
    make_database();
    char path[512];
    find_file(path, "MANIFEST-");
    overwrite(path, "this is not a list of files, and it is long enough to be read as one");
    check_status(try_open((struct haul_rocks_options){0}), HAUL_UNSUPPORTED);
    check(strstr(error.hint, "in the program that can read it") != NULL);
    foreign_fini(&foreign);
}

static void test_open__path_contains_lock__error_is_not_busy(void)
{
    make_database();
    char original[FOREIGN_PATH_BYTES_MAX];
    (void)snprintf(original, sizeof(original), "%s", foreign.path);
    (void)snprintf(foreign.path, sizeof(foreign.path), "%.200s-block", original);
    check_equal(rename(original, foreign.path), 0);
    char path[512];
    file_path(path, "CURRENT");
    overwrite(path, "MANIFEST-999999\n");
    check(try_open((struct haul_rocks_options){0}) != HAUL_BUSY);
    foreign_fini(&foreign);
}

/* --- names ------------------------------------------------------------------------------------ */

static int compare_by_size(void *state, const char *a, size_t a_size, const char *b, size_t b_size)
{
    (void)state;
    (void)a;
    (void)b;
    return a_size < b_size ? -1 : a_size > b_size;
}

static const char *name_of(void *state)
{
    return state;
}

static void destroy_nothing(void *state)
{
    (void)state;
}

static char *merge_full(void *state, const char *key, size_t key_size, const char *existing,
                        size_t existing_size, const char *const *operands,
                        const size_t *operand_sizes, int operand_count, unsigned char *success,
                        size_t *new_size)
{
    (void)state;
    (void)key;
    (void)key_size;
    (void)existing;
    (void)existing_size;
    (void)operands;
    (void)operand_sizes;
    (void)operand_count;
    *success = 1;
    *new_size = 1;
    return calloc(1, 1);
}

static char *merge_partial(void *state, const char *key, size_t key_size,
                           const char *const *operands, const size_t *operand_sizes,
                           int operand_count, unsigned char *success, size_t *new_size)
{
    (void)state;
    (void)key;
    (void)key_size;
    (void)operands;
    (void)operand_sizes;
    (void)operand_count;
    *success = 0;
    *new_size = 0;
    return NULL;
}

static char comparator_name[] = "somebody.BySize";
static char operator_name[] = "somebody.Merge";
static rocksdb_comparator_t *comparator;

static void make_with_comparator(void)
{
    foreign_init(&foreign);
    comparator =
        rocksdb_comparator_create(comparator_name, destroy_nothing, compare_by_size, name_of);
    rocksdb_options_set_comparator(foreign.options, comparator);
    foreign_open(&foreign);
    foreign_put(&foreign, "a", "1");
    foreign_close(&foreign);
}

static void remove_with_comparator(void)
{
    foreign_fini(&foreign);
    rocksdb_comparator_destroy(comparator);
}

static void test_open__foreign_comparator__mismatch_names_it(void)
{
    make_with_comparator();
    check_status(try_open((struct haul_rocks_options){0}), HAUL_MISMATCH);
    check(strstr(error.text, comparator_name) != NULL);
    check(strstr(error.text, "default") != NULL);
    check(error.hint[0] != '\0');
    remove_with_comparator();
}

static void test_open__foreign_comparator_no_options_file__mismatch(void)
{
    make_with_comparator();
    remove_options();
    check_status(try_open((struct haul_rocks_options){0}), HAUL_MISMATCH);
    check(strstr(error.text, comparator_name) != NULL);
    remove_with_comparator();
}

static void test_open__foreign_merge_operator__mismatch_names_it(void)
{
    foreign_init(&foreign);
    rocksdb_options_set_merge_operator(
        foreign.options, rocksdb_mergeoperator_create(operator_name, destroy_nothing, merge_full,
                                                      merge_partial, NULL, name_of));
    foreign_open(&foreign);
    foreign_close(&foreign);
    check_status(try_open((struct haul_rocks_options){0}), HAUL_MISMATCH);
    check(strstr(error.text, operator_name) != NULL);
    foreign_fini(&foreign);
}

/* A family of this name with a foreign comparator, beside a plain default one. */
static void test_open__foreign_comparator_in_second_family__mismatch_names_family(void)
{
    foreign_init(&foreign);
    foreign_open(&foreign);
    comparator =
        rocksdb_comparator_create(comparator_name, destroy_nothing, compare_by_size, name_of);
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_comparator(options, comparator);
    char *message = NULL;
    rocksdb_column_family_handle_t *handle =
        rocksdb_create_column_family(foreign.db, options, "by \"size\"", &message);
    foreign_check(message);
    rocksdb_column_family_handle_destroy(handle);
    foreign_close(&foreign);
    check_status(try_open((struct haul_rocks_options){0}), HAUL_MISMATCH);
    check(strstr(error.text, "'by \"size\"'") != NULL);
    rocksdb_options_destroy(options);
    remove_with_comparator();
}

static void merge(const char *key, const char *operand)
{
    char *message = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_merge(foreign.db, options, key, strlen(key), operand, strlen(operand), &message);
    rocksdb_writeoptions_destroy(options);
    foreign_check(message);
}

static void test_open__string_append_operator__merged_values_are_read(void)
{
    foreign_init(&foreign);
    foreign_set(&foreign, "merge_operator=stringappend");
    foreign_open(&foreign);
    merge("k", "one");
    merge("k", "two");
    foreign_close(&foreign);
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){0}, &store), HAUL_OK);
    check_or_stop(store != NULL);
    check(has_record(store, "k", "one,two"));
    struct haul_family families[1];
    size_t count = 0;
    check_status(store->ops->families(store, families, 1, &count, &error), HAUL_OK);
    check_text(families[0].merge_operator, "{id=StringAppendOperator;delimiter=,;}");
    store->ops->close(store);
    foreign_fini(&foreign);
}

/* RocksDB can create every operator that is accepted by name: a merge is readable. */
static void check_operator(const char *option, const char *name, const char *operand)
{
    foreign_init(&foreign);
    foreign_set(&foreign, option);
    foreign_open(&foreign);
    merge("k", operand);
    merge("k", operand);
    foreign_close(&foreign);
    struct haul_store *store = NULL;
    check_status(open_with((struct haul_rocks_options){0}, &store), HAUL_OK);
    check_or_stop(store != NULL);
    uint8_t *value = NULL;
    size_t size = 0;
    check_status(store->ops->get(store, NULL, 0, slice_of("k", 1), &value, &size, &error), HAUL_OK);
    free(value);
    struct haul_family families[1];
    size_t count = 0;
    check_status(store->ops->families(store, families, 1, &count, &error), HAUL_OK);
    check_text(families[0].merge_operator, name);
    store->ops->close(store);
    foreign_fini(&foreign);
}

static void test_open__operators_of_rocksdb__readable(void)
{
    check_operator("merge_operator=uint64add", "UInt64AddOperator", "8 bytes.");
    check_operator("merge_operator=max", "MaxOperator", "8 bytes.");
    check_operator("merge_operator=bytesxor", "BytesXOR", "8 bytes.");
    check_operator("merge_operator=put", "PutOperator", "8 bytes.");
}

/* --- a log that lies elsewhere ---------------------------------------------------------------- */

/* A database whose log lies in `name`, next to it or in it, and whose LOG does not name it. */
static void make_with_log_in(const char *name)
{
    char options[700];
    char path[512];
    foreign_init(&foreign);
    (void)snprintf(options, sizeof(options), "wal_dir=%s%s", foreign.path, name);
    foreign_set(&foreign, options);
    foreign_open(&foreign);
    foreign_put(&foreign, "a", "1");
    foreign_close(&foreign);
    file_path(path, "LOG");
    check_or_stop(unlink(path) == 0);
}

static void test_open__log_directory_below_the_database__its_own(void)
{
    make_with_log_in("/wal");
    check_status(try_open((struct haul_rocks_options){.read_only = false}), HAUL_OK);
    foreign_fini(&foreign);
}

/* Its path begins with the database's, but is another directory: whose log lies there is
 * unknown. */
static void test_open__log_directory_next_to_the_database__unsupported_unless_given(void)
{
    char path[512];
    make_with_log_in("-wal");
    check_status(try_open((struct haul_rocks_options){.read_only = false}), HAUL_UNSUPPORTED);
    (void)snprintf(path, sizeof(path), "%s-wal", foreign.path);
    check(strstr(error.text, path) != NULL);
    check(strstr(error.hint, "--wal-dir") != NULL);
    check_status(try_open((struct haul_rocks_options){.wal_dir = path}), HAUL_OK);
    foreign_fini(&foreign);
    (void)nftw(path, foreign_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_open__empty_directory__not_found),
    CHECK_TEST(test_open__no_directory__not_found),
    CHECK_TEST(test_open__empty_directory_create__new_database),
    CHECK_TEST(test_open__read_only_create__not_found),
    CHECK_TEST(test_open__path_too_long__invalid),
    CHECK_TEST(test_open__twice__same_identity),
    CHECK_TEST(test_open__locked__busy_names_the_directory),
    CHECK_TEST(test_open__locked_read_only__reads),
    CHECK_TEST(test_open__read_only__write_fails),
    CHECK_TEST(test_open__stored_options__kept),
    CHECK_TEST(test_open__unknown_value_in_the_options__unsupported_names_the_file),
    CHECK_TEST(test_open__options__text_is_whole_before_it_takes_the_place),
    CHECK_TEST(test_open__no_options_file__reads_with_defaults),
    CHECK_TEST(test_open__copied_directory__own_log),
    CHECK_TEST(test_open__current_is_empty__corrupt),
    CHECK_TEST(test_open__current_names_no_file__fails_and_keeps_data),
    CHECK_TEST(test_open__making_was_cut_short_create__made_again),
    CHECK_TEST(test_open__current_lost_create__corrupt_and_keeps_data),
    CHECK_TEST(test_open__manifest_is_garbage__unsupported),
    CHECK_TEST(test_open__path_contains_lock__error_is_not_busy),
    CHECK_TEST(test_open__foreign_comparator__mismatch_names_it),
    CHECK_TEST(test_open__foreign_comparator_no_options_file__mismatch),
    CHECK_TEST(test_open__foreign_merge_operator__mismatch_names_it),
    CHECK_TEST(test_open__foreign_comparator_in_second_family__mismatch_names_family),
    CHECK_TEST(test_open__string_append_operator__merged_values_are_read),
    CHECK_TEST(test_open__operators_of_rocksdb__readable),
    CHECK_TEST(test_open__log_directory_below_the_database__its_own),
    CHECK_TEST(test_open__log_directory_next_to_the_database__unsupported_unless_given),
};

CHECK_MAIN("rocks_open", tests)
