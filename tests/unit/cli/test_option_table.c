/* SPDX-License-Identifier: Apache-2.0 */
/* test_option_table.c — a command line against a table of options, and its help page. */
#include "option_table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "option_value.h"

struct options {
    const char *db;
    uint32_t links;
    bool quiet;
    unsigned verbosity;
};

static const struct option_rule rules[] = {
    {.name = "db",
     .letter = 'd',
     .value_name = "DIR",
     .help = "the database",
     .group = "What",
     OPTION_AT(option_text, struct options, db)},
    {.name = "links",
     .value_name = "N",
     .help = "links\nat once",
     OPTION_AT(option_u32, struct options, links),
     .min = 1,
     .max = 16},
    {.name = "quiet",
     .letter = 'q',
     .help = "no words",
     .group = "Output",
     OPTION_AT(option_flag, struct options, quiet)},
    {.name = "verbose",
     .letter = 'v',
     .help = "more",
     OPTION_AT(option_count, struct options, verbosity)},
};

enum { ARGUMENTS_MAX = 8 };

static struct haul_error error;
static struct options options;
static bool help;

/* The words of `line` after the command's name. */
static enum haul_status parse(const char *line)
{
    static char words[256];
    char *argv[ARGUMENTS_MAX + 1] = {(char[]){"command"}};
    int argc = 1;
    char *rest = words;
    (void)snprintf(words, sizeof(words), "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL && argc < ARGUMENTS_MAX;) {
        argv[argc++] = word;
    }
    options = (struct options){.links = 2};
    error = (struct haul_error){.status = HAUL_OK};
    return option_table_parse(rules, CHECK_COUNT(rules), argc, argv, &options, &help, &error);
}

static void test_option_table_parse__every_spelling__stored(void)
{
    check_status(parse("--db /a --links 3 --quiet -v -v"), HAUL_OK);
    check_text(options.db, "/a");
    check_equal(options.links, 3);
    check(options.quiet);
    check_equal(options.verbosity, 2);
    check_status(parse("-d/b -qvv --links=4"), HAUL_OK);
    check_text(options.db, "/b");
    check_equal(options.links, 4);
    check_equal(options.verbosity, 2);
    check_status(parse("--db=/c --lin 5"), HAUL_OK);
    check_text(options.db, "/c");
    check_equal(options.links, 5);
    check(!help);
}

static void test_option_table_parse__option_missing__default_stays(void)
{
    check_status(parse("-q"), HAUL_OK);
    check_equal(options.links, 2);
    check(options.db == NULL);
}

static void test_option_table_parse__unknown__named_with_what_was_meant(void)
{
    check_status(parse("--link 3 --lniks=3"), HAUL_INVALID);
    check_text(error.text, "unknown option '--lniks=3'");
    check_text(error.hint, "did you mean '--links'?");
    check_status(parse("--nothing-like-it"), HAUL_INVALID);
    check_text(error.hint, "");
    check_status(parse("-x"), HAUL_INVALID);
    check_text(error.text, "unknown option '-x'");
    check_text(error.hint, "");
}

static void test_option_table_parse__no_value__named(void)
{
    check_status(parse("-q --db"), HAUL_INVALID);
    check_text(error.text, "option '--db' requires a value");
    check_status(parse("-q -d"), HAUL_INVALID);
    check_text(error.text, "option '-d' requires a value");
}

static void test_option_table_parse__value_of_a_flag__invalid(void)
{
    check_status(parse("--quiet=no"), HAUL_INVALID);
    check(!options.quiet);
}

static void test_option_table_parse__bad_value__parser_says_so(void)
{
    check_status(parse("--links 17"), HAUL_INVALID);
    check_text(error.text, "invalid value '17' for --links");
    check_status(parse("--links 16"), HAUL_OK);
}

static void test_option_table_parse__argument_that_is_no_option__invalid(void)
{
    check_status(parse("-q word"), HAUL_INVALID);
    check_text(error.text, "unexpected argument 'word'");
}

static void test_option_table_parse__help__nothing_else_is_looked_at(void)
{
    check_status(parse("--help --unknown"), HAUL_OK);
    check(help);
    check_status(parse("-q -h"), HAUL_OK);
    check(help);
    check_status(parse("-q"), HAUL_OK);
    check(!help);
}

static void test_option_table_print__rules__one_line_each_in_groups(void)
{
    static const char page[] = "What:\n"
                               "  -d, --db DIR                the database\n"
                               "      --links N               links\n"
                               "                              at once\n"
                               "\n"
                               "Output:\n"
                               "  -q, --quiet                 no words\n"
                               "  -v, --verbose               more\n"
                               "  -h, --help                  this page\n";
    char text[sizeof(page) + 64] = "";
    FILE *file = tmpfile();
    int kept = dup(STDOUT_FILENO);
    check_or_stop(file != NULL && kept >= 0 && fflush(stdout) == 0);
    check_or_stop(dup2(fileno(file), STDOUT_FILENO) >= 0);
    option_table_print(rules, CHECK_COUNT(rules));
    (void)fflush(stdout);
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(kept);
    rewind(file);
    check_equal(fread(text, 1, sizeof(text) - 1, file), sizeof(page) - 1);
    (void)fclose(file);
    check_text(text, page);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_option_table_parse__every_spelling__stored),
    CHECK_TEST(test_option_table_parse__option_missing__default_stays),
    CHECK_TEST(test_option_table_parse__unknown__named_with_what_was_meant),
    CHECK_TEST(test_option_table_parse__no_value__named),
    CHECK_TEST(test_option_table_parse__value_of_a_flag__invalid),
    CHECK_TEST(test_option_table_parse__bad_value__parser_says_so),
    CHECK_TEST(test_option_table_parse__argument_that_is_no_option__invalid),
    CHECK_TEST(test_option_table_parse__help__nothing_else_is_looked_at),
    CHECK_TEST(test_option_table_print__rules__one_line_each_in_groups),
};
CHECK_MAIN("option_table", tests)
