/* SPDX-License-Identifier: Apache-2.0 */
/* test_job_text.c — the way out of each state of a job. */
#include "job_text.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static struct haul_job job_in(enum haul_job_role role, const char *phase)
{
    struct haul_job job = {.role = role, .id = {0xab, 0xcd, 0xef, 0x01, 0x23}};
    (void)snprintf(job.phase, sizeof(job.phase), "%s", phase);
    return job;
}

static const struct {
    enum haul_job_role role;
    const char *phase;
    const char *first;
    const char *second;
} cases[] = {
    {HAUL_JOB_SOURCE, "PLANNED", "haul resume --db /d --to ADDR:PORT",
     "haul cancel --db /d --job abcdef01"},
    {HAUL_JOB_SOURCE, "FROZEN", "haul resume --db /d --to ADDR:PORT",
     "haul cancel --db /d --job abcdef01"},
    {HAUL_JOB_SOURCE, "COMMITTED", "haul resolve --db /d --to ADDR:PORT",
     "haul owner --db /d --reclaim --accept-two-owners"},
    {HAUL_JOB_SOURCE, "RELEASED", "haul resolve --db /d --to ADDR:PORT",
     "haul owner --db /d --reclaim --accept-two-owners"},
    {HAUL_JOB_SOURCE, "ABORTED", "haul resolve --db /d --to ADDR:PORT", ""},
    {HAUL_JOB_TARGET, "COPYING", "haul recv --db /d", "haul cancel --db /d --job abcdef01"},
    {HAUL_JOB_TARGET, "PREPARED", "haul recv --db /d",
     "haul cancel --db /d --job abcdef01 --accept-two-owners"},
    {HAUL_JOB_TARGET, "COMMITTED", "haul recv --db /d", ""},
    {HAUL_JOB_TARGET, "ABORTED", "haul cancel --db /d --job abcdef01", ""},
};

static void test_job_text_ways__every_state__its_commands(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct haul_job job = job_in(cases[i].role, cases[i].phase);
        struct job_text_ways ways;
        job_text_ways(&job, "/d", &ways);
        check_text(ways.first.command, cases[i].first);
        check_text(ways.second.command, cases[i].second);
        check(ways.first.purpose[0] != '\0');
        check_equal(ways.second.purpose[0] == '\0', cases[i].second[0] == '\0');
    }
}

static void test_job_text_ways__damaged__moved_aside_whatever_its_phase(void)
{
    struct haul_job job = job_in(HAUL_JOB_SOURCE, "");
    struct job_text_ways ways;
    job.condition = HAUL_JOB_DAMAGED;
    job_text_ways(&job, "/d", &ways);
    check_text(ways.first.command, "haul cancel --db /d --job abcdef01 --accept-two-owners");
    check_text(ways.second.command, "");
}

/* Whatever its phase is: only its target knows. */
static void test_job_text_ways__restored_or_parted__ask_or_take_the_rest(void)
{
    static const char *const phases[] = {"COPYING", "FROZEN", "ABORTED"};
    for (size_t i = 0; i < CHECK_COUNT(phases); i++) {
        struct haul_job job = job_in(HAUL_JOB_SOURCE, phases[i]);
        struct job_text_ways ways;
        job.restored = true;
        job_text_ways(&job, "/d", &ways);
        check_text(ways.first.command, "haul resolve --db /d --to ADDR:PORT");
        check_text(ways.second.command, "haul cancel --db /d --job abcdef01 --accept-two-owners");
        job.parted = true;
        job_text_ways(&job, "/d", &ways);
        check(strstr(ways.first.purpose, "`haul send --overwrite --range R`") != NULL);
        check_text(ways.first.command, "haul cancel --db /d --job abcdef01 --accept-two-owners");
        check_text(ways.second.command, "haul resolve --db /d --to ADDR:PORT");
    }
}

