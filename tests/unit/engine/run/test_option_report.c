/* SPDX-License-Identifier: Apache-2.0 */
/* test_option_report.c — options as text, and how differing ones are kept and reported. */
#include "option_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "family_options.h"

static struct option_report report;
static haul_control_PlanAccepted accepted;
static char lines[4][HAUL_LOG_LINE_BYTES_MAX];
static size_t line_count;

static void take_line(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    check_equal(level, HAUL_LOG_WARNING);
    if (line_count < 4) {
        (void)snprintf(lines[line_count], sizeof(lines[0]), "%s", line);
    }
    line_count++;
}

static const struct haul_log log_sink = {.write = take_line, .level_max = HAUL_LOG_DEBUG};

static bool is_text(struct haul_slice slice, const char *text)
{
    return slice_compare(slice, slice_of(text, strlen(text))) == 0;
}

static void end(void)
{
    option_report_fini(&report);
    free(accepted.option_differences);
    memset(&accepted, 0, sizeof(accepted));
    line_count = 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

static void test_family_options_next__odd_lines__the_options_alone(void)
{
    const char *text = "a=1\n\n=no name\nno value\nb=\nc==x\nd=2";
    static const char *const expected[][2] = {{"a", "1"}, {"b", ""}, {"c", "=x"}, {"d", "2"}};
    struct family_option option;
    for (size_t i = 0; i < CHECK_COUNT(expected); i++) {
        check_or_stop(family_options_next(&text, &option));
        check(is_text(option.name, expected[i][0]));
        check(is_text(option.value, expected[i][1]));
    }
    check(!family_options_next(&text, &option));
    check(*text == '\0');
    text = NULL;
    check(!family_options_next(&text, &option));
}

static void test_family_options_find__names_alike__the_one(void)
{
    const char *text = "ab=1\na=2\nabc=3\n";
    struct haul_slice value;
    check(family_options_find(text, slice_of("a", 1), &value) && is_text(value, "2"));
    check(family_options_find(text, slice_of("abc", 3), &value) && is_text(value, "3"));
    check(!family_options_find(text, slice_of("b", 1), &value));
    check(!family_options_find(NULL, slice_of("a", 1), &value));
}

/* --- reports ---------------------------------------------------------------------------------- */

static void test_option_report_add__longer_than_its_room__cut(void)
{
    char theirs[512];
    char ours[512];
    char name[sizeof(report.items[0].name) + 1];
    char value[sizeof(report.items[0].source) + 1];
    memset(name, 'n', sizeof(name) - 1);
    memset(value, 'v', sizeof(value) - 1);
    name[sizeof(name) - 1] = value[sizeof(value) - 1] = '\0';
    (void)snprintf(theirs, sizeof(theirs), "%s=%s\n", name, value);
    (void)snprintf(ours, sizeof(ours), "%s=%s%s\n", name, value, "w");
    option_report_add(&report, "f", theirs, ours);
    check_or_stop(report.count == 1);
    check_equal(strlen(report.items[0].name), sizeof(report.items[0].name) - 1);
    check_equal(strlen(report.items[0].source), sizeof(report.items[0].source) - 1);
    check_equal(strlen(report.items[0].target), sizeof(report.items[0].target) - 1);
    end();
}

static void test_option_report_log__two_differences__a_line_each(void)
{
    option_report_add(&report, "one", "a=1\nb=2\n", "a=3\nb=4\n");
    option_report_log(&report, &log_sink);
    check_equal(line_count, 2);
    check_text(lines[0], "the target's column family 'one' keeps its own a=3; the source has 1");
    check_text(lines[1], "the target's column family 'one' keeps its own b=4; the source has 2");
    end();
}

static void test_option_report_log__none__silent(void)
{
    option_report_add(&report, "one", "a=1\n", "a=1\n");
    option_report_log(&report, &log_sink);
    check_equal(line_count, 0);
    check_equal(report.total, 0);
    end();
}

/* At the limit and one above it: how many are listed, and how many only counted. */
static void test_option_report_log__one_more_than_there_is_room_for__counted(void)
{
    for (size_t i = 0; i < HAUL_OPTION_DIFFERENCES_MAX; i++) {
        option_report_add(&report, "f", "a=1\n", "a=2\n");
    }
    option_report_log(&report, &log_sink);
    check_equal(line_count, HAUL_OPTION_DIFFERENCES_MAX);
    option_report_add(&report, "f", "a=1\n", "a=2\n");
    check_equal(report.count, HAUL_OPTION_DIFFERENCES_MAX);
    check_equal(report.total, HAUL_OPTION_DIFFERENCES_MAX + 1);
    line_count = 0;
    option_report_log(&report, &log_sink);
    check_equal(line_count, HAUL_OPTION_DIFFERENCES_MAX + 1);
    end();
}

static void test_option_report_put__each_field__arrives(void)
{
    struct option_report taken = {.items = NULL};
    option_report_add(&report, "one", "a=1\nb=2\n", "a=3\nb=4\n");
    option_report_add(&report, "two", "c=5\n", "c=6\n");
    option_report_put(&report, &accepted);
    check_equal(accepted.option_difference_count, 3);
    check_equal(accepted.option_differences_count, 3);
    option_report_take(&taken, &accepted);
    check_equal(taken.count, 3);
    check_equal(taken.total, 3);
    for (size_t i = 0; i < taken.count; i++) {
        check_text(taken.items[i].family, report.items[i].family);
        check_text(taken.items[i].name, report.items[i].name);
        check_text(taken.items[i].source, report.items[i].source);
        check_text(taken.items[i].target, report.items[i].target);
    }
    check_text(report.items[2].family, "two");
    check_text(report.items[2].source, "5");
    check_text(report.items[2].target, "6");
    option_report_fini(&taken);
    end();
}

/* A continued job gets the answer again. */
static void test_option_report_take__twice__the_last_answer_alone(void)
{
    struct option_report taken = {.items = NULL};
    option_report_add(&report, "one", "a=1\nb=2\n", "a=3\nb=4\n");
    option_report_put(&report, &accepted);
    option_report_take(&taken, &accepted);
    option_report_take(&taken, &accepted);
    check_equal(taken.count, 2);
    check_equal(taken.total, 2);
    accepted.option_difference_count = 9; /* of a target that has more than it sends */
    option_report_take(&taken, &accepted);
    check_equal(taken.count, 2);
    check_equal(taken.total, 9);
    option_report_fini(&taken);
    check(taken.items == NULL && taken.count == 0 && taken.total == 0);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_family_options_next__odd_lines__the_options_alone),
    CHECK_TEST(test_family_options_find__names_alike__the_one),
    CHECK_TEST(test_option_report_add__longer_than_its_room__cut),
    CHECK_TEST(test_option_report_log__two_differences__a_line_each),
    CHECK_TEST(test_option_report_log__none__silent),
    CHECK_TEST(test_option_report_log__one_more_than_there_is_room_for__counted),
    CHECK_TEST(test_option_report_put__each_field__arrives),
    CHECK_TEST(test_option_report_take__twice__the_last_answer_alone),
};
CHECK_MAIN("option_report", tests)
