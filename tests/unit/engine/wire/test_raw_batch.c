/* SPDX-License-Identifier: Apache-2.0 */
/* test_raw_batch.c — WriteBatch bytes: what is written is read again, what is torn is refused. */
#include "raw_batch.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/store.h"

enum { MEMORY_BYTES = 512 };

static uint8_t memory[MEMORY_BYTES];
static struct raw_batch_writer writer;
static struct raw_batch_reader reader;
static struct raw_record record;

static struct haul_slice slice(const char *text)
{
    return slice_of(text, strlen(text));
}

/* One record of each kind that travels, in both forms. */
static size_t build_all(void)
{
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, slice("k1"), slice("v1")));
    check(raw_batch_put(&writer, 300, slice("k2"), slice("")));
    check(raw_batch_delete(&writer, 0, slice("k3")));
    check(raw_batch_delete(&writer, 1, slice("k4")));
    check(raw_batch_delete_range(&writer, 0, slice("a"), slice("b")));
    check(raw_batch_delete_range(&writer, 2, slice("c"), slice("d")));
    return raw_batch_finish(&writer);
}

static void open_batch(const void *data, size_t size)
{
    check_or_stop(raw_batch_open(&reader, slice_of(data, size)) == HAUL_OK);
}

static void check_next(enum raw_tag kind, uint32_t family_id, const char *key, const char *value)
{
    check_status(raw_batch_next(&reader, &record), HAUL_OK);
    check_equal(record.kind, kind);
    check_equal(record.family_id, family_id);
    check(slice_compare(record.key, slice(key)) == 0);
    check(slice_compare(record.value, slice(value)) == 0);
}

/* The status at which walking these bytes ends. */
static enum haul_status walk(const void *data, size_t size)
{
    enum haul_status status = raw_batch_open(&reader, slice_of(data, size));
    while (status == HAUL_OK) {
        status = raw_batch_next(&reader, &record);
    }
    return status;
}

static void test_raw_batch_next__every_kind_written__read_again(void)
{
    size_t size = build_all();
    open_batch(memory, size);
    check_equal(reader.sequence, 0);
    check_equal(reader.count, 6);
    check_next(RAW_PUT, 0, "k1", "v1");
    check_equal(record.tag, RAW_PUT);
    check_next(RAW_PUT, 300, "k2", "");
    check_equal(record.tag, RAW_FAMILY_PUT);
    check_next(RAW_DELETE, 0, "k3", "");
    check_next(RAW_DELETE, 1, "k4", "");
    check_equal(record.tag, RAW_FAMILY_DELETE);
    check_next(RAW_DELETE_RANGE, 0, "a", "b");
    check_next(RAW_DELETE_RANGE, 2, "c", "d");
    check_equal(record.tag, RAW_FAMILY_DELETE_RANGE);
    check_status(raw_batch_next(&reader, &record), HAUL_NOT_FOUND);
}

static void test_raw_batch_next__records__whole_covers_the_batch_without_gaps(void)
{
    size_t size = build_all();
    const uint8_t *at = memory + RAW_BATCH_HEADER_BYTES;
    open_batch(memory, size);
    while (raw_batch_next(&reader, &record) == HAUL_OK) {
        check(record.whole.data == at);
        at += record.whole.size;
    }
    check(at == memory + size);
}

static void test_raw_batch_put__bytes__as_rocksdb_writes_them(void)
{
    static const char expected[] = "\0\0\0\0\0\0\0\0\2\0\0\0"
                                   "\x01\2k1\2v1"
                                   "\x05\xac\2\1k\1v";
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, slice("k1"), slice("v1")));
    check(raw_batch_put(&writer, 300, slice("k"), slice("v")));
    check_equal(raw_batch_finish(&writer), sizeof(expected) - 1);
    check(memcmp(memory, expected, sizeof(expected) - 1) == 0);
}