/* It was decided, and what came back since is not taken back with what did not. */
static void test_job_text_ways__decided_and_given_back__take_that_back(void)
{
    static const char *const phases[] = {"COMMITTED", "RELEASED"};
    for (size_t i = 0; i < CHECK_COUNT(phases); i++) {
        struct haul_job job = job_in(HAUL_JOB_SOURCE, phases[i]);
        struct job_text_ways ways;
        job.claim = HAUL_JOB_YIELDS;
        job.parted = true;
        job_text_ways(&job, "/d", &ways);
        check_text(ways.first.command,
                   "haul owner --db /d --reclaim --accept-two-owners --range R");
        check_text(ways.second.command, "haul cancel --db /d --job abcdef01 --accept-two-owners");
        check(strstr(job_text_claim(&job), "owns a part of the ranges") != NULL);
        job.parted = false;
        job.returned = true;
        job_text_ways(&job, "/d", &ways);
        check_text(ways.first.command, "haul owner --db /d --reclaim --accept-two-owners");
        check_text(ways.second.command, "haul resolve --db /d --to ADDR:PORT");
        check(strstr(job_text_claim(&job), "nobody owns the ranges") != NULL);
        job.condition = HAUL_JOB_FOREIGN;
        job_text_ways(&job, "/d", &ways);
        check_text(ways.first.command, "haul owner --db /d --forget --accept-two-owners");
    }
}

static void test_job_text_ways__of_a_copy__forget_or_adopt(void)
{
    struct haul_job job = job_in(HAUL_JOB_TARGET, "PREPARED");
    struct job_text_ways ways;
    job.condition = HAUL_JOB_FOREIGN;
    job_text_ways(&job, "/d", &ways);
    check_text(ways.first.command, "haul owner --db /d --forget --accept-two-owners");
    check_text(ways.second.command, "haul owner --db /d --adopt --accept-two-owners");
}

static void test_job_text_ways__name_with_control_characters__escaped(void)
{
    struct haul_job job = job_in(HAUL_JOB_SOURCE, "COPYING");
    struct job_text_ways ways;
    job_text_ways(&job, "a\033[31m", &ways);
    check_text(ways.first.command, "haul resume --db $'a\\x1b[31m' --to ADDR:PORT");
}

static void test_job_text_is_over__aborted_source_only(void)
{
    struct haul_job source = job_in(HAUL_JOB_SOURCE, "ABORTED");
    struct haul_job target = job_in(HAUL_JOB_TARGET, "ABORTED");
    struct haul_job copying = job_in(HAUL_JOB_SOURCE, "COPYING");
    check(job_text_is_over(&source));
    source.restored = true; /* its target says that it owns by it */
    check(!job_text_is_over(&source));
    check(!job_text_is_over(&target));
    check(!job_text_is_over(&copying));
}

static void test_job_text_claim__each__names_the_owner(void)
{
    struct haul_job job = job_in(HAUL_JOB_SOURCE, "COPYING");
    job.claim = HAUL_JOB_SERVES;
    check_text(job_text_claim(&job), "this database owns the ranges");
    job.claim = HAUL_JOB_YIELDS;
    check_text(job_text_claim(&job), "the other database owns the ranges");
    job.claim = HAUL_JOB_IN_DOUBT;
    job.restored = true;
    check(strstr(job_text_claim(&job), "until it was asked") != NULL);
    job.parted = true;
    check(strstr(job_text_claim(&job), "owns a part of the ranges") != NULL);
    job = job_in(HAUL_JOB_SOURCE, "FROZEN");
    job.claim = HAUL_JOB_IN_DOUBT;
    check(strstr(job_text_claim(&job), "until the source has decided") != NULL);
    job.role = HAUL_JOB_TARGET;
    check(strstr(job_text_claim(&job), "until the source has decided") != NULL);
}

static void test_job_text_ways__directory_with_blanks__one_word_of_the_shell(void)
{
    struct haul_job job = job_in(HAUL_JOB_TARGET, "COPYING");
    struct job_text_ways ways;
    job_text_ways(&job, "/my data/b", &ways);
    check_text(ways.first.command, "haul recv --db '/my data/b'");
    check_text(ways.second.command, "haul cancel --db '/my data/b' --job abcdef01");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_job_text_ways__every_state__its_commands),
    CHECK_TEST(test_job_text_ways__directory_with_blanks__one_word_of_the_shell),
    CHECK_TEST(test_job_text_ways__damaged__moved_aside_whatever_its_phase),
    CHECK_TEST(test_job_text_ways__restored_or_parted__ask_or_take_the_rest),
    CHECK_TEST(test_job_text_ways__decided_and_given_back__take_that_back),
    CHECK_TEST(test_job_text_ways__of_a_copy__forget_or_adopt),
    CHECK_TEST(test_job_text_ways__name_with_control_characters__escaped),
    CHECK_TEST(test_job_text_is_over__aborted_source_only),
    CHECK_TEST(test_job_text_claim__each__names_the_owner),
};

CHECK_MAIN("job_text", tests)
