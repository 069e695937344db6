/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_permit.c — what the receiver's options allow: ranges that cover a plan's or do not,
 * families, and plans that may not overwrite; what is refused changes nothing. */
#include "target_permit.h"

#include "target_journal_fixture.h"

enum { ALLOWED_MAX = 3 };

static struct haul_range allowed[ALLOWED_MAX];

/* Only these ranges, "a:c" each; an empty text: no further one. */
static void allow_ranges(const char *const texts[ALLOWED_MAX])
{
    options.only_ranges = allowed;
    options.only_range_count = 0;
    for (size_t i = 0; i < ALLOWED_MAX && texts[i] != NULL; i++) {
        const char *colon = strchr(texts[i], ':');
        allowed[i] = (struct haul_range){
            .start = slice_of((const uint8_t *)texts[i], (size_t)(colon - texts[i])),
            .end = text_slice(colon + 1)};
        options.only_range_count++;
    }
}

struct range_case {
    const char *allowed[ALLOWED_MAX];
    const char *from;
    const char *to;
    bool fits;
};

static const struct range_case range_cases[] = {
    {{NULL}, "", "", true},
    {{":"}, "", "", true},
    {{"k:m"}, "k", "m", true},           /* equal */
    {{"k:m"}, "k1", "l", true},          /* nested */
    {{"k:m"}, "j", "l", false},          /* begins before */
    {{"k:m"}, "l", "m0", false},         /* ends behind */
    {{"k:m"}, "l", "", false},           /* has no end */
    {{"k:m"}, "", "l", false},           /* has no beginning */
    {{"k:m"}, "m", "n", false},          /* touches */
    {{"k:m"}, "i", "k", false},          /* touches */
    {{"k:"}, "k", "", true},             /* to the end */
    {{":k"}, "", "k", true},             /* from the beginning */
    {{":k"}, "", "k0", false},           /* one key more */
    {{"k:l", "l:m"}, "k", "m", true},    /* two that touch */
    {{"l:m", "k:l"}, "k", "m", true},    /* in the other order */
    {{"k:l2", "l:m"}, "k", "m", true},   /* two that overlap */
    {{"k:l", "l1:m"}, "k", "m", false},  /* a gap */
    {{":k", "k:m", "m:"}, "", "", true}, /* three */
    {{":k", "k1:m", "m:"}, "", "", false},
    {{"a:z", "k:l"}, "b", "y", true}, /* one inside the other */
    {{"k:l", "k:z"}, "k", "y", true}, /* the longer of two that begin alike */
};

static void test_target_permit_check_family__ranges__only_what_is_covered(void)
{
    start();
    for (size_t i = 0; i < CHECK_COUNT(range_cases); i++) {
        const struct range_case *one = &range_cases[i];
        const struct haul_range wanted = {.start = text_slice(one->from),
                                          .end = text_slice(one->to)};
        allow_ranges(one->allowed);
        enum haul_status status =
            target_permit_check_family(&options, "default", &wanted, 1, &error);
        check_equal(status, one->fits ? HAUL_OK : HAUL_UNSUPPORTED);
        if (one->to[0] == '\0' && one->from[0] == '\0') { /* no range: everything */
            check_equal(target_permit_check_family(&options, "default", NULL, 0, &error), status);
        }
    }
    finish();
}

/* Every one of several ranges must fit. */
static void test_target_permit_check_family__one_of_two_does_not_fit__refused_by_name(void)
{
    const struct haul_range wanted[] = {{.start = text_slice("k"), .end = text_slice("l")},
                                        {.start = text_slice("n"), .end = text_slice("o")}};
    const char *const only[ALLOWED_MAX] = {"k:n"};
    start();
    allow_ranges(only);
    check_error(target_permit_check_family(&options, "default", wanted, 2, &error),
                HAUL_UNSUPPORTED, error);
    check(strstr(error.text, "from 'n' to 'o'") != NULL);
    check(strstr(error.hint, "--only-range") != NULL);
    finish();
}

/* --- plans ------------------------------------------------------------------------------------ */

static uint32_t reservations;
static bool reserved_overwrite;

static enum haul_status note_reservation(void *context, const struct haul_reservation *wanted,
                                         struct haul_error *failed)
{
    (void)context;
    (void)failed;
    reservations++;
    reserved_overwrite = wanted->overwrite;
    return HAUL_OK;
}

/* What a target has: nothing of it may change. */
struct snapshot {
    uint64_t sequence;
    uint64_t records;
    size_t families;
    size_t jobs;
};

static struct snapshot take_snapshot(void)
{
    return (struct snapshot){.sequence = target.store->ops->sequence(target.store),
                             .records = rocks_fixture_count(&target, "default"),
                             .families = family_count(),
                             .jobs = job_count()};
}

static void check_unchanged(const struct snapshot *before)
{
    const struct snapshot now = take_snapshot();
    check_equal(now.sequence, before->sequence);
    check_equal(now.records, before->records);
    check_equal(now.families, before->families);
    check_equal(now.jobs, before->jobs);
    check_equal(reservations, 0);
}

/* Records of k, a family that only the source has, and an unfinished job over m..n. */
static void start_full(void)
{
    start();
    reservations = 0;
    reserved_overwrite = false;
    options.hooks.reserve = note_reservation;
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("m", "n", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "m", RECORD_COUNT, 10);
    leave();
    (void)rocks_fixture_family(&source, "other");
    reservations = 0;
}

static enum haul_status offer(const char *from, const char *to, bool overwrite)
{
    check_equal(come(2, false), JOB_UNKNOWN);
    enum haul_status status = check_range(from, to, overwrite);
    leave();
    return status;
}

