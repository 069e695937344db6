/* SPDX-License-Identifier: Apache-2.0 */
/* test_hand_overs.c — what of a selection was handed over, by made-up records. */
#include "hand_overs.h"

#include <string.h>

#include "check.h"

static struct haul_owner_range ranges[8];
static struct haul_owner_job history[2];
static struct haul_owner owner;
static struct haul_job jobs[2];
static struct haul_family families[2];
static struct hand_overs records;

static struct haul_slice key(const char *text)
{
    return (struct haul_slice){(const uint8_t *)text, strlen(text)};
}

static void begin(void)
{
    memset(history, 0, sizeof(history));
    memset(jobs, 0, sizeof(jobs));
    owner = (struct haul_owner){.ranges = ranges, .jobs = history, .origin = HAUL_OWNER_SAME};
    (void)snprintf(families[0].name, sizeof(families[0].name), "a");
    (void)snprintf(families[1].name, sizeof(families[1].name), "b");
    records =
        (struct hand_overs){.owner = &owner, .jobs = jobs, .families = families, .family_count = 2};
}

static void gave(const char *family, const char *start, const char *to, uint8_t job)
{
    ranges[owner.range_count++] = (struct haul_owner_range){.state = HAUL_OWNER_RELEASED,
                                                            .family = family,
                                                            .range = {key(start), key(to)},
                                                            .peer = "them",
                                                            .job = {job}};
}

/* `family` NULL: all; `start` NULL: everything. */
static struct hand_over find(const char *family, const char *start, const char *to)
{
    const struct haul_range range = {key(start == NULL ? "" : start), key(to == NULL ? "" : to)};
    const struct haul_source_options options = {.families = &family,
                                                .family_count = family == NULL ? 0 : 1,
                                                .ranges = &range,
                                                .range_count = start == NULL ? 0 : 1};
    return hand_overs_find(&records, &options);
}

static void test_hand_overs_find__no_record__nothing(void)
{
    begin();
    check_equal(find(NULL, NULL, NULL).state, HAND_OVER_NONE);
    check_equal(find("a", "k", "m").state, HAND_OVER_NONE);
}

static void test_hand_overs_find__whole_range__done_with_job_and_peer(void)
{
    begin();
    gave("a", "k", "m", 7);
    struct hand_over found = find("a", "k", "m");
    check_equal(found.state, HAND_OVER_DONE);
    check_equal(found.job[0], 7);
    check_text(found.peer, "them");
    check_equal(find("a", "ka", "l").state, HAND_OVER_DONE);
    check_equal(find("a", "j", "m").state, HAND_OVER_NONE);
    check_equal(find("a", "k", "ma").state, HAND_OVER_NONE);
    check_equal(find("a", "k", "").state, HAND_OVER_NONE);
    check_equal(find("b", "k", "m").state, HAND_OVER_NONE);
    check_equal(find(NULL, "k", "m").state, HAND_OVER_NONE);
    check_equal(find("a", NULL, NULL).state, HAND_OVER_NONE);
}

static void test_hand_overs_find__pieces__only_without_a_gap(void)
{
    begin();
    gave("a", "", "c", 1);
    gave("a", "c", "e", 2);
    gave("a", "f", "", 3);
    check_equal(find("a", "b", "d").state, HAND_OVER_DONE);
    check_equal(find("a", "b", "d").job[0], 1);
    check_equal(find("a", "", "e").state, HAND_OVER_DONE);
    check_equal(find("a", "d", "g").state, HAND_OVER_NONE);
    check_equal(find("a", "f", "").state, HAND_OVER_DONE);
    ranges[1].state = HAUL_OWNER_IMPORTED;
    check_equal(find("a", "b", "d").state, HAND_OVER_NONE);
}

static void test_hand_overs_find__every_other_family__unless_it_has_its_own(void)
{
    begin();
    gave("", "", "", 1);
    check_equal(find(NULL, NULL, NULL).state, HAND_OVER_DONE);
    gave("a", "k", "m", 2);
    check_equal(find("b", NULL, NULL).state, HAND_OVER_DONE);
    check_equal(find("a", NULL, NULL).state, HAND_OVER_NONE);
}

static void test_hand_overs_find__journal_left__unconfirmed(void)
{
    begin();
    gave("a", "a", "c", 1);
    gave("a", "c", "e", 2);
    jobs[0] = (struct haul_job){.role = HAUL_JOB_SOURCE, .claim = HAUL_JOB_YIELDS, .id = {2}};
    records.job_count = 1;
    check_equal(find("a", "a", "b").state, HAND_OVER_DONE);
    struct hand_over found = find("a", "a", "e");
    check_equal(found.state, HAND_OVER_UNCONFIRMED);
    check_equal(found.job[0], 2);
    jobs[0].role = HAUL_JOB_TARGET;
    check_equal(find("a", "a", "e").state, HAND_OVER_DONE);
}

static void test_hand_overs_find__lost_by_the_target__nothing(void)
{
    begin();
    gave("a", "a", "c", 1);
    history[0] = (struct haul_owner_job){.act = HAUL_OWNER_GAVE, .result = HAUL_OK, .job = {1}};
    history[1] =
        (struct haul_owner_job){.act = HAUL_OWNER_GAVE, .result = HAUL_MISMATCH, .job = {1}};
    owner.job_count = 1;
    check_equal(find("a", "a", "c").state, HAND_OVER_DONE);
    owner.job_count = 2;
    check_equal(find("a", "a", "c").state, HAND_OVER_NONE);
}

static void test_hand_overs_find__record_of_another_database__nothing(void)
{
    begin();
    gave("a", "a", "c", 1);
    owner.origin = HAUL_OWNER_COPY;
    check_equal(find("a", "a", "c").state, HAND_OVER_NONE);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_hand_overs_find__no_record__nothing),
    CHECK_TEST(test_hand_overs_find__whole_range__done_with_job_and_peer),
    CHECK_TEST(test_hand_overs_find__pieces__only_without_a_gap),
    CHECK_TEST(test_hand_overs_find__every_other_family__unless_it_has_its_own),
    CHECK_TEST(test_hand_overs_find__journal_left__unconfirmed),
    CHECK_TEST(test_hand_overs_find__lost_by_the_target__nothing),
    CHECK_TEST(test_hand_overs_find__record_of_another_database__nothing),
};
CHECK_MAIN("hand_overs", tests)
