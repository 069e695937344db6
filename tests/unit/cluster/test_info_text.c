/* SPDX-License-Identifier: Apache-2.0 */
/* test_info_text.c — fields of real answers. */
#include "info_text.h"

#include "check.h"

static const char info[] = "# Migration\r\n"
                           "migrate_slot(s):0-5000\r\n"
                           "migrate_unconfirmed:1\r\n"
                           "migrate_queued:\r\n"
                           "migrating_state: start\r\n"
                           "disk_capacity:270553174016\r\n"
                           "used_disk_percent:79.43%\r\n"
                           "last:9";

static void test_field__of_a_line__value_without_space_and_end(void)
{
    char value[16];
    check(info_text_field(info, "migrate_slot(s)", value, sizeof(value)));
    check_text(value, "0-5000");
    check(info_text_field(info, "migrating_state", value, sizeof(value)));
    check_text(value, "start");
    check(info_text_field(info, "migrate_queued", value, sizeof(value)));
    check_text(value, "");
    check(info_text_field(info, "last", value, sizeof(value)));
    check_text(value, "9");
}

static void test_field__absent_or_a_part_of_a_name__false(void)
{
    char value[16] = "x";
    check(!info_text_field(info, "slot(s)", value, sizeof(value)));
    check_text(value, "");
    check(!info_text_field(info, "migrate_slot", value, sizeof(value)));
    check(!info_text_field("", "last", value, sizeof(value)));
}

static void test_field__longer_than_the_buffer__cut(void)
{
    char value[4];
    check(info_text_field(info, "disk_capacity", value, sizeof(value)));
    check_text(value, "270");
}

static void test_number__decimal_or_otherwise(void)
{
    check_equal(info_text_number(info, "disk_capacity", 0), 270553174016);
    check_equal(info_text_number(info, "migrate_unconfirmed", 7), 1);
    check_equal(info_text_number(info, "migrate_queued", 7), 7);
    check_equal(info_text_number(info, "used_disk_percent", 7), 7);
    check_equal(info_text_number(info, "absent", 7), 7);
    check_equal(info_text_number("a:99999999999999999999", "a", 7), 7);
    check_equal(info_text_number("a:-1", "a", 7), 7);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_field__of_a_line__value_without_space_and_end),
    CHECK_TEST(test_field__absent_or_a_part_of_a_name__false),
    CHECK_TEST(test_field__longer_than_the_buffer__cut),
    CHECK_TEST(test_number__decimal_or_otherwise),
};

CHECK_MAIN("info_text", tests)
