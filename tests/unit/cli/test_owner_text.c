/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_text.c — the output about what a database owns, word by word. */
#include "owner_text.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "captured.h"
#include "check.h"

enum { PAGE_BYTES_MAX = 4096 };

static const char *page;

static void print(const struct haul_owner *owner, const char *directory, size_t job_count_max)
{
    captured_begin(stdout);
    owner_text_print(owner, directory, job_count_max);
    page = captured_end();
}

static struct haul_slice text(const char *characters)
{
    return slice_of(characters, strlen(characters));
}

static void test_owner_text_range__bounds__all_keys_only_without_any(void)
{
    static const struct {
        const char *family;
        const char *start;
        const char *end;
        const char *expected;
    } cases[] = {{"default", "", "", "column family default, all keys"},
                 {"", "", "", "every other column family, all keys"},
                 {"a\nb", "k", "l", "column family a\\x0ab, keys k:l"},
                 {"default", "k", "", "column family default, keys k:"},
                 {"default", "", "l", "column family default, keys :l"}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char line[OWNER_TEXT_RANGE_BYTES_MAX];
        const struct haul_owner_range range = {
            .family = cases[i].family,
            .range = {.start = text(cases[i].start), .end = text(cases[i].end)}};
        owner_text_range(&range, line);
        check_text(line, cases[i].expected);
    }
}

static void test_owner_text_time__edges__a_year_of_four_digits_or_nothing(void)
{
    static const struct {
        uint64_t time_s;
        const char *expected;
    } cases[] = {{0, ""},
                 {1, "1970-01-01T00:00:01Z"},
                 {1795935791, "2026-11-29T07:03:11Z"},
                 {UINT64_C(253402300799), "9999-12-31T23:59:59Z"},
                 {UINT64_C(253402300800), ""},
                 {UINT64_MAX / 2, ""}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char line[OWNER_TEXT_TIME_BYTES];
        owner_text_time(cases[i].time_s, line);
        check_text(line, cases[i].expected);
    }
}

static void test_owner_text_print__never_used__says_so(void)
{
    const struct haul_owner owner = {.config_version = 0};
    print(&owner, "/d", 10);
    check_text(page, "haul has not been used on this database\n"
                     "this database owns everything in it: no job has moved a range\n");
}

static struct haul_owner_range ranges[] = {
    {.state = HAUL_OWNER_RELEASED, .family = "default", .peer = "B\x1b/2", .job = {0xab}},
    {.state = HAUL_OWNER_IMPORTED, .family = "two", .peer = "", .job = {0xcd}}};
static struct haul_owner_job jobs[] = {
    {.act = HAUL_OWNER_GAVE, .peer = "B/2", .job = {0x01}, .result = HAUL_CANCELLED},
    {.act = HAUL_OWNER_TOOK,
     .peer = "C/3",
     .job = {0x02},
     .old_version = 4,
     .new_version = 5,
     .time_s = 1,
     .records = 7,
     .bytes = 2048},
    {.act = HAUL_OWNER_GAVE,
     .peer = "B/2",
     .job = {0xab},
     .old_version = 5,
     .new_version = 6,
     .records = 1},
    {.act = HAUL_OWNER_RECLAIMED, .peer = "", .old_version = 6, .new_version = 7}};

static void test_owner_text_print__moved_to_and_fro__ranges_and_the_newest_jobs(void)
{
    struct haul_owner owner = {.identity = "A/1",
                               .config_version = 7,
                               .ranges = ranges,
                               .range_count = 2,
                               .jobs = jobs,
                               .job_count = 4};
    print(&owner, "/d", 3);
    check_text(page,
               "database A/1, config version 7\n"
               "given away: column family default, all keys to B\\x1b/2, job "
               "ab000000000000000000000000000000\n"
               "taken over: column family two, all keys, job cd000000000000000000000000000000\n"
               "everything else belongs to this database\n"
               "last jobs, newest last (3 of 4):\n"
               "  1970-01-01T00:00:01Z took 7 records, 2.0 kB from C/3, version 4 -> 5, job "
               "02000000000000000000000000000000\n"
               "  (no time) gave 1 records, 0 B to B/2, version 5 -> 6, job "
               "ab000000000000000000000000000000\n"
               "  (no time) reclaimed, version 6 -> 7\n");
    owner.job_count = 1;
    owner.range_count = 0;
    owner.identity[0] = '\0';
    print(&owner, "/d", 3);
    check(strstr(page, "database (without IDENTITY), config version 7\n") == page);
    check(strstr(page, "(1 of 1):\n  (no time) gave nothing to B/2: ") != NULL);
}

static void test_owner_text_print__second_entry_of_a_job_that_gave__what_became_of_it(void)
{
    struct haul_owner_job entries[] = {
        {.act = HAUL_OWNER_GAVE, .peer = "B/2", .result = HAUL_MISMATCH},
        {.act = HAUL_OWNER_GAVE, .peer = "B/2", .result = HAUL_UNCONFIRMED},
        {.act = HAUL_OWNER_TOOK, .peer = "B/2", .result = HAUL_MISMATCH}};
    const struct haul_owner owner = {.config_version = 7, .jobs = entries, .job_count = 3};
    print(&owner, "/d", 3);
    check(strstr(page, "gave to B/2, which was set back, and has lost it, job 00") != NULL);
    check(strstr(page,
                 "gave to B/2, which had not confirmed it: the job was ended by hand, job 00") !=
          NULL);
    check(strstr(page, "took nothing from B/2: ") != NULL);
}

static void test_owner_text_print__not_its_own_record__both_commands(void)
{
    static const struct {
        enum haul_owner_origin origin;
        const char *what;
        const char *why;
    } cases[] = {{HAUL_OWNER_COPY,
                  "this database is a copy or a restored backup: the record is "
                  "the original's\n",
                  "  it is the original, which was moved or restored: "},
                 {HAUL_OWNER_RESET,
                  "this database was set back to an earlier state than the "
                  "record's\n",
                  "  continue from there: "},
                 {HAUL_OWNER_OTHER, "the record is of another database\n",
                  "  it is the same one, repaired or with a new IDENTITY: "}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char expected[PAGE_BYTES_MAX];
        const struct haul_owner owner = {.origin = cases[i].origin, .identity = "A"};
        print(&owner, "/d d", 3);
        (void)snprintf(expected, sizeof(expected),
                       "database A, config version 0\n%s"
                       "  nothing is sent, received or dropped here until you choose:\n"
                       "  a database of its own from now on: haul owner --db '/d d' --forget "
                       "--accept-two-owners\n"
                       "%shaul owner --db '/d d' --adopt --accept-two-owners\n"
                       "this database owns everything in it: no job has moved a range\n",
                       cases[i].what, cases[i].why);
        check_text(page, expected);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_text_range__bounds__all_keys_only_without_any),
    CHECK_TEST(test_owner_text_time__edges__a_year_of_four_digits_or_nothing),
    CHECK_TEST(test_owner_text_print__never_used__says_so),
    CHECK_TEST(test_owner_text_print__moved_to_and_fro__ranges_and_the_newest_jobs),
    CHECK_TEST(test_owner_text_print__second_entry_of_a_job_that_gave__what_became_of_it),
    CHECK_TEST(test_owner_text_print__not_its_own_record__both_commands),
};
CHECK_MAIN("owner_text", tests)
