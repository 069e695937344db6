/* SPDX-License-Identifier: Apache-2.0 */
/* test_progress.c — the figures of a migration, and when they are shown. */
#include "progress.h"

#include <string.h>

#include "captured.h"
#include "check.h"

static struct output output;
static struct progress progress;

static void start(bool terminal)
{
    const struct output_options options = {.quiet = false};
    output_init(&output, "send", &options);
    output.terminal = terminal;
    output.colour = false;
    progress_init(&progress, &output);
    captured_begin(stderr);
}

static const char *finish(void)
{
    const char *text = captured_end();
    output.bar_shown = false;
    output_fini(&output);
    return text;
}

/* Pretend that this much time has passed since the last output. */
static void pass_ms(uint64_t ms)
{
    progress.shown_ns -= ms * 1000000;
}

static void test_progress_answer__figures__those_that_are_known(void)
{
    static const struct {
        struct haul_progress figures;
        double bytes_per_second;
        const char *expected;
    } cases[] = {{{.phase = HAUL_PHASE_COPYING, .records = 3, .bytes = 500, .bytes_expected = 2000},
                  0,
                  "500 B of 2.0 kB (25 %), 0 B/s, 3 records, "},
                 {{.phase = HAUL_PHASE_COPYING, .records = 3, .bytes = 500, .bytes_expected = 2000},
                  100,
                  "500 B of 2.0 kB (25 %), 100 B/s, 15.0 s left, 3 records, "},
                 {{.phase = HAUL_PHASE_COPYING, .bytes = 1999, .bytes_expected = 2000},
                  0,
                  "2.0 kB of 2.0 kB (99 %), 0 B/s, 0 records, "},
                 {{.phase = HAUL_PHASE_COPYING, .bytes = 2000, .bytes_expected = 2000},
                  0,
                  "2.0 kB, 0 B/s, 0 records, "},
                 {{.phase = HAUL_PHASE_COPYING, .bytes = 7}, 5, "7 B, 5 B/s, 0 records, "}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        start(false);
        progress.bytes_per_second = cases[i].bytes_per_second;
        progress_answer(&progress, &cases[i].figures);
        const char *text = finish();
        check(strstr(text, "haul: status: copying: ") == text);
        check(strstr(text, cases[i].expected) != NULL);
        check(strstr(text, "old files") == NULL);
    }
}

static void test_progress_answer__pinned__shown_from_64_mib_on(void)
{
    struct haul_progress figures = {.phase = HAUL_PHASE_COPYING,
                                    .pinned_log_bytes = (32 << 20) - 1,
                                    .pinned_table_bytes = 32 << 20};
    start(false);
    progress_answer(&progress, &figures);
    check(strstr(finish(), "old files") == NULL);
    figures.pinned_log_bytes++;
    start(false);
    progress_answer(&progress, &figures);
    check(strstr(finish(), ", retains 67.1 MB of old files\n") != NULL);
}

static void test_progress_show__no_terminal__a_line_each_10_s(void)
{
    const struct haul_progress figures = {.phase = HAUL_PHASE_COPYING, .bytes = 7};
    start(false);
    check(progress_show(&progress, &figures) <= 1000);
    pass_ms(5000);
    check(progress_show(&progress, &figures) <= 1000);
    pass_ms(5000);
    check_equal(progress_show(&progress, &figures), 1000);
    check(progress_show(&progress, &figures) <= 1000);
    const char *text = finish();
    check(strstr(text, "haul: copying: 7 B, ") == text);
    check(strchr(text, '\n') == text + strlen(text) - 1); /* one line */
}

static void test_progress_show__terminal__a_bar_of_what_is_done(void)
{
    const struct haul_progress half = {
        .phase = HAUL_PHASE_COPYING, .bytes = 1000, .bytes_expected = 2000};
    const struct haul_progress ended = {.phase = HAUL_PHASE_ENDED, .bytes = 1};
    start(true);
    pass_ms(200);
    check_equal(progress_show(&progress, &half), 200);
    pass_ms(200);
    check_equal(progress_show(&progress, &ended), 200);
    const char *text = finish();
    check(strstr(text, "[#####.....] 1.0 kB of 2.0 kB") != NULL ||
          strstr(text, "[###############...............]") != NULL);
    check(strstr(text, "##########]") != NULL);
}

/* The next source starts at zero. */
static void test_progress_show__listening__bar_goes_and_the_speed_begins_anew(void)
{
    const struct haul_progress figures = {.phase = HAUL_PHASE_LISTENING};
    start(true);
    output.bar_shown = true;
    progress.sampled_bytes = 99;
    progress.sampled_ns = 0;
    check_equal(progress_show(&progress, &figures), 200);
    check_equal(progress.sampled_bytes, 0);
    check(progress.sampled_ns != 0);
    check_text(finish(), "\r\033[K");
}

static void test_progress_show__speed__of_a_second_at_least(void)
{
    struct haul_progress figures = {.phase = HAUL_PHASE_COPYING, .bytes = 5000};
    start(false);
    (void)progress_show(&progress, &figures);
    check(progress.bytes_per_second == 0);
    progress.sampled_ns -= UINT64_C(10000000000);
    (void)progress_show(&progress, &figures);
    check(progress.bytes_per_second > 100 && progress.bytes_per_second < 501);
    check_equal(progress.sampled_bytes, 5000);
    double speed = progress.bytes_per_second;
    figures.bytes = 4000; /* of another job, or of fewer: it counts from there on */
    progress.sampled_ns -= UINT64_C(10000000000);
    (void)progress_show(&progress, &figures);
    check_equal(progress.sampled_bytes, 4000);
    check(progress.bytes_per_second == speed);
    (void)finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_progress_answer__figures__those_that_are_known),
    CHECK_TEST(test_progress_answer__pinned__shown_from_64_mib_on),
    CHECK_TEST(test_progress_show__no_terminal__a_line_each_10_s),
    CHECK_TEST(test_progress_show__terminal__a_bar_of_what_is_done),
    CHECK_TEST(test_progress_show__listening__bar_goes_and_the_speed_begins_anew),
    CHECK_TEST(test_progress_show__speed__of_a_second_at_least),
};
CHECK_MAIN("progress", tests)
