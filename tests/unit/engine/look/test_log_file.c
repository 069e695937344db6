/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_file.c — records of fragments: complete, damaged in the middle, and truncated. */
#include "log_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "rocks_fixture.h"

enum { HEAD_BYTES = 7, TYPE_AT = 6, BLOCK_BYTES = 32 << 10, WHOLE = 1, FIRST, MIDDLE, LAST };

static struct rocks_fixture fixture; /* only its directory */
static char path[300];
static FILE *file;
static size_t written;
static struct log_file *tested;
static struct haul_slice record;
static struct haul_error error;

static void begin(void)
{
    rocks_fixture_make_directory(&fixture);
    (void)snprintf(path, sizeof(path), "%s/000001.log", fixture.path);
    file = fopen(path, "we");
    check_or_stop(file != NULL);
    written = 0;
}

static void put(const void *bytes, size_t size)
{
    check_or_stop(fwrite(bytes, 1, size, file) == size);
    written += size;
}

/* `sound` false: its checksum does not match. */
static void fragment(int type, const char *text, bool sound)
{
    uint8_t bytes[64] = {0};
    size_t size = strlen(text);
    check_or_stop(HEAD_BYTES + size <= sizeof(bytes));
    bytes[TYPE_AT] = (uint8_t)type;
    put_u16(bytes + 4, (uint16_t)size);
    memcpy(bytes + HEAD_BYTES, text, size);
    uint32_t crc = crc32c(bytes + TYPE_AT, HEAD_BYTES - TYPE_AT + size);
    put_u32(bytes, (crc >> 15 | crc << 17) + 0xa282ead8U + (sound ? 0 : 1));
    put(bytes, HEAD_BYTES + size);
}

/* Zeros up to the next block: damage ends there. */
static void fill_block(void)
{
    static const uint8_t zeros[BLOCK_BYTES];
    put(zeros, (BLOCK_BYTES - written % BLOCK_BYTES) % BLOCK_BYTES);
}

static void open_log(void)
{
    check_or_stop(fclose(file) == 0);
    check_or_stop(log_file_open(path, &tested, &error) == HAUL_OK);
}

static void end(void)
{
    log_file_close(tested);
    rocks_fixture_close(&fixture);
}

static void expect(const char *text)
{
    check_status(log_file_next(tested, &record, &error), HAUL_OK);
    check_equal(record.size, strlen(text));
    check(memcmp(record.data, text, record.size) == 0);
}

static void test_log_file_next__fragments__joined(void)
{
    begin();
    fragment(WHOLE, "one", true);
    fragment(FIRST, "tw", true);
    fragment(MIDDLE, "o, th", true);
    fragment(LAST, "ree", true);
    open_log();
    expect("one");
    check_equal(log_file_offset(tested), 0);
    expect("two, three");
    check_equal(log_file_offset(tested), HEAD_BYTES + 3);
    check_status(log_file_next(tested, &record, &error), HAUL_NOT_FOUND);
    check(!log_file_is_torn(tested));
    end();
}

/* An earlier call of the thread was interrupted: reading that succeeds leaves errno as it was. */
static void test_log_file_next__errno_of_an_earlier_call__not_looked_at(void)
{
    enum { READ_S_MAX = 30 };
    begin();
    fragment(WHOLE, "one", true);
    open_log();
    (void)alarm(READ_S_MAX); /* reading the same again and again would have no end */
    errno = EINTR;
    expect("one");
    errno = EINTR;
    check_status(log_file_next(tested, &record, &error), HAUL_NOT_FOUND);
    (void)alarm(0);
    end();
}

/* The rest of the record in later blocks does not count as more damage. */
static void test_log_file_next__first_fragment_is_damaged__told_once_and_the_next_record(void)
{
    begin();
    fragment(FIRST, "lost", false);
    fill_block();
    fragment(MIDDLE, "rest", true);
    fragment(LAST, "rest", true);
    fragment(WHOLE, "whole", true);
    open_log();
    check_error(log_file_next(tested, &record, &error), HAUL_CORRUPT, error);
    check_equal(log_file_offset(tested), 0);
    expect("whole");
    check_status(log_file_next(tested, &record, &error), HAUL_NOT_FOUND);
    end();
}

static void test_log_file_next__record_without_its_beginning__corrupt(void)
{
    begin();
    fragment(WHOLE, "one", true);
    fragment(LAST, "rest", true);
    fragment(WHOLE, "two", true);
    open_log();
    expect("one");
    check_error(log_file_next(tested, &record, &error), HAUL_CORRUPT, error);
    expect("two");
    end();
}

static void test_log_file_next__record_without_its_end__corrupt_or_torn(void)
{
    begin();
    fragment(FIRST, "lost", true);
    fragment(WHOLE, "two", true);
    open_log();
    check_error(log_file_next(tested, &record, &error), HAUL_CORRUPT, error);
    expect("two");
    end();
    begin();
    fragment(WHOLE, "one", true);
    fragment(FIRST, "lost", true);
    open_log();
    expect("one");
    check_status(log_file_next(tested, &record, &error), HAUL_NOT_FOUND);
    check(log_file_is_torn(tested));
    end();
}