static void test_raw_batch_put_size__every_kind__what_is_taken(void)
{
    static const uint32_t families[] = {0, 1, 127, 128, UINT32_MAX};
    for (size_t i = 0; i < CHECK_COUNT(families); i++) {
        raw_batch_begin(&writer, memory, sizeof(memory));
        const uint8_t *at = writer.at;
        check(raw_batch_put(&writer, families[i], slice("key"), slice("value")));
        check_equal((size_t)(writer.at - at), raw_batch_put_size(families[i], 3, 5));
        at = writer.at;
        check(raw_batch_delete(&writer, families[i], slice("key")));
        check_equal((size_t)(writer.at - at), raw_batch_delete_size(families[i], 3));
        at = writer.at;
        check(raw_batch_delete_range(&writer, families[i], slice("a"), slice("bb")));
        check_equal((size_t)(writer.at - at), raw_batch_delete_range_size(families[i], 1, 2));
    }
}

static void test_raw_batch_put__no_room__false_and_nothing_written(void)
{
    size_t record_size = raw_batch_put_size(0, 2, 2);
    for (size_t room = 0; room < record_size; room++) {
        memset(memory, 0xee, sizeof(memory));
        raw_batch_begin(&writer, memory, RAW_BATCH_HEADER_BYTES + room);
        check(!raw_batch_put(&writer, 0, slice("k1"), slice("v1")));
        check_equal(raw_batch_finish(&writer), RAW_BATCH_HEADER_BYTES);
        check_equal(memory[RAW_BATCH_HEADER_BYTES], 0xee);
    }
    raw_batch_begin(&writer, memory, RAW_BATCH_HEADER_BYTES + record_size);
    check(raw_batch_put(&writer, 0, slice("k1"), slice("v1")));
    check(!raw_batch_delete(&writer, 0, slice("")));
    check(!raw_batch_delete_range(&writer, 0, slice("a"), slice("b")));
    check_equal(raw_batch_finish(&writer), RAW_BATCH_HEADER_BYTES + record_size);
}

static void test_raw_batch_open__shorter_than_its_header__corrupt(void)
{
    for (size_t size = 0; size < RAW_BATCH_HEADER_BYTES; size++) {
        check_status(walk(memory, size), HAUL_CORRUPT);
    }
}

static void test_raw_batch_next__empty_batch__sound_end(void)
{
    raw_batch_begin(&writer, memory, sizeof(memory));
    check_status(walk(memory, raw_batch_finish(&writer)), HAUL_NOT_FOUND);
}

/* In copies of exact size, so that the address sanitizer notices an overread. */
static void test_raw_batch_next__cut_anywhere__corrupt(void)
{
    size_t size = build_all();
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        check_or_stop(copy != NULL);
        memcpy(copy + 1, memory, cut);
        check_status(walk(copy + 1, cut), HAUL_CORRUPT);
        free(copy);
    }
}

static void test_raw_batch_next__count_lies__corrupt(void)
{
    size_t size = build_all();
    for (uint32_t count = 0; count < 10; count++) {
        put_u32(memory + 8, count);
        check_status(walk(memory, size), count == 6 ? HAUL_NOT_FOUND : HAUL_CORRUPT);
    }
    put_u32(memory + 8, UINT32_MAX);
    check_status(walk(memory, size), HAUL_CORRUPT);
}

static void test_raw_batch_next__unknown_tags__corrupt(void)
{
    static const uint8_t unknown[] = {0x14, 0x18, 0x19, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < CHECK_COUNT(unknown); i++) {
        (void)build_all();
        memory[RAW_BATCH_HEADER_BYTES] = unknown[i];
        open_batch(memory, sizeof(memory));
        check_status(raw_batch_next(&reader, &record), HAUL_CORRUPT);
    }
}

static void test_raw_batch_next__records_that_do_not_count__walked_but_not_counted(void)
{
    static const char bytes[] = "\0\0\0\0\0\0\0\0\1\0\0\0"
                                "\x03\4blob"
                                "\x0d"
                                "\x09"
                                "\x07\1k"
                                "\x0a\3xid"
                                "\x15\2ts\3xid";
    open_batch(bytes, sizeof(bytes) - 1);
    check_next(RAW_LOG_DATA, 0, "", "blob");
    check_next(RAW_NOOP, 0, "", "");
    check_next(RAW_BEGIN_PREPARE, 0, "", "");
    check_next(RAW_SINGLE_DELETE, 0, "k", "");
    check_next(RAW_END_PREPARE, 0, "", "xid");
    check_next(RAW_COMMIT_WITH_TIMESTAMP, 0, "ts", "xid");
    check_status(raw_batch_next(&reader, &record), HAUL_NOT_FOUND);
}

