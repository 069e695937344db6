/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_look.c — logs that RocksDB has written: complete, damaged, torn and compressed. */
#include "log_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "foreign_database.h"
#include "log_unpack.h"
#include "raw_batch.h"

enum { RECORDS = 3000 };

static struct foreign_database foreign;
static struct log_look look;
static struct haul_error error;

static void put_many(const char *prefix)
{
    for (int i = 0; i < RECORDS; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "%s%06d", prefix, i);
        foreign_put(&foreign, key, "a value of some length, so that there are several blocks");
    }
}

static void merge(const char *key)
{
    char *message = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_merge(foreign.db, options, key, strlen(key), "x", 1, &message);
    rocksdb_writeoptions_destroy(options);
    foreign_check(message);
}

static void open_with(const char *options)
{
    foreign_init(&foreign);
    foreign_set(&foreign, options);
    foreign_open(&foreign);
    error = (struct haul_error){0};
}

/* The only log file that is not empty. */
static int open_log(void)
{
    DIR *directory = opendir(foreign.path);
    const struct dirent *entry;
    int fd = -1;
    check_or_stop(directory != NULL);
    while (fd < 0 && (entry = readdir(directory)) != NULL) {
        fd = log_look_is_log(entry->d_name) ? openat(dirfd(directory), entry->d_name, O_RDWR) : -1;
    }
    (void)closedir(directory);
    check_or_stop(fd >= 0);
    return fd;
}

static void damage_at(off_t offset)
{
    int fd = open_log();
    check_or_stop(pwrite(fd, "damage", 6, offset) == 6);
    (void)close(fd);
}

static void look_again(void)
{
    check_status(log_look(foreign.path, 0, &look, &error), HAUL_OK);
}

static bool no_memory;

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    return no_memory ? NULL : __real_realloc(memory, size);
}

static void test_log_look__no_memory_for_the_names__told(void)
{
    open_with("");
    foreign_put(&foreign, "a", "1");
    foreign_close(&foreign);
    no_memory = true;
    check_error(log_look(foreign.path, 0, &look, &error), HAUL_NO_MEMORY, error);
    no_memory = false;
    foreign_fini(&foreign);
}

static void test_log_look__plain_records__counted(void)
{
    open_with("");
    put_many("a");
    foreign_close(&foreign);
    look_again();
    check_equal(look.record_count, RECORDS);
    check_equal(look.last_sequence, RECORDS);
    check(!look.loses_records && !look.is_opaque && !look.has_prepared && !look.has_blob_index);
    check_equal(look.merge_family_count, 0);
    foreign_fini(&foreign);
}

static void test_log_look__merges__family_noted_once(void)
{
    open_with("merge_operator=StringAppendOperator");
    merge("a");
    merge("b");
    foreign_close(&foreign);
    look_again();
    check_equal(look.merge_family_count, 1);
    check_equal(look.merge_families[0], 0);
    foreign_fini(&foreign);
}

static void test_log_look__compressed__looked_into(void)
{
    open_with("merge_operator=StringAppendOperator;wal_compression=kZSTD");
    put_many("a");
    merge("b");
    foreign_close(&foreign);
    look_again();
    check_equal(look.record_count, RECORDS + 1);
    check_equal(look.last_sequence, RECORDS + 1);
    check_equal(look.merge_family_count, 1);
    check(!look.is_opaque);
    foreign_fini(&foreign);
}

/* What it unpacks to needs more memory than the record before it. */
static void test_log_look__compressed_very_well__looked_into(void)
{
    enum { LARGE = 100 << 10 }; /* one block of zstd, and more than the first piece of memory */
    char *value = malloc(LARGE + 1);
    check_or_stop(value != NULL);
    memset(value, 'v', LARGE);
    value[LARGE] = '\0';
    open_with("wal_compression=kZSTD");
    foreign_put(&foreign, "a", "small");
    foreign_put(&foreign, "b", value);
    foreign_put(&foreign, "c", "small");
    foreign_close(&foreign);
    free(value);
    look_again();
    check_equal(look.record_count, 3);
    check_equal(look.last_sequence, 3);
    check(!look.is_opaque && !look.loses_records);
    foreign_fini(&foreign);
}

static void test_log_look__damaged_in_the_middle__loses_records(void)
{
    open_with("");
    put_many("a");
    foreign_close(&foreign);
    damage_at(100000);
    look_again();
    check(look.loses_records);
    check(strstr(look.damage, ".log is damaged at byte") != NULL);
    check(look.last_sequence == RECORDS); /* the last complete one, wherever it lies */
    foreign_fini(&foreign);
}

/* --- transactions ----------------------------------------------------------------------------- */

/* A batch of log file `number` that is one marker of the transaction of that name: END_PREPARE,
 * COMMIT or ROLLBACK. */
static void mark(unsigned number, enum raw_tag kind, const char *name)
{
    enum { HEAD_BYTES = 7, WHOLE = 1 };
    uint8_t bytes[HEAD_BYTES + RAW_BATCH_HEADER_BYTES + 64] = {0};
    char path[400];
    size_t size = RAW_BATCH_HEADER_BYTES + 2 + strlen(name);
    bytes[6] = WHOLE;
    bytes[HEAD_BYTES + RAW_BATCH_HEADER_BYTES] = (uint8_t)kind;
    bytes[HEAD_BYTES + RAW_BATCH_HEADER_BYTES + 1] = (uint8_t)strlen(name);
    memcpy(bytes + HEAD_BYTES + RAW_BATCH_HEADER_BYTES + 2, name, strlen(name));
    uint32_t crc = crc32c(bytes + 6, 1 + size);
    put_u32(bytes, ((crc >> 15) | (crc << 17)) + UINT32_C(0xa282ead8));
    put_u16(bytes + 4, (uint16_t)size);
    (void)snprintf(path, sizeof(path), "%s/%06u.log", foreign.path, number);
    FILE *file = fopen(path, "ae");
    check_or_stop(file != NULL && fwrite(bytes, 1, HEAD_BYTES + size, file) == HEAD_BYTES + size);
    check_or_stop(fclose(file) == 0);
}

