/* SPDX-License-Identifier: Apache-2.0 */
/* test_status.c — names, sentences and the one-line form of errors. */
#include "haul/status.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "check.h"

enum { LINE_BYTES = 256 };

static const enum haul_status all[] = {
#define STATUS_VALUE(name, value, sentence) HAUL_##name,
    HAUL_STATUS_LIST(STATUS_VALUE)
#undef STATUS_VALUE
};

static void test_haul_status_name__every_status__distinct_upper_case(void)
{
    for (size_t i = 0; i < CHECK_COUNT(all); i++) {
        const char *name = haul_status_name(all[i]);
        for (const char *at = name; *at != '\0'; at++) {
            check(isupper((unsigned char)*at) || *at == '_');
        }
        for (size_t j = 0; j < i; j++) {
            check(strcmp(name, haul_status_name(all[j])) != 0);
            check(all[i] != all[j]);
        }
    }
    check_text(haul_status_name(HAUL_TIMEOUT), "TIMEOUT");
}

static void test_haul_status_sentence__every_status__not_empty(void)
{
    for (size_t i = 0; i < CHECK_COUNT(all); i++) {
        check(strlen(haul_status_sentence(all[i])) > 1);
        check(strcmp(haul_status_sentence(all[i]), "unknown status") != 0);
    }
}

static void test_haul_status_name__no_status__unknown(void)
{
    check_text(haul_status_name((enum haul_status)9999), "UNKNOWN");
    check_text(haul_status_sentence((enum haul_status)9999), "unknown status");
}

static void test_haul_error_set__control_characters__escaped(void)
{
    struct haul_error error;
    haul_error_set(&error, HAUL_NOT_FOUND, NULL, 0, "no family '%s'", "a\033[2J");
    haul_error_hint(&error, "the peer says '%s'", "b\nhaul: error: forged");
    check_text(error.text, "no family 'a\\x1b[2J'");
    check_text(error.hint, "the peer says 'b\\x0ahaul: error: forged'");
}

static void test_haul_error_set__all_parts__stored_and_status_returned(void)
{
    struct haul_error error;
    memset(&error, 'x', sizeof(error));
    check_status(haul_error_set(&error, HAUL_IO, "pwrite", EIO, "cannot write %s", "file"),
                 HAUL_IO);
    check_status(error.status, HAUL_IO);
    check_equal(error.code, EIO);
    check_text(error.call, "pwrite");
    check_text(error.text, "cannot write file");
    check_text(error.hint, "");
}

static void test_haul_error_set__no_error_struct__status_returned(void)
{
    check_status(haul_error_set(NULL, HAUL_BUSY, NULL, 0, "text"), HAUL_BUSY);
    haul_error_hint(NULL, "hint");
}

static void test_haul_error_set__texts_too_long__cut_and_terminated(void)
{
    struct haul_error error;
    char text[2 * HAUL_ERROR_TEXT_BYTES_MAX];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    haul_error_set(&error, HAUL_IO, text, 0, "%s", text);
    haul_error_hint(&error, "%s", text);
    check_equal(strlen(error.call), sizeof(error.call) - 1);
    check_equal(strlen(error.text), sizeof(error.text) - 1);
    check_equal(strlen(error.hint), sizeof(error.hint) - 1);
}

static void test_haul_error_format__every_part__one_line(void)
{
    struct haul_error error;
    char line[LINE_BYTES];
    haul_error_set(&error, HAUL_IO, "open", ENOENT, "cannot open the journal");
    haul_error_hint(&error, "check the path");
    haul_error_format(&error, line, sizeof(line));
    check_text(line, "cannot open the journal: open: No such file or directory (check the path)");
}

static void test_haul_error_format__call_without_errno__call_only(void)
{
    struct haul_error error;
    char line[LINE_BYTES];
    haul_error_set(&error, HAUL_NO_MEMORY, "calloc", 0, "no memory");
    haul_error_format(&error, line, sizeof(line));
    check_text(line, "no memory: calloc");
}

static void test_haul_error_format__no_text__sentence_of_the_status(void)
{
    const struct haul_error error = {.status = HAUL_AUTH};
    char line[LINE_BYTES];
    haul_error_format(&error, line, sizeof(line));
    check_text(line, haul_status_sentence(HAUL_AUTH));
}

static void test_haul_error_format__short_line__cut_and_terminated(void)
{
    const struct haul_error error = {.status = HAUL_AUTH, .text = "long text"};
    char line[5];
    haul_error_format(&error, line, sizeof(line));
    check_text(line, "long");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_status_name__every_status__distinct_upper_case),
    CHECK_TEST(test_haul_status_sentence__every_status__not_empty),
    CHECK_TEST(test_haul_status_name__no_status__unknown),
    CHECK_TEST(test_haul_error_set__control_characters__escaped),
    CHECK_TEST(test_haul_error_set__all_parts__stored_and_status_returned),
    CHECK_TEST(test_haul_error_set__no_error_struct__status_returned),
    CHECK_TEST(test_haul_error_set__texts_too_long__cut_and_terminated),
    CHECK_TEST(test_haul_error_format__every_part__one_line),
    CHECK_TEST(test_haul_error_format__call_without_errno__call_only),
    CHECK_TEST(test_haul_error_format__no_text__sentence_of_the_status),
    CHECK_TEST(test_haul_error_format__short_line__cut_and_terminated),
};

CHECK_MAIN("status", tests)