static void test_raw_batch_log_data__fits_or_not__written_and_not_counted(void)
{
    struct haul_slice blob = {(const uint8_t *)"blob", 4};
    size_t size = RAW_BATCH_HEADER_BYTES + raw_batch_log_data_size(blob.size);
    raw_batch_begin(&writer, memory, size - 1);
    bool written = raw_batch_log_data(&writer, blob);
    check(!written);
    check_equal(raw_batch_finish(&writer), RAW_BATCH_HEADER_BYTES);
    raw_batch_begin(&writer, memory, size);
    written = raw_batch_log_data(&writer, blob);
    check(written);
    check_equal(writer.count, 0);
    check_equal(raw_batch_finish(&writer), size);
    open_batch(memory, size);
    check_next(RAW_LOG_DATA, 0, "", "blob");
    check_status(raw_batch_next(&reader, &record), HAUL_NOT_FOUND);
}

static void test_raw_batch_next__key_of_any_size__walked(void)
{
    size_t key_size = (size_t)HAUL_KEY_BYTES_MAX + 1;
    size_t size = RAW_BATCH_HEADER_BYTES + raw_batch_delete_size(0, key_size);
    uint8_t *batch = calloc(2, size);
    check_or_stop(batch != NULL);
    const uint8_t *key = batch + size;
    raw_batch_begin(&writer, batch, size);
    bool written = raw_batch_delete(&writer, 0, slice_of(key, key_size));
    check(written);
    check_status(walk(batch, raw_batch_finish(&writer)), HAUL_NOT_FOUND);
    check_status(walk(batch, size - 1), HAUL_CORRUPT);
    free(batch);
}

/* Change any byte: whatever the walker returns, it stays within the batch. */
static void test_raw_batch_next__any_byte_changed__ends_in_bounds(void)
{
    size_t size = build_all();
    uint8_t *copy = malloc(size);
    check_or_stop(copy != NULL);
    for (size_t i = 0; i < size; i++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(copy, memory, size);
            copy[i] = (uint8_t)value;
            enum haul_status status = walk(copy, size);
            check(status == HAUL_NOT_FOUND || status == HAUL_CORRUPT);
        }
    }
    free(copy);
}

/* A caller has room for as many records as the header has. */
static void test_raw_batch_next__more_records_than_counted__the_first_too_many_is_corrupt(void)
{
    static const char bytes[] = "\0\0\0\0\0\0\0\0\1\0\0\0"
                                "\x07\1k"
                                "\x07\1l"
                                "\x07\1m";
    open_batch(bytes, sizeof(bytes) - 1);
    check_next(RAW_SINGLE_DELETE, 0, "k", "");
    check_status(raw_batch_next(&reader, &record), HAUL_CORRUPT);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_raw_batch_next__more_records_than_counted__the_first_too_many_is_corrupt),
    CHECK_TEST(test_raw_batch_next__every_kind_written__read_again),
    CHECK_TEST(test_raw_batch_next__records__whole_covers_the_batch_without_gaps),
    CHECK_TEST(test_raw_batch_put__bytes__as_rocksdb_writes_them),
    CHECK_TEST(test_raw_batch_put_size__every_kind__what_is_taken),
    CHECK_TEST(test_raw_batch_put__no_room__false_and_nothing_written),
    CHECK_TEST(test_raw_batch_open__shorter_than_its_header__corrupt),
    CHECK_TEST(test_raw_batch_next__empty_batch__sound_end),
    CHECK_TEST(test_raw_batch_next__cut_anywhere__corrupt),
    CHECK_TEST(test_raw_batch_next__count_lies__corrupt),
    CHECK_TEST(test_raw_batch_next__unknown_tags__corrupt),
    CHECK_TEST(test_raw_batch_next__records_that_do_not_count__walked_but_not_counted),
    CHECK_TEST(test_raw_batch_log_data__fits_or_not__written_and_not_counted),
    CHECK_TEST(test_raw_batch_next__key_of_any_size__walked),
    CHECK_TEST(test_raw_batch_next__any_byte_changed__ends_in_bounds),
};

CHECK_MAIN("raw_batch", tests)