static void test_target_admission_check__family_that_is_not_taken__nothing_is_touched(void)
{
    static const char *const only[] = {"default", "more"};
    start_full();
    options.only_families = only;
    options.only_family_count = CHECK_COUNT(only);
    const struct snapshot before = take_snapshot();
    check_error(offer("j", "z", true), HAUL_UNSUPPORTED, error);
    check(strstr(error.text, "'other'") != NULL);
    check(strstr(error.hint, "--only-cf") != NULL);
    check_unchanged(&before);
    finish();
}

static void test_target_admission_check__range_that_is_not_taken__nothing_is_touched(void)
{
    static const char *const only[ALLOWED_MAX] = {"j:l", "m:z"};
    start_full();
    allow_ranges(only);
    const struct snapshot before = take_snapshot();
    check_error(offer("j", "z", true), HAUL_UNSUPPORTED, error);
    check_error(offer("", "", true), HAUL_UNSUPPORTED, error);
    check_unchanged(&before);
    check_status(offer("j", "l", true), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

static void test_target_admission_check__may_not_overwrite__records_stay(void)
{
    start_full();
    options.hooks.reserve = NULL;
    options.allow_overwrite = false;
    const struct snapshot before = take_snapshot();
    check_error(offer("k", "l", true), HAUL_NOT_EMPTY, error);
    check(strstr(error.text, "does not allow --overwrite") != NULL);
    check(strstr(error.text, "already holds records") != NULL);
    check(strstr(error.hint, "--allow-overwrite") != NULL);
    check_error(offer("k", "l", false), HAUL_NOT_EMPTY, error);
    check(strstr(error.text, "does not allow") == NULL);
    check_unchanged(&before);
    finish();
}

/* Records of an unfinished job are in the way like those of the database. */
static void test_target_admission_check__may_not_overwrite__other_jobs_stay(void)
{
    start_full();
    options.hooks.reserve = NULL;
    options.allow_overwrite = false;
    const struct snapshot before = take_snapshot();
    check_error(offer("m", "z", true), HAUL_BUSY, error);
    check(strstr(error.hint, "`haul cancel`") != NULL);
    check(strstr(error.hint, "--overwrite") == NULL);
    check_unchanged(&before);
    options.allow_overwrite = true;
    check_status(offer("m", "z", true), HAUL_OK);
    finish();
}

/* A source that asks for more than it needs. */
static void test_target_admission_check__may_not_overwrite_and_need_not__accepted(void)
{
    start_full();
    options.allow_overwrite = false;
    check_status(offer("o", "z", true), HAUL_OK);
    check_equal(reservations, 1);
    check(!reserved_overwrite);
    check_equal(rocks_fixture_count(&target, "default"), 2 * RECORD_COUNT);
    finish();
}

/* The receiver was restarted without the option, and the job had cleared its range before. */
static void test_target_admission_check__job_that_overwrote_continues__accepted(void)
{
    start_full();
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", true), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    leave();
    options.allow_overwrite = false;
    check_equal(come(2, true), JOB_COPYING);
    check_status(check_range("k", "l", true), HAUL_OK);
    check(journal.resumed);
    leave();
    finish();
}

/* It continues once it is allowed again. */
static void test_target_admission_check__job_that_is_no_longer_allowed__kept(void)
{
    static const char *const only[ALLOWED_MAX] = {"a:b"};
    start_full();
    allow_ranges(only);
    const struct snapshot before = take_snapshot();
    check_equal(come(1, true), JOB_COPYING);
    check_error(check_range("m", "n", false), HAUL_UNSUPPORTED, error);
    leave();
    check_unchanged(&before);
    options.only_range_count = 0;
    check_equal(come(1, true), JOB_COPYING);
    leave();
    finish();
}

/* --- options ---------------------------------------------------------------------------------- */

static void
test_target_permit_check_options__range_without_a_key_family_without_a_name__invalid(void)
{
    static const char *const backwards[ALLOWED_MAX] = {"a:z", "m:k"};
    static const char *const empty[ALLOWED_MAX] = {"k:k"};
    static const char *const sound[ALLOWED_MAX] = {":k", "k:", ":"};
    const char *names[] = {"default", ""};
    struct haul_migration *migration = NULL;
    start();
    options.listen = "127.0.0.1:0";
    options.size_bytes = sizeof(options);
    allow_ranges(backwards);
    check_error(haul_target_start(&options, &migration, &error), HAUL_INVALID, error);
    allow_ranges(empty);
    check_error(target_permit_check_options(&options, &error), HAUL_INVALID, error);
    allow_ranges(sound);
    check_status(target_permit_check_options(&options, &error), HAUL_OK);
    options.only_families = names;
    options.only_family_count = 2;
    check_error(target_permit_check_options(&options, &error), HAUL_INVALID, error);
    names[1] = NULL;
    check_error(target_permit_check_options(&options, &error), HAUL_INVALID, error);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_permit_check_family__ranges__only_what_is_covered),
    CHECK_TEST(test_target_permit_check_family__one_of_two_does_not_fit__refused_by_name),
    CHECK_TEST(test_target_admission_check__family_that_is_not_taken__nothing_is_touched),
    CHECK_TEST(test_target_admission_check__range_that_is_not_taken__nothing_is_touched),
    CHECK_TEST(test_target_admission_check__may_not_overwrite__records_stay),
    CHECK_TEST(test_target_admission_check__may_not_overwrite__other_jobs_stay),
    CHECK_TEST(test_target_admission_check__may_not_overwrite_and_need_not__accepted),
    CHECK_TEST(test_target_admission_check__job_that_overwrote_continues__accepted),
    CHECK_TEST(test_target_admission_check__job_that_is_no_longer_allowed__kept),
    CHECK_TEST(
        test_target_permit_check_options__range_without_a_key_family_without_a_name__invalid),
};

CHECK_MAIN("target_permit", tests)
