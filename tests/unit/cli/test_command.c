/* SPDX-License-Identifier: Apache-2.0 */
/* test_command.c — how each command parses its options, and reports that it cannot start. */
#include "command.h"

#include <string.h>

#include "captured.h"
#include "check.h"
#include "exception_end.h"
#include "exit_code.h"
#include "process_limit.h"

struct options {
    struct output_options output;
    bool deep;
};

static const struct option_rule rules[] = {
    OUTPUT_OPTION_RULES,
    {.name = "deep", .help = "deeper", OPTION_AT(option_flag, struct options, deep)}};

static const char *installed; /* for which command */
static bool installed_json;
static enum haul_status limit_status;
static unsigned limits_asked;

void __wrap_exception_end_install(const char *command, bool json);
void __wrap_exception_end_install(const char *command, bool json)
{
    installed = command;
    installed_json = json;
}

enum haul_status __wrap_process_limit_check(struct haul_error *error);
enum haul_status __wrap_process_limit_check(struct haul_error *error)
{
    limits_asked++;
    return limit_status == HAUL_OK
               ? HAUL_OK
               : haul_error_set(error, limit_status, NULL, 0, "no room for threads");
}

static struct command command;
static struct options options;
static int exit_code;

static void start(bool needs_threads)
{
    command = (struct command){.name = "dive",
                               .summary = "goes down",
                               .synopsis = "--deep",
                               .details = "Details.",
                               .rules = rules,
                               .rule_count = CHECK_COUNT(rules),
                               .needs_threads = needs_threads};
    options = (struct options){.deep = false};
    installed = NULL;
    limit_status = HAUL_OK;
    limits_asked = 0;
    exit_code = 99;
}

static bool parse(const char *one, const char *two)
{
    char *arguments[] = {(char *)(uintptr_t) "dive", (char *)(uintptr_t)one, (char *)(uintptr_t)two,
                         NULL};
    int count = one == NULL ? 1 : two == NULL ? 2 : 3;
    return command_parse(&command, count, arguments, &options, &exit_code);
}

static void test_command_parse__good_options__runs_and_exceptions_have_an_end(void)
{
    start(true);
    check(parse("--deep", "--json"));
    check(options.deep && options.output.json);
    check_text(installed, "dive");
    check(installed_json);
    check_equal(limits_asked, 1);
    start(false);
    check(parse(NULL, NULL));
    check(!options.deep && !installed_json);
    check_text(installed, "dive");
    check_equal(limits_asked, 0);
}

static void test_command_parse__no_room_for_threads__its_exit_code(void)
{
    start(true);
    limit_status = HAUL_LIMIT;
    captured_begin(stderr);
    check(!parse("--deep", NULL));
    check(strstr(captured_end(), "haul: error: no room for threads: ") != NULL);
    check_equal(exit_code, exit_code_of(HAUL_LIMIT, 0));
}

static void test_command_parse__unknown_option__usage_and_where_to_look(void)
{
    start(true);
    captured_begin(stderr);
    check(!parse("--depp", NULL));
    const char *text = captured_end();
    check(strstr(text, "haul: error: ") == text);
    check(strchr(text, '\n') == text + strlen(text) - 1);
    check_equal(exit_code, exit_code_of(HAUL_INVALID, 0));
    check(installed == NULL);
}

static void test_command_parse__value_without_a_name__the_synopsis(void)
{
    start(true);
    captured_begin(stderr);
    check(!parse("here", NULL));
    check(strstr(captured_end(), "every value needs its option: haul dive --deep") != NULL);
}

/* Even after the faulty option, but not as the value of another one. */
static void test_command_parse__wrong_and_json__a_document_on_stdout(void)
{
    static const struct {
        const char *one;
        const char *two;
        bool json;
    } cases[] = {{"--depp", "--json", true}, {"--json", "--depp", true}, {"--depp", NULL, false}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        start(true);
        captured_begin(stdout);
        check(!parse(cases[i].one, cases[i].two));
        const char *text = captured_end();
        check_equal(strstr(text, "\"dive\"") != NULL, cases[i].json);
        check_equal(text[0] == '\0', !cases[i].json);
    }
}

static void test_command_parse__help__all_of_it_and_success(void)
{
    start(true);
    captured_begin(stdout);
    check(!parse("--help", NULL));
    const char *text = captured_end();
    check(strstr(text, "haul dive: goes down\n\nUsage: haul dive --deep\n") == text);
    check(strstr(text, "--deep") != NULL && strstr(text, "Details.") != NULL);
    check(strstr(text, exit_code_table()) != NULL);
    check_equal(exit_code, EXIT_CODE_OK);
    check(installed == NULL);
}

static void test_command_missing__an_option__named(void)
{
    struct output output;
    const struct output_options plain = {.quiet = false};
    output_init(&output, "dive", &plain);
    captured_begin(stderr);
    check_equal(command_missing("--db DIR", &output), exit_code_of(HAUL_INVALID, 0));
    check_text(captured_end(), "haul: error: dive needs --db DIR: see 'haul dive --help'\n");
    output_fini(&output);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_command_parse__good_options__runs_and_exceptions_have_an_end),
    CHECK_TEST(test_command_parse__no_room_for_threads__its_exit_code),
    CHECK_TEST(test_command_parse__unknown_option__usage_and_where_to_look),
    CHECK_TEST(test_command_parse__value_without_a_name__the_synopsis),
    CHECK_TEST(test_command_parse__wrong_and_json__a_document_on_stdout),
    CHECK_TEST(test_command_parse__help__all_of_it_and_success),
    CHECK_TEST(test_command_missing__an_option__named),
};
CHECK_MAIN("command", tests)
