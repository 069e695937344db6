/* SPDX-License-Identifier: Apache-2.0 */
/* test_output.c — what goes to stderr: which lines, in which words, and a hint for every
 * failure. */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "captured.h"
#include "check.h"

static struct output output;

static void start(struct output_options options)
{
    output_init(&output, "send", &options);
    captured_begin(stderr);
}

static const char *finish(void)
{
    const char *text = captured_end();
    output_fini(&output);
    return text;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void test_output_line__quiet__only_answers_and_errors(void)
{
    const struct haul_error error = {.status = HAUL_IO, .text = "no", .hint = "do"};
    start((struct output_options){.quiet = true});
    output_line(&output, "a line");
    output_answer(&output, "an %s", "answer");
    output_error(&output, &error);
    check_text(finish(), "haul: an answer\nhaul: error: no: do\n");
    start((struct output_options){.quiet = false});
    output_line(&output, "a line");
    check_text(finish(), "haul: a line\n");
}

static void test_output_line__of_a_peer__escaped(void)
{
    start((struct output_options){.quiet = false});
    output_line(&output, "from %s", "\x1b[2J\nx");
    check_text(finish(), "haul: from \\x1b[2J\\x0ax\n");
}

static void test_output_line__log_time__begins_with_it(void)
{
    start((struct output_options){.log_time = true});
    output_line(&output, "a line");
    const char *text = finish();
    check_equal(text[4], '-');
    check_equal(text[10], 'T');
    check_text(strchr(text, ' '), " haul: a line\n");
}

static void test_output_init__verbosity__levels_that_are_wanted(void)
{
    static const struct {
        struct output_options options;
        enum haul_log_level level_max;
    } cases[] = {
        {{.quiet = true}, HAUL_LOG_ERROR},  {{.quiet = false}, HAUL_LOG_WARNING},
        {{.verbosity = 1}, HAUL_LOG_INFO},  {{.verbosity = 2}, HAUL_LOG_DEBUG},
        {{.verbosity = 9}, HAUL_LOG_DEBUG}, {{.quiet = true, .verbosity = 1}, HAUL_LOG_INFO}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        start(cases[i].options);
        check_equal(output.log.level_max, cases[i].level_max);
        (void)finish();
    }
}

static void test_output_log__warning__names_its_level(void)
{
    start((struct output_options){.quiet = false});
    haul_log(&output.log, HAUL_LOG_WARNING, "look");
    haul_log(&output.log, HAUL_LOG_INFO, "nobody asked");
    check_text(finish(), "haul: warning: look\n");
}

/* --- the bar ---------------------------------------------------------------------------------- */

static void test_output_bar__no_terminal__nothing(void)
{
    start((struct output_options){.quiet = false});
    output.terminal = false;
    output_bar(&output, "bar");
    output_bar_clear(&output);
    check_text(finish(), "");
}

static void test_output_bar__a_line_comes__the_bar_goes_first(void)
{
    start((struct output_options){.quiet = false});
    output.terminal = true;
    output_bar(&output, "bar");
    output_line(&output, "a line");
    output_line(&output, "another");
    output_bar(&output, "bar");
    output_bar_clear(&output);
    output_bar_clear(&output);
    check_text(finish(), "\r\033[Kbar\r\033[Khaul: a line\nhaul: another\n\r\033[Kbar\r\033[K");
}

/* --- hints ------------------------------------------------------------------------------------ */

static void test_output_hint__every_failure__there_is_one(void)
{
    for (int i = 0; i < HAUL_STATUS_COUNT; i++) {
        const struct haul_error error = {.status = (enum haul_status)i};
        const char *hint = output_hint(&error);
        check_equal(hint[0] == '\0', i == HAUL_OK);
        for (int j = 0; j < i; j++) { /* no two statuses share a hint, except "run it again" */
            const struct haul_error other = {.status = (enum haul_status)j};
            bool again = i == HAUL_STOPPED && j == HAUL_AGAIN;
            check_equal(strcmp(hint, output_hint(&other)) == 0, again);
        }
    }
}

static void test_output_hint__code_of_the_system__what_it_asks_for(void)
{
    static const struct {
        int code;
        const char *words;
    } cases[] = {{EACCES, "as the user"},  {EPERM, "as the user"}, {EROFS, "for writing"},
                 {ENOLCK, "lock service"}, {EFBIG, "ulimit -f"},   {EMFILE, "ulimit -n"},
                 {ENFILE, "fs.file-max"},  {EDQUOT, "quota"},      {EIO, "system log"}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct haul_error error = {.status = HAUL_IO, .code = cases[i].code, .call = "open"};
        check(strstr(output_hint(&error), cases[i].words) != NULL);
        (void)snprintf(error.call, sizeof(error.call), "ibv_open_device");
        check(strstr(output_hint(&error), "system log") != NULL);
        (void)snprintf(error.call, sizeof(error.call), "rdma_bind_addr");
        check(strstr(output_hint(&error), "system log") != NULL);
        (void)snprintf(error.hint, sizeof(error.hint), "its own");
        check_text(output_hint(&error), "its own");
    }
}

static void test_output_error__no_hint_of_its_own__that_of_the_status(void)
{
    const struct haul_error error = {.status = HAUL_REFUSED, .text = "nobody"};
    start((struct output_options){.quiet = false});
    output_error(&output, &error);
    check_text(finish(), "haul: error: nobody: check that 'haul recv' runs there, on that port\n");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_output_line__quiet__only_answers_and_errors),
    CHECK_TEST(test_output_line__of_a_peer__escaped),
    CHECK_TEST(test_output_line__log_time__begins_with_it),
    CHECK_TEST(test_output_init__verbosity__levels_that_are_wanted),
    CHECK_TEST(test_output_log__warning__names_its_level),
    CHECK_TEST(test_output_bar__no_terminal__nothing),
    CHECK_TEST(test_output_bar__a_line_comes__the_bar_goes_first),
    CHECK_TEST(test_output_hint__every_failure__there_is_one),
    CHECK_TEST(test_output_hint__code_of_the_system__what_it_asks_for),
    CHECK_TEST(test_output_error__no_hint_of_its_own__that_of_the_status),
};
CHECK_MAIN("output", tests)
