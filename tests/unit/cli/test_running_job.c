/* SPDX-License-Identifier: Apache-2.0 */
/* test_running_job.c — converts a running job to text and back. */
#include "running_job.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static const struct running_job sample = {
    .command = "send",
    .pid = 4711,
    .phase = "catching up",
    .figures = {.records = 1,
                .bytes = 2,
                .bytes_expected = UINT64_MAX,
                .wire_bytes = 4,
                .lag_bytes = 5,
                .rounds = 6,
                .durable_records = 7,
                .durable_bytes = 8,
                .pinned_log_bytes = 9,
                .pinned_table_bytes = 10,
                .seconds = 1.5},
};

static void test_running_job_parse__formatted__the_same(void)
{
    char text[RUNNING_JOB_TEXT_BYTES_MAX];
    struct running_job job;
    memset(&job, 0xff, sizeof(job));
    check(running_job_format(&sample, text, sizeof(text)));
    check(running_job_parse(text, &job));
    check_text(job.command, "send");
    check_text(job.phase, "catching up");
    check_equal(job.pid, 4711);
    check_equal(job.figures.records, 1);
    check_equal(job.figures.bytes, 2);
    check_equal(job.figures.bytes_expected, INT64_MAX); /* never negative */
    check_equal(job.figures.wire_bytes, 4);
    check_equal(job.figures.lag_bytes, 5);
    check_equal(job.figures.rounds, 6);
    check_equal(job.figures.durable_records, 7);
    check_equal(job.figures.durable_bytes, 8);
    check_equal(job.figures.pinned_log_bytes, 9);
    check_equal(job.figures.pinned_table_bytes, 10);
    check(job.figures.seconds > 1.4 && job.figures.seconds < 1.6);
}

static void test_running_job_format__no_room__false(void)
{
    char text[RUNNING_JOB_TEXT_BYTES_MAX];
    check(running_job_format(&sample, text, sizeof(text)));
    size_t size = strlen(text);
    check(!running_job_format(&sample, text, size));
    check(running_job_format(&sample, text, size + 1));
}

/* The program at the other end may be another release, or anything. */
static void test_running_job_parse__something_else__false(void)
{
    static const char *const texts[] = {
        "", "ok", "{", "[]", "{}", "{\"command\":\"send\"}", "{\"command\":1,\"pid\":\"x\"}"};
    struct running_job job;
    char text[RUNNING_JOB_TEXT_BYTES_MAX];
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        check(!running_job_parse(texts[i], &job));
    }
    check(running_job_format(&sample, text, sizeof(text)));
    text[strlen(text) - 1] = '\0';
    check(!running_job_parse(text, &job));
}

/* Names longer than ours are truncated, not written beyond their place. */
static void test_running_job_parse__long_names__cut(void)
{
    char text[RUNNING_JOB_TEXT_BYTES_MAX];
    char longer[RUNNING_JOB_TEXT_BYTES_MAX];
    struct running_job job;
    check(running_job_format(&sample, text, sizeof(text)));
    char *rest = strstr(text, "send");
    check_or_stop(rest != NULL);
    (void)snprintf(longer, sizeof(longer), "%.*s%s%s", (int)(rest - text), text,
                   "a command with a name that nobody gave it", rest + 4);
    check(running_job_parse(longer, &job));
    check_equal(strlen(job.command), RUNNING_JOB_NAME_BYTES_MAX - 1);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_running_job_parse__formatted__the_same),
    CHECK_TEST(test_running_job_format__no_room__false),
    CHECK_TEST(test_running_job_parse__something_else__false),
    CHECK_TEST(test_running_job_parse__long_names__cut),
};

CHECK_MAIN("running_job", tests)