/* Names are reused, and what one file prepares another may commit. */
static void test_log_look__transactions__those_that_have_not_ended(void)
{
    foreign_init(&foreign);
    mark(3, RAW_END_PREPARE, "one");
    mark(3, RAW_COMMIT, "one");
    mark(3, RAW_END_PREPARE, "two");
    mark(3, RAW_ROLLBACK, "two");
    mark(3, RAW_END_PREPARE, "one");
    mark(3, RAW_END_PREPARE, "one");
    mark(4, RAW_COMMIT, "one");
    look_again();
    check(!look.has_prepared);
    mark(5, RAW_END_PREPARE, "three");
    mark(6, RAW_COMMIT, "thre");
    look_again();
    check(look.has_prepared);
    check(strstr(look.prepared, "three") != NULL);
    /* Even in a file that is not replayed for anything else. */
    check_status(log_look(foreign.path, 7, &look, &error), HAUL_OK);
    check(look.has_prepared);
    check_equal(look.record_count, 0);
    check_equal(look.file_count, 4);
    foreign_fini(&foreign);
}

static void test_log_look__torn_at_its_end__loses_nothing(void)
{
    open_with("");
    put_many("a");
    foreign_close(&foreign);
    int fd = open_log();
    check_or_stop(ftruncate(fd, lseek(fd, 0, SEEK_END) - 5) == 0);
    (void)close(fd);
    look_again();
    check(!look.loses_records);
    check_equal(look.record_count, RECORDS - 1);
    check_equal(look.last_sequence, RECORDS - 1);
    foreign_fini(&foreign);
}

/* Each record that haul cannot move, alone; an unknown record type ends the look if the file would
 * be replayed. */
static void test_log_look__kinds_of_records__noted_or_refused(void)
{
    static const struct {
        enum raw_tag kind;
        bool persisted;
    } cases[] = {{RAW_BEGIN_PERSISTED_PREPARE, true},
                 {RAW_BEGIN_UNPREPARE, true},
                 {RAW_BEGIN_PREPARE, false}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        foreign_init(&foreign);
        mark(3, cases[i].kind, "");
        (void)!log_look(foreign.path, 0, &look, &error);
        check_equal(look.has_persisted_prepare, cases[i].persisted);
        (void)!log_look(foreign.path, 4, &look, &error);
        check_equal(look.has_persisted_prepare, cases[i].persisted);
        foreign_fini(&foreign);
    }
    foreign_init(&foreign);
    mark(3, (enum raw_tag)99, "a");
    check_error(log_look(foreign.path, 0, &look, &error), HAUL_VERSION, error);
    check(strstr(error.text, "000003.log") != NULL);
    check_status(log_look(foreign.path, 4, &look, &error), HAUL_OK);
    foreign_fini(&foreign);
}

static void test_log_look__no_files_or_no_directory__nothing_or_io(void)
{
    static const char *const others[] = {"log", ".log", "a1.log", "1.logs", "1.log.1", "LOG"};
    foreign_init(&foreign);
    for (size_t i = 0; i < CHECK_COUNT(others); i++) {
        char path[400];
        (void)snprintf(path, sizeof(path), "%s/%s", foreign.path, others[i]);
        FILE *file = fopen(path, "we");
        check_or_stop(file != NULL && fclose(file) == 0);
        check(!log_look_is_log(others[i]));
    }
    look_again();
    check_equal(look.file_count + look.record_count + look.last_sequence, 0);
    char gone[400]; /* between the list and the open */
    (void)snprintf(gone, sizeof(gone), "%s/000007.log", foreign.path);
    check_or_stop(symlink("/nonexistent/haul", gone) == 0);
    look_again();
    check_equal(look.file_count, 1);
    check_equal(look.record_count, 0);
    foreign_fini(&foreign);
    check_error(log_look("/nonexistent/haul", 0, &look, &error), HAUL_IO, error);
}

static void test_log_unpack__no_frame__corrupt(void)
{
    struct log_unpack unpack = {0};
    struct haul_slice record;
    check_error(log_unpack(&unpack, slice_of("no frame", 8), &record, &error), HAUL_CORRUPT, error);
    check_error(log_unpack(&unpack, slice_of(NULL, 0), &record, &error), HAUL_CORRUPT, error);
    log_unpack_fini(&unpack);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_look__no_memory_for_the_names__told),
    CHECK_TEST(test_log_look__plain_records__counted),
    CHECK_TEST(test_log_look__merges__family_noted_once),
    CHECK_TEST(test_log_look__compressed__looked_into),
    CHECK_TEST(test_log_look__compressed_very_well__looked_into),
    CHECK_TEST(test_log_look__damaged_in_the_middle__loses_records),
    CHECK_TEST(test_log_look__transactions__those_that_have_not_ended),
    CHECK_TEST(test_log_look__torn_at_its_end__loses_nothing),
    CHECK_TEST(test_log_look__kinds_of_records__noted_or_refused),
    CHECK_TEST(test_log_look__no_files_or_no_directory__nothing_or_io),
    CHECK_TEST(test_log_unpack__no_frame__corrupt),
};

CHECK_MAIN("log_look", tests)
