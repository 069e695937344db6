/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest.c — a sum that depends on every record and on no order. */
#include "digest.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "check.h"

enum { RECORD_COUNT = 200, TEXT_BYTES = 24 };

static const struct digest empty;

static struct haul_slice slice(const char *text)
{
    return slice_of(text, strlen(text));
}

static void add_record(struct digest *digest, int number)
{
    char key[TEXT_BYTES];
    char value[TEXT_BYTES];
    (void)snprintf(key, sizeof(key), "key-%d", number);
    (void)snprintf(value, sizeof(value), "value-%d", number * number);
    digest_add(digest, NULL, slice(key), slice(value));
}

static struct digest digest_of(const char *key, const char *value)
{
    struct digest digest = empty;
    digest_add(&digest, NULL, slice(key), slice(value));
    return digest;
}

static void test_digest_add__two_orders__equal(void)
{
    struct digest forward = empty;
    struct digest backward = empty;
    for (int i = 0; i < RECORD_COUNT; i++) {
        add_record(&forward, i);
        add_record(&backward, RECORD_COUNT - 1 - i);
    }
    check(digest_equal(&forward, &backward));
    check_equal(forward.bytes, backward.bytes);
    check_equal(forward.count, RECORD_COUNT);
}

static void test_digest_add__one_record__count_and_bytes(void)
{
    struct digest digest = digest_of("key", "value");
    check_equal(digest.count, 1);
    check_equal(digest.bytes, 8);
    check(digest.low != 0);
    check(digest.high != 0);
}

static void test_digest_equal__records_that_differ_a_little__unequal(void)
{
    static const char *const pairs[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"},
                                           {"c", "ab"}, {"ab", "d"}, {"ac", "c"}, {"", ""}};
    for (size_t i = 0; i < CHECK_COUNT(pairs); i++) {
        struct digest one = digest_of(pairs[i][0], pairs[i][1]);
        check(!digest_equal(&one, &empty));
        for (size_t j = 0; j < i; j++) {
            struct digest other = digest_of(pairs[j][0], pairs[j][1]);
            check(!digest_equal(&one, &other));
        }
    }
}

/* Swapping two values keeps all keys and all values, but not the set of records. */
static void test_digest_equal__values_swapped__unequal(void)
{
    struct digest straight = digest_of("a", "1");
    struct digest swapped = digest_of("a", "2");
    digest_add(&straight, NULL, slice("b"), slice("2"));
    digest_add(&swapped, NULL, slice("b"), slice("1"));
    check(!digest_equal(&straight, &swapped));
}

static void test_digest_equal__record_twice__unequal(void)
{
    struct digest once = digest_of("a", "1");
    struct digest twice = digest_of("a", "1");
    digest_add(&twice, NULL, slice("a"), slice("1"));
    check(!digest_equal(&once, &twice));
}

static void test_digest_subtract__all_that_was_added__empty_again(void)
{
    struct digest digest = empty;
    for (int i = 0; i < RECORD_COUNT; i++) {
        add_record(&digest, i);
    }
    struct digest before = digest;
    digest_add(&digest, NULL, slice("more"), slice("bytes"));
    digest_subtract(&digest, NULL, slice("more"), slice("bytes"));
    check(digest_equal(&digest, &before));
    check_equal(digest.bytes, before.bytes);
}

/* Borrow and carry of the 128 bits: subtracting before adding passes below zero. */
static void test_digest_subtract__before_the_add__empty_again(void)
{
    for (int i = 0; i < RECORD_COUNT; i++) {
        char key[TEXT_BYTES];
        struct digest digest = empty;
        (void)snprintf(key, sizeof(key), "%d", i);
        digest_subtract(&digest, NULL, slice(key), slice("v"));
        digest_add(&digest, NULL, slice(key), slice("v"));
        check(digest_equal(&digest, &empty));
        check_equal(digest.bytes, 0);
    }
}

static void test_digest_join__parts__the_whole(void)
{
    struct digest whole = empty;
    struct digest parts[3] = {empty, empty, empty};
    for (int i = 0; i < RECORD_COUNT; i++) {
        add_record(&whole, i);
        add_record(&parts[i % 3], i);
    }
    digest_join(&parts[0], &parts[1]);
    digest_join(&parts[0], &parts[2]);
    check(digest_equal(&whole, &parts[0]));
    check_equal(whole.bytes, parts[0].bytes);
}

static void test_digest_format__value__32_digits_high_first(void)
{
    const struct digest digest = {.high = 0x1a, .low = UINT64_C(0xb000000000000002)};
    char text[DIGEST_TEXT_BYTES];
    digest_format(&digest, text);
    check_text(text, "000000000000001ab000000000000002");
}

/* Adding and subtracting are compiled for different instruction sets. */
static void test_digest_subtract__values_of_many_sizes__what_was_added(void)
{
    static uint8_t bytes[5000];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 31 + i / 255);
    }
    for (size_t size = 0; size <= sizeof(bytes); size += size < 300 ? 1 : 97) {
        struct digest digest = empty;
        digest_add(&digest, NULL, slice_of(bytes, size % 40), slice_of(bytes, size));
        digest_subtract(&digest, NULL, slice_of(bytes, size % 40), slice_of(bytes, size));
        check(digest_equal(&digest, &empty));
    }
}

/* The digests of one key are a world of their own. */
static void test_digest_add__keys__each_has_its_own_digests(void)
{
    static const uint8_t bytes[3][DIGEST_KEY_BYTES] = {{0}, {1}, {0, 1}};
    struct digest_key keys[3];
    struct digest digests[4] = {empty, empty, empty, empty};
    for (size_t i = 0; i < CHECK_COUNT(keys); i++) {
        digest_key_init(&keys[i], bytes[i]);
        digest_add(&digests[i], &keys[i], slice("key"), slice("value"));
    }
    digest_add(&digests[3], NULL, slice("key"), slice("value"));
    for (size_t i = 0; i < CHECK_COUNT(digests); i++) {
        for (size_t j = 0; j < i; j++) {
            check(!digest_equal(&digests[i], &digests[j]));
        }
        check_equal(digests[i].count, 1);
        check_equal(digests[i].bytes, 8);
    }
    static const struct digest_key unused;
    struct digest same = empty;
    digest_add(&same, &unused, slice("key"), slice("value"));
    check(digest_equal(&same, &digests[3]));
    digest_subtract(&digests[1], &keys[1], slice("key"), slice("value"));
    check(digest_equal(&digests[1], &empty));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_digest_add__two_orders__equal),
    CHECK_TEST(test_digest_add__one_record__count_and_bytes),
    CHECK_TEST(test_digest_equal__records_that_differ_a_little__unequal),
    CHECK_TEST(test_digest_equal__values_swapped__unequal),
    CHECK_TEST(test_digest_equal__record_twice__unequal),
    CHECK_TEST(test_digest_subtract__all_that_was_added__empty_again),
    CHECK_TEST(test_digest_subtract__before_the_add__empty_again),
    CHECK_TEST(test_digest_join__parts__the_whole),
    CHECK_TEST(test_digest_format__value__32_digits_high_first),
    CHECK_TEST(test_digest_subtract__values_of_many_sizes__what_was_added),
    CHECK_TEST(test_digest_add__keys__each_has_its_own_digests),
};

CHECK_MAIN("digest", tests)
