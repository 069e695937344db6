/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c — draws the bar and prints the lines. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "human_size.h"

enum {
    BAR_INTERVAL_MS = 200,
    LINE_INTERVAL_MS = 10000,
    SPEED_INTERVAL_MS = 1000,
    BAR_CELLS_MAX = 30,
    TEXT_BYTES_MAX = 256,
    PINNED_BYTES_SHOWN = 64 << 20, /* less is not worth showing */
};

static const uint64_t ns_per_ms = 1000000;

uint64_t progress_now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void progress_init(struct progress *progress, struct output *output)
{
    memset(progress, 0, sizeof(*progress));
    progress->output = output;
    progress->shown_ns = progress_now_ns();
    progress->sampled_ns = progress->shown_ns;
}

static void sample_speed(struct progress *progress, const struct haul_progress *figures,
                         uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - progress->sampled_ns;
    if (figures->bytes < progress->sampled_bytes) { /* a job has ended, and another goes on */
        progress->sampled_bytes = figures->bytes;
        progress->sampled_ns = now_ns;
    } else if (elapsed_ns >= SPEED_INTERVAL_MS * ns_per_ms) {
        double bytes = (double)(figures->bytes - progress->sampled_bytes);
        progress->bytes_per_second = bytes * 1e9 / (double)elapsed_ns;
        progress->sampled_bytes = figures->bytes;
        progress->sampled_ns = now_ns;
    }
}

/* The share that is done, 0 to 1. The estimate may be too small, so a running copy shows at most 99
 * %. */
static double fraction_of(const struct haul_progress *figures)
{
    if (figures->phase == HAUL_PHASE_ENDED) {
        return 1;
    }
    if (figures->bytes_expected == 0) {
        return 0;
    }
    double fraction = (double)figures->bytes / (double)figures->bytes_expected;
    return fraction < 0.99 ? fraction : 0.99;
}

/* "1.2 GB of 10 GB (12 %), 350 MB/s, 28.0 s left, 1234567 records, tcp": the least important parts
 * come last, where a narrow terminal cuts off. */
static void format_figures(const struct progress *progress, const struct haul_progress *figures,
                           char text[TEXT_BYTES_MAX])
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char speed[HUMAN_TEXT_BYTES_MAX];
    char expected[HUMAN_TEXT_BYTES_MAX + 24] = "";
    char left[HUMAN_TEXT_BYTES_MAX + 16] = "";
    char pinned[HUMAN_TEXT_BYTES_MAX + 24] = "";
    human_bytes((double)figures->bytes, bytes);
    human_bytes(progress->bytes_per_second, speed);
    if (figures->bytes_expected > figures->bytes) {
        char amount[HUMAN_TEXT_BYTES_MAX];
        human_bytes((double)figures->bytes_expected, amount);
        (void)snprintf(expected, sizeof(expected), " of %s (%.0f %%)", amount,
                       100 * fraction_of(figures));
        if (progress->bytes_per_second > 0) {
            char seconds[HUMAN_TEXT_BYTES_MAX];
            uint64_t rest = figures->bytes_expected - figures->bytes;
            human_seconds((double)rest / progress->bytes_per_second, seconds);
            (void)snprintf(left, sizeof(left), ", %s left", seconds);
        }
    }
    uint64_t pinned_bytes = figures->pinned_log_bytes + figures->pinned_table_bytes;
    if (pinned_bytes >= PINNED_BYTES_SHOWN) {
        char amount[HUMAN_TEXT_BYTES_MAX];
        human_bytes((double)pinned_bytes, amount);
        (void)snprintf(pinned, sizeof(pinned), ", retains %s of old files", amount);
    }
    (void)snprintf(text, TEXT_BYTES_MAX, "%s%s, %s/s%s, %" PRIu64 " records, %s%s", bytes, expected,
                   speed, left, figures->records, haul_transport_name(figures->transport), pinned);
}

static void draw_bar(struct progress *progress, const struct haul_progress *figures)
{
    static const char full[] = "##############################";
    static const char empty[] = "..............................";
    char text[TEXT_BYTES_MAX];
    char bar[2 * TEXT_BYTES_MAX];
    unsigned columns = output_columns();
    unsigned cells = columns > 110 ? BAR_CELLS_MAX : 10;
    unsigned done = (unsigned)(fraction_of(figures) * cells + 0.5);
    bool colour = progress->output->colour;
    format_figures(progress, figures, text);
    int width = (int)columns - (int)cells - 20;
    (void)snprintf(bar, sizeof(bar), "%-12s [%s%.*s%s%.*s] %.*s", haul_phase_name(figures->phase),
                   colour ? "\033[32m" : "", (int)done, full, colour ? "\033[0m" : "",
                   (int)(cells - done), empty, width > 0 ? width : 0, text);
    output_bar(progress->output, bar);
}

uint32_t progress_show(struct progress *progress, const struct haul_progress *figures)
{
    bool bar = progress->output->terminal;
    uint32_t interval_ms = bar ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;
    uint64_t now_ns = progress_now_ns();
    uint64_t elapsed_ms = (now_ns - progress->shown_ns) / ns_per_ms;
    if (figures->phase == HAUL_PHASE_LISTENING) {
        output_bar_clear(progress->output);
        progress->sampled_bytes = 0;
        progress->sampled_ns = now_ns;
        return interval_ms;
    }
    sample_speed(progress, figures, now_ns);
    if (elapsed_ms < interval_ms) {
        uint32_t left_ms = interval_ms - (uint32_t)elapsed_ms;
        return left_ms < SPEED_INTERVAL_MS ? left_ms : SPEED_INTERVAL_MS;
    }
    progress->shown_ns = now_ns;
    if (bar) {
        draw_bar(progress, figures);
        return interval_ms;
    }
    char text[TEXT_BYTES_MAX];
    format_figures(progress, figures, text);
    output_line(progress->output, "%s: %s", haul_phase_name(figures->phase), text);
    return SPEED_INTERVAL_MS;
}

void progress_answer(struct progress *progress, const struct haul_progress *figures)
{
    char text[TEXT_BYTES_MAX];
    format_figures(progress, figures, text);
    output_answer(progress->output, "status: %s: %s", haul_phase_name(figures->phase), text);
}
