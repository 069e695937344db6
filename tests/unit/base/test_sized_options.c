/* SPDX-License-Identifier: Apache-2.0 */
/* test_sized_options.c — option structs of other releases: shorter, equal, longer, nonsense. */
#include "sized_options.h"

#include <stdint.h>
#include <string.h>

#include "check.h"

/* As release 0.1 had it, as this release has it, and as a later one has it. */
struct first {
    size_t size_bytes;
    uint32_t a;
    uint32_t b;
};
struct ours {
    size_t size_bytes;
    uint32_t a;
    uint32_t b;
    uint64_t c;
};
struct later {
    size_t size_bytes;
    uint32_t a;
    uint32_t b;
    uint64_t c;
    uint64_t d;
};

static struct ours taken;
static struct haul_error error;

static enum haul_status take(const void *theirs)
{
    memset(&taken, 0xee, sizeof(taken));
    memset(&error, 0, sizeof(error));
    return sized_options_take(&taken, sizeof(taken), SIZED_OPTIONS_END(struct ours, b), theirs,
                              &error);
}

static void test_sized_options_take__same_release__all_members(void)
{
    struct ours theirs = {.size_bytes = sizeof(theirs), .a = 1, .b = 2, .c = 3};
    check_status(take(&theirs), HAUL_OK);
    check(memcmp(&taken, &theirs, sizeof(taken)) == 0);
}

/* The library must not read beyond a shorter struct. */
static void test_sized_options_take__shorter__rest_is_zero(void)
{
    struct later behind = {.size_bytes = sizeof(struct first), .a = 1, .b = 2, .c = 3, .d = 4};
    check_status(take(&behind), HAUL_OK);
    check_equal(taken.size_bytes, sizeof(taken));
    check_equal(taken.a, 1);
    check_equal(taken.b, 2);
    check_equal(taken.c, 0);
    behind.size_bytes = offsetof(struct first, b);
    check_status(take(&behind), HAUL_OK);
    check_equal(taken.a, 1);
    check_equal(taken.b, 0);
}

static void test_sized_options_take__zero__the_first_release(void)
{
    struct later behind = {.a = 1, .b = 2, .c = 3, .d = 4};
    check_status(take(&behind), HAUL_OK);
    check_equal(taken.size_bytes, sizeof(taken));
    check_equal(taken.b, 2);
    check_equal(taken.c, 0);
}

static void test_sized_options_take__longer__only_with_zeroes_behind(void)
{
    struct later theirs = {.size_bytes = sizeof(theirs), .a = 1, .b = 2, .c = 3};
    check_status(take(&theirs), HAUL_OK);
    check_equal(taken.size_bytes, sizeof(taken));
    check_equal(taken.c, 3);
    theirs.d = UINT64_C(1) << 63;
    check_status(take(&theirs), HAUL_UNSUPPORTED);
    check_equal(error.status, HAUL_UNSUPPORTED);
    check(error.hint[0] != '\0');
    check_equal(taken.a, 0);
}

static void test_sized_options_take__no_such_size__invalid(void)
{
    static const size_t sizes[] = {1, sizeof(size_t) - 1, (64 << 10) + 1, SIZE_MAX};
    for (size_t i = 0; i < CHECK_COUNT(sizes); i++) {
        struct ours theirs = {.size_bytes = sizes[i], .a = 1};
        check_status(take(&theirs), HAUL_INVALID);
        check_equal(error.status, HAUL_INVALID);
        check_equal(taken.a, 0);
    }
    check_status(sized_options_take(&taken, sizeof(taken), sizeof(taken), &(size_t){1}, NULL),
                 HAUL_INVALID);
}

static void test_sized_options_end__last_member__without_padding(void)
{
    check_equal(SIZED_OPTIONS_END(struct ours, a), sizeof(size_t) + sizeof(uint32_t));
    check_equal(SIZED_OPTIONS_END(struct ours, c), sizeof(struct ours));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_sized_options_take__same_release__all_members),
    CHECK_TEST(test_sized_options_take__shorter__rest_is_zero),
    CHECK_TEST(test_sized_options_take__zero__the_first_release),
    CHECK_TEST(test_sized_options_take__longer__only_with_zeroes_behind),
    CHECK_TEST(test_sized_options_take__no_such_size__invalid),
    CHECK_TEST(test_sized_options_end__last_member__without_padding),
};
CHECK_MAIN("sized_options", tests)
