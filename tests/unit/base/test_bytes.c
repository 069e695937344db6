/* SPDX-License-Identifier: Apache-2.0 */
/* test_bytes.c — little-endian integers, varints, and cursors that never pass their end. */
#include "bytes.h"

#include "check.h"

static struct haul_slice slice(const char *text)
{
    return slice_of(text, strlen(text));
}

static void test_put__integers__little_endian(void)
{
    uint8_t bytes[8];
    put_u16(bytes, 0x0102);
    check(memcmp(bytes, "\x02\x01", 2) == 0);
    put_u32(bytes, 0x01020304);
    check(memcmp(bytes, "\x04\x03\x02\x01", 4) == 0);
    put_u64(bytes, UINT64_C(0x0102030405060708));
    check(memcmp(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8) == 0);
}

static void test_get__what_put_wrote__same_value(void)
{
    static const uint64_t values[] = {
        0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x80000000, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX};
    uint8_t bytes[8];
    for (size_t i = 0; i < CHECK_COUNT(values); i++) {
        put_u64(bytes, values[i]);
        check_equal(get_u64(bytes), values[i]);
        put_u32(bytes, (uint32_t)values[i]);
        check_equal(get_u32(bytes), (uint32_t)values[i]);
        put_u16(bytes, (uint16_t)values[i]);
        check_equal(get_u16(bytes), (uint16_t)values[i]);
    }
}

static void test_slice_compare__bytes__memcmp_order_shorter_first(void)
{
    check(slice_compare(slice("a"), slice("b")) < 0);
    check(slice_compare(slice("b"), slice("a")) > 0);
    check(slice_compare(slice("a"), slice("aa")) < 0);
    check(slice_compare(slice("aa"), slice("a")) > 0);
    check(slice_compare(slice("ab"), slice("ab")) == 0);
    check(slice_compare(slice("\x7f"), slice("\x80")) < 0);
    check(slice_compare(slice_of(NULL, 0), slice("")) == 0);
    check(slice_compare(slice_of(NULL, 0), slice("a")) < 0);
}

static void test_cursor_varint32__every_length__same_value(void)
{
    static const uint32_t values[] = {0,       127,     128,       16383,     16384,
                                      2097151, 2097152, 268435455, 268435456, UINT32_MAX};
    uint8_t bytes[VARINT32_BYTES_MAX];
    for (size_t i = 0; i < CHECK_COUNT(values); i++) {
        size_t size = (size_t)(put_varint32(bytes, values[i]) - bytes);
        struct cursor cursor = cursor_of(bytes, size);
        check_equal(size, varint32_size(values[i]));
        check_equal(size, 1 + i / 2);
        check_equal(cursor_varint32(&cursor), values[i]);
        check(!cursor.failed);
        check_equal(cursor_left(&cursor), 0);
    }
}

static void test_cursor_varint32__more_than_32_bits__failed(void)
{
    static const char *const wrong[] = {"\xff\xff\xff\xff\x10", "\xff\xff\xff\xff\x8f",
                                        "\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < CHECK_COUNT(wrong); i++) {
        struct cursor cursor = cursor_of(wrong[i], 5);
        check_equal(cursor_varint32(&cursor), 0);
        check(cursor.failed);
    }
}

static void test_cursor_varint32__cut__failed(void)
{
    struct cursor cursor = cursor_of("\x80\x80", 2);
    check_equal(cursor_varint32(&cursor), 0);
    check(cursor.failed);
}

static void test_cursor_take__beyond_the_end__failed_from_then_on(void)
{
    struct cursor cursor = cursor_of("\1\2\3", 3);
    check_equal(cursor_u16(&cursor), 0x0201);
    check_equal(cursor_u16(&cursor), 0);
    check(cursor.failed);
    check_equal(cursor_u8(&cursor), 0); /* one byte is left, but the cursor has failed */
    check_equal(cursor_u32(&cursor), 0);
    check_equal(cursor_u64(&cursor), 0);
    check_equal(cursor_slice(&cursor, 0).size, 0);
    check(cursor.failed);
}

static void test_cursor_slice__size_of_all_memory__failed(void)
{
    struct cursor cursor = cursor_of("abc", 3);
    check_equal(cursor_slice(&cursor, SIZE_MAX).size, 0);
    check(cursor.failed);
}

static void test_cursor_varstring__two_strings__each_whole(void)
{
    struct cursor cursor = cursor_of("\3abc\0", 5);
    struct haul_slice first = cursor_varstring(&cursor);
    check(slice_compare(first, slice("abc")) == 0);
    check_equal(cursor_varstring(&cursor).size, 0);
    check(!cursor.failed);
}

static void test_cursor_varstring__length_lies__failed(void)
{
    struct cursor cursor = cursor_of("\4abc", 4);
    check_equal(cursor_varstring(&cursor).size, 0);
    check(cursor.failed);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_put__integers__little_endian),
    CHECK_TEST(test_get__what_put_wrote__same_value),
    CHECK_TEST(test_slice_compare__bytes__memcmp_order_shorter_first),
    CHECK_TEST(test_cursor_varint32__every_length__same_value),
    CHECK_TEST(test_cursor_varint32__more_than_32_bits__failed),
    CHECK_TEST(test_cursor_varint32__cut__failed),
    CHECK_TEST(test_cursor_take__beyond_the_end__failed_from_then_on),
    CHECK_TEST(test_cursor_slice__size_of_all_memory__failed),
    CHECK_TEST(test_cursor_varstring__two_strings__each_whole),
    CHECK_TEST(test_cursor_varstring__length_lies__failed),
};

CHECK_MAIN("bytes", tests)