static void test_log_file_next__file_ends_within_a_fragment__torn(void)
{
    begin();
    fragment(WHOLE, "one", true);
    put("\1\2\3\4\100\0\1abc", 10); /* its size is 64 */
    open_log();
    expect("one");
    check_status(log_file_next(tested, &record, &error), HAUL_NOT_FOUND);
    check(log_file_is_torn(tested));
    end();
}

/* --- recycled files, and what others write ---------------------------------------------------- */

/* A fragment of the log file with that number, in a file that had another number before. */
static void recycled_fragment(int type, uint32_t log_number, const char *text)
{
    enum { RECYCLED_HEAD_BYTES = HEAD_BYTES + 4 };
    uint8_t bytes[64] = {0};
    size_t size = strlen(text);
    check_or_stop(RECYCLED_HEAD_BYTES + size <= sizeof(bytes));
    bytes[TYPE_AT] = (uint8_t)type;
    put_u16(bytes + 4, (uint16_t)size);
    put_u32(bytes + HEAD_BYTES, log_number);
    memcpy(bytes + RECYCLED_HEAD_BYTES, text, size);
    uint32_t crc = crc32c(bytes + TYPE_AT, RECYCLED_HEAD_BYTES - TYPE_AT + size);
    put_u32(bytes, (crc >> 15 | crc << 17) + 0xa282ead8U);
    put(bytes, RECYCLED_HEAD_BYTES + size);
}

/* Leftovers of the file's earlier use lie after its end. */
static void test_log_file_next__recycled__ends_before_the_earlier_life(void)
{
    enum { RECYCLED = 4 };
    begin();
    recycled_fragment(WHOLE + RECYCLED, 7, "one");
    recycled_fragment(FIRST + RECYCLED, 7, "tw");
    recycled_fragment(LAST + RECYCLED, 7, "o");
    recycled_fragment(WHOLE + RECYCLED, 6, "of before");
    recycled_fragment(WHOLE + RECYCLED, 7, "not reached");
    open_log();
    expect("one");
    expect("two");
    for (int i = 0; i < 2; i++) {
        check_status(log_file_next(tested, &record, &error), HAUL_NOT_FOUND);
        check(!log_file_is_torn(tested));
    }
    end();
}

static void test_log_file_next__type_of_a_later_release__version(void)
{
    static const struct {
        int type;
        bool known;
    } cases[] = {{8, true}, {9, true}, {12, false}, {99, false}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        fragment(cases[i].type, cases[i].known ? "\0\0\0\0" : "what", true);
        fragment(WHOLE, "behind", true);
        open_log();
        if (!cases[i].known) {
            check_error(log_file_next(tested, &record, &error), HAUL_VERSION, error);
            check(strstr(error.text, path) != NULL);
        }
        end();
    }
}

static void write_whole(const void *bytes, size_t size)
{
    begin();
    put(bytes, size);
    check_or_stop(fclose(file) == 0);
}

/* A file of another format: neither zeros nor any valid fragment in its first block. */
static void test_log_file_is_foreign__files__judged_by_what_they_hold(void)
{
    static const uint8_t zeros[100];
    static uint8_t noise[100];
    memset(noise, 0x5a, sizeof(noise));
    write_whole(zeros, sizeof(zeros));
    check(!log_file_is_foreign(path));
    rocks_fixture_close(&fixture);
    write_whole(noise, sizeof(noise));
    check(log_file_is_foreign(path));
    rocks_fixture_close(&fixture);
    write_whole(noise, 0);
    check(!log_file_is_foreign(path));
    rocks_fixture_close(&fixture);
    check(!log_file_is_foreign(path));              /* not there */
    for (size_t before = 0; before < 3; before++) { /* a fragment that ends with the file */
        begin();
        put(noise, before);
        fragment(WHOLE, "sound", true);
        check_or_stop(fclose(file) == 0);
        check(!log_file_is_foreign(path));
        rocks_fixture_close(&fixture);
        begin();
        put(noise, before);
        fragment(WHOLE, "sound", false);
        check_or_stop(fclose(file) == 0);
        check(log_file_is_foreign(path));
        rocks_fixture_close(&fixture);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_file_next__recycled__ends_before_the_earlier_life),
    CHECK_TEST(test_log_file_next__type_of_a_later_release__version),
    CHECK_TEST(test_log_file_is_foreign__files__judged_by_what_they_hold),
    CHECK_TEST(test_log_file_next__fragments__joined),
    CHECK_TEST(test_log_file_next__errno_of_an_earlier_call__not_looked_at),
    CHECK_TEST(test_log_file_next__first_fragment_is_damaged__told_once_and_the_next_record),
    CHECK_TEST(test_log_file_next__record_without_its_beginning__corrupt),
    CHECK_TEST(test_log_file_next__record_without_its_end__corrupt_or_torn),
    CHECK_TEST(test_log_file_next__file_ends_within_a_fragment__torn),
};

CHECK_MAIN("log_file", tests)
