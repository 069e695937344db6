/* SPDX-License-Identifier: Apache-2.0 */
/* test_shell_word.c — values in the commands that messages name. */
#include "shell_word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const struct {
    const char *text;
    const char *word;
} cases[] = {
    {"/data/a", "/data/a"},
    {"10.0.0.7:7447", "10.0.0.7:7447"},
    {"my dir", "'my dir'"},
    {"$HOME;rm -r x", "'$HOME;rm -r x'"},
    {"it's", "'it'\\''s'"},
    {"[::1]:7447", "'[::1]:7447'"},
    {"a\nb'\\", "$'a\\x0ab\\'\\\\'"},
    {"\x1b[2J", "$'\\x1b[2J'"},
    {"ü", "'ü'"},
    {"a\xff", "$'a\\xff'"},
    {"ü\n", "$'\\xc3\\xbc\\x0a'"},
};

static void test_shell_word__special_characters__quoted(void)
{
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char word[SHELL_WORD_BYTES_MAX];
        check_text(shell_word(cases[i].text, "DIR", word, sizeof(word)), cases[i].word);
    }
}

/* The shell itself decides. */
static void test_shell_word__read_by_bash__the_same_text(void)
{
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char word[SHELL_WORD_BYTES_MAX];
        char command[2 * SHELL_WORD_BYTES_MAX];
        char text[SHELL_WORD_BYTES_MAX] = "";
        (void)snprintf(command, sizeof(command), "exec bash -c \"printf %%s \\\"\\$0\\\"\" %s",
                       shell_word(cases[i].text, "DIR", word, sizeof(word)));
        check_or_stop(setenv("WORD", command + strlen("exec "), 1) == 0);
        FILE *pipe = popen("bash -c \"$WORD\"", "r");
        check_or_stop(pipe != NULL);
        size_t size = fread(text, 1, sizeof(text) - 1, pipe);
        text[size] = '\0';
        check_equal(pclose(pipe), 0);
        check_text(text, cases[i].text);
    }
}

static void test_shell_word__too_long_or_empty__the_placeholder(void)
{
    char word[16];
    check_text(shell_word("0123456789abcde", "DIR", word, sizeof(word)), "0123456789abcde");
    check_text(shell_word("0123456789abcdef", "DIR", word, sizeof(word)), "DIR");
    check_text(shell_word("0123456789 bcd", "DIR", word, sizeof(word)), "DIR");
    check_text(shell_word("", "DIR", word, sizeof(word)), "DIR");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_shell_word__special_characters__quoted),
    CHECK_TEST(test_shell_word__read_by_bash__the_same_text),
    CHECK_TEST(test_shell_word__too_long_or_empty__the_placeholder),
};

CHECK_MAIN("shell_word", tests)
