/* SPDX-License-Identifier: Apache-2.0 */
/* test_wide_column.c — which entities read like a plain value. */
#include "wide_column.h"

#include <string.h>

#include "bytes.h"
#include "check.h"

static struct haul_slice value;

static bool is_plain(const char *bytes, size_t size)
{
    value = slice_of(NULL, 0);
    return wide_column_is_plain(slice_of(bytes, size), &value);
}

static void test_wide_column_is_plain__default_column_alone__its_value(void)
{
    check(is_plain("\1\1\0\2hi", 6));
    check_equal(value.size, 2);
    check(memcmp(value.data, "hi", 2) == 0);
    check(is_plain("\1\1\0\0", 4));
    check_equal(value.size, 0);
}

static void test_wide_column_is_plain__other_columns__false(void)
{
    check(!is_plain("\1\1\1n\2hi", 7));
    check(!is_plain("\1\2\0\1\1n\1ab", 9));
    check(!is_plain("\1\0", 2));
}

static void test_wide_column_is_plain__later_version__false(void)
{
    check(!is_plain("\2\1\0\2hi", 6));
}

static void test_wide_column_is_plain__torn__false(void)
{
    static const char sound[] = "\1\1\0\2hi";
    for (size_t size = 0; size < sizeof(sound) - 1; size++) {
        check(!is_plain(sound, size));
    }
    check(!is_plain("\1\1\0\2hi!", 7));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_wide_column_is_plain__default_column_alone__its_value),
    CHECK_TEST(test_wide_column_is_plain__other_columns__false),
    CHECK_TEST(test_wide_column_is_plain__later_version__false),
    CHECK_TEST(test_wide_column_is_plain__torn__false),
};
CHECK_MAIN("wide_column", tests)
