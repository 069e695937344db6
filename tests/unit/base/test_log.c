/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c — which lines reach the sink. */
#include "haul/log.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static char last_line[2 * HAUL_LOG_LINE_BYTES_MAX];
static enum haul_log_level last_level;
static int line_count;

static void take_line(void *context, enum haul_log_level level, const char *line)
{
    check(context == &line_count);
    (void)snprintf(last_line, sizeof(last_line), "%s", line);
    last_level = level;
    line_count++;
}

static struct haul_log make_log(enum haul_log_level level_max)
{
    line_count = 0;
    return (struct haul_log){.write = take_line, .context = &line_count, .level_max = level_max};
}

static void test_haul_log__wanted_level__formatted_line(void)
{
    const struct haul_log log = make_log(HAUL_LOG_INFO);
    haul_log(&log, HAUL_LOG_INFO, "link %d of %s", 3, "four");
    check_equal(line_count, 1);
    check_equal(last_level, HAUL_LOG_INFO);
    check_text(last_line, "link 3 of four");
}

static void test_haul_log__every_level__those_up_to_the_bound(void)
{
    const struct haul_log log = make_log(HAUL_LOG_WARNING);
    for (int level = HAUL_LOG_ERROR; level <= HAUL_LOG_DEBUG; level++) {
        haul_log(&log, (enum haul_log_level)level, "line");
    }
    check_equal(line_count, 2);
    check_equal(last_level, HAUL_LOG_WARNING);
}

static void test_haul_log__no_sink__nothing_happens(void)
{
    const struct haul_log zeroed = {.level_max = HAUL_LOG_DEBUG};
    line_count = 0;
    haul_log(NULL, HAUL_LOG_ERROR, "line");
    haul_log(&zeroed, HAUL_LOG_ERROR, "line");
    check_equal(line_count, 0);
}

static void test_haul_log__line_too_long__cut(void)
{
    const struct haul_log log = make_log(HAUL_LOG_DEBUG);
    haul_log(&log, HAUL_LOG_DEBUG, "%0*d", 2 * HAUL_LOG_LINE_BYTES_MAX, 1);
    check_equal(strlen(last_line), HAUL_LOG_LINE_BYTES_MAX - 1);
}

static void test_haul_log__control_characters__escaped(void)
{
    const struct haul_log log = make_log(HAUL_LOG_DEBUG);
    haul_log(&log, HAUL_LOG_DEBUG, "family '%s'", "a\033[2J\nhaul: error: forged");
    check_text(last_line, "family 'a\\x1b[2J\\x0ahaul: error: forged'");
}

static void test_haul_log_level_name__every_level__its_name(void)
{
    check_text(haul_log_level_name(HAUL_LOG_ERROR), "error");
    check_text(haul_log_level_name(HAUL_LOG_WARNING), "warning");
    check_text(haul_log_level_name(HAUL_LOG_INFO), "info");
    check_text(haul_log_level_name(HAUL_LOG_DEBUG), "debug");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_log__wanted_level__formatted_line),
    CHECK_TEST(test_haul_log__every_level__those_up_to_the_bound),
    CHECK_TEST(test_haul_log__no_sink__nothing_happens),
    CHECK_TEST(test_haul_log__line_too_long__cut),
    CHECK_TEST(test_haul_log__control_characters__escaped),
    CHECK_TEST(test_haul_log_level_name__every_level__its_name),
};

CHECK_MAIN("log", tests)
