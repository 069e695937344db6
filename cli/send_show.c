/* SPDX-License-Identifier: Apache-2.0 */
/* send_show.c — results and events go to stdout, everything else to stderr. */
#include "send_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "human_size.h"
#include "json_plan.h"
#include "progress.h"

enum {
    LINE_BYTES_MAX = 320,
    BAR_CELLS = 20,
    FIGURES_MS = 10000, /* between two lines or events with figures */
    SPEED_MS = 1000,
    PERCENT = 100,
};

static const uint64_t ns_per_ms = 1000000;

void send_show_init(struct send_show *show, struct output *output, const struct send_state *state)
{
    uint64_t now_ns = progress_now_ns();
    *show = (struct send_show){
        .output = output, .state = state, .shown_ns = now_ns, .sampled_ns = now_ns};
}

/* --- a move ----------------------------------------------------------------------------------- */

/* "moves[0] (default, user\::user;) -> db7:7447" */
static void name_move(const struct send_show *show, size_t index, char text[LINE_BYTES_MAX])
{
    char move[SEND_PLAN_MOVE_TEXT_BYTES_MAX];
    send_plan_describe(show->state->plan, index, move);
    (void)snprintf(text, LINE_BYTES_MAX, "%s -> %s", move, show->state->plan->moves[index].to);
}

/* A result: on stdout. */
static void print_move(const struct send_show *show, size_t index, const char *what)
{
    char name[LINE_BYTES_MAX];
    if (!show->output->options.quiet) {
        name_move(show, index, name);
        output_bar_clear(show->output);
        (void)printf("%s: %s\n", name, what);
        (void)fflush(stdout);
    }
}

void send_show_done_before(const struct send_show *show, size_t index)
{
    const struct move_state *move = &show->state->moves[index];
    char what[LINE_BYTES_MAX];
    if (show->output->options.json) {
        json_plan_event(show->state, index, "done before");
        return;
    }
    (void)snprintf(what, sizeof(what), "handed over before%s%s; skipped",
                   move->peer[0] == '\0' ? "" : ", to database ", move->peer);
    print_move(show, index, what);
}

/* A note: on stderr, where bars show it otherwise. */
static void note_move(struct send_show *show, size_t index, const char *event, const char *what)
{
    char name[LINE_BYTES_MAX];
    if (show->output->options.json) {
        json_plan_event(show->state, index, event);
    } else if (!show->output->terminal) {
        name_move(show, index, name);
        output_line(show->output, "%s: %s", name, what);
    }
}

void send_show_begun(struct send_show *show, size_t index)
{
    bool resolves = show->state->moves[index].resolves;
    note_move(show, index, resolves ? "resolving" : "begun",
              resolves ? "was decided by an earlier run, and the receiver is informed" : "begins");
}

void send_show_waits(struct send_show *show, size_t index)
{
    note_move(show, index, "waiting", "waits for another move to this receiver");
}

static void print_done(const struct send_show *show, size_t index)
{
    const struct move_state *move = &show->state->moves[index];
    const struct haul_progress *figures = &move->figures;
    char what[LINE_BYTES_MAX];
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char seconds[HUMAN_TEXT_BYTES_MAX];
    char speed[HUMAN_TEXT_BYTES_MAX];
    char rate[HUMAN_TEXT_BYTES_MAX + 4];
    human_bytes((double)figures->bytes, bytes);
    human_seconds(figures->seconds, seconds);
    human_bytes(figures->seconds > 0 ? (double)figures->bytes / figures->seconds : 0, speed);
    (void)snprintf(rate, sizeof(rate), "%s/s", speed);
    if (move->resolves) {
        (void)snprintf(what, sizeof(what), "handed over by an earlier run; the receiver knows now");
    } else {
        (void)snprintf(what, sizeof(what),
                       "sent %" PRIu64 " records, %s in %s (%s) over %s; verified; writes paused "
                       "for %.1f ms",
                       figures->records, bytes, seconds,
                       move->resumed ? "a part had arrived earlier" : rate,
                       haul_transport_name(figures->transport), move->write_pause_ms);
    }
    print_move(show, index, what);
}

/* Not an error line: the command ends with that one. Also with --quiet. */
static void print_failed(struct send_show *show, size_t index)
{
    const struct haul_error *error = &show->state->moves[index].error;
    struct haul_error bare = *error;
    char name[LINE_BYTES_MAX];
    char why[2 * LINE_BYTES_MAX];
    bare.hint[0] = '\0';
    haul_error_format(&bare, why, sizeof(why));
    name_move(show, index, name);
    output_answer(show->output, "%s: failed: %s: %s", name, why, output_hint(error));
}

void send_show_ended(struct send_show *show, size_t index, const struct haul_result *result)
{
    const struct move_state *move = &show->state->moves[index];
    if (show->output->options.json) {
        json_plan_ended(show->state, index, result);
    } else if (move->phase == MOVE_DONE) {
        print_done(show, index);
    }
    if (move->phase == MOVE_FAILED) {
        print_failed(show, index);
    }
}

/* --- figures ---------------------------------------------------------------------------------- */

static void sample_speed(struct send_show *show, uint64_t bytes)
{
    uint64_t now_ns = progress_now_ns();
    if (bytes < show->sampled_bytes) { /* a job has failed */
        show->sampled_bytes = bytes;
        show->sampled_ns = now_ns;
    } else if (now_ns - show->sampled_ns >= SPEED_MS * ns_per_ms) {
        show->bytes_per_second =
            (double)(bytes - show->sampled_bytes) * 1e9 / (double)(now_ns - show->sampled_ns);
        show->sampled_bytes = bytes;
        show->sampled_ns = now_ns;
    }
}

static double percent_of(const struct haul_progress *figures)
{
    double part =
        figures->bytes_expected == 0 ? 0 : (double)figures->bytes / (double)figures->bytes_expected;
    return PERCENT * (part < 0.99 ? part : 0.99);
}

/* "copying, 1.2 GB of 10 GB, 12345 records" */
static void format_job(const struct haul_progress *figures, char text[LINE_BYTES_MAX])
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char expected[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)figures->bytes, bytes);
    human_bytes((double)figures->bytes_expected, expected);
    (void)snprintf(text, LINE_BYTES_MAX, "%s, %s of about %s, %" PRIu64 " records",
                   haul_phase_name(figures->phase), bytes, expected, figures->records);
}

/* "2 of 6 moves, 1.2 GB of 10 GB, 350 MB/s" */
static void format_all(const struct send_show *show, const struct send_totals *totals,
                       char text[LINE_BYTES_MAX])
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char expected[HUMAN_TEXT_BYTES_MAX];
    char speed[HUMAN_TEXT_BYTES_MAX];
    char failed[32] = "";
    human_bytes((double)totals->bytes, bytes);
    human_bytes((double)totals->bytes_expected, expected);
    human_bytes(show->bytes_per_second, speed);
    if (totals->failed > 0) {
        (void)snprintf(failed, sizeof(failed), " (%zu failed)", totals->failed);
    }
    (void)snprintf(text, LINE_BYTES_MAX, "%zu of %zu moves%s, %s of about %s, %s/s", totals->done,
                   show->state->plan->count, failed, bytes, expected, speed);
}

static void format_bar(double percent, char bar[BAR_CELLS + 1])
{
    int done = (int)(percent / PERCENT * BAR_CELLS + 0.5);
    for (int i = 0; i < BAR_CELLS; i++) {
        bar[i] = i < done ? '#' : '.';
    }
    bar[BAR_CELLS] = '\0';
}

/* A line that is wider than the terminal would take two, and the next bars would move down. */
static void put_bar(const char *name, double percent, const char *text, char line[LINE_BYTES_MAX])
{
    char bar[BAR_CELLS + 1];
    format_bar(percent, bar);
    int size = snprintf(line, LINE_BYTES_MAX, "%-11s [%s] %3.0f %%  %s", name, bar, percent, text);
    unsigned columns = output_columns();
    if (size > 0 && (unsigned)size >= columns && columns < LINE_BYTES_MAX) {
        line[columns > 0 ? columns - 1 : 0] = '\0';
    }
}

static void draw(const struct send_show *show, const struct send_totals *totals)
{
    char lines[HAUL_TARGET_JOBS_MAX + 1][LINE_BYTES_MAX];
    const char *shown[HAUL_TARGET_JOBS_MAX + 1];
    char text[LINE_BYTES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < show->state->plan->count && count < HAUL_TARGET_JOBS_MAX; i++) {
        const struct move_state *move = &show->state->moves[i];
        char name[32];
        if (move->phase == MOVE_RUNNING) {
            (void)snprintf(name, sizeof(name), "moves[%zu]", i);
            format_job(&move->figures, text);
            put_bar(name, percent_of(&move->figures), text, lines[count++]);
        }
    }
    format_all(show, totals, text);
    put_bar("all", PERCENT * totals->fraction, text, lines[count++]);
    for (size_t i = 0; i < count; i++) {
        shown[i] = lines[i];
    }
    output_bars(show->output, shown, count);
}

/* `line`: output_line or output_answer. */
static void print_figures(struct send_show *show,
                          void (*line)(struct output *output, const char *format, ...))
{
    char text[LINE_BYTES_MAX];
    struct send_totals totals;
    for (size_t i = 0; i < show->state->plan->count; i++) {
        const struct move_state *move = &show->state->moves[i];
        if (move->phase == MOVE_RUNNING) {
            format_job(&move->figures, text);
            line(show->output, "moves[%zu]: %s", i, text);
        }
    }
    send_state_totals(show->state, &totals);
    format_all(show, &totals, text);
    line(show->output, "all: %s", text);
}

void send_show_answer(struct send_show *show)
{
    print_figures(show, output_answer);
}

static void show_figures(struct send_show *show)
{
    uint64_t now_ns = progress_now_ns();
    if (now_ns - show->shown_ns < FIGURES_MS * ns_per_ms) {
        return;
    }
    show->shown_ns = now_ns;
    for (size_t i = 0; show->output->options.json && i < show->state->plan->count; i++) {
        if (show->state->moves[i].phase == MOVE_RUNNING) {
            json_plan_event(show->state, i, "progress");
        }
    }
    if (!show->output->options.json) {
        print_figures(show, output_line);
    }
}

void send_show_progress(struct send_show *show)
{
    struct send_totals totals;
    send_state_totals(show->state, &totals);
    sample_speed(show, totals.bytes);
    if (show->output->terminal && !show->output->options.json) {
        draw(show, &totals);
    } else {
        show_figures(show);
    }
}

/* --- before and after ------------------------------------------------------------------------- */

static void print_would(const struct send_show *show, size_t index)
{
    const struct move_state *move = &show->state->moves[index];
    char name[LINE_BYTES_MAX];
    char bytes[HUMAN_TEXT_BYTES_MAX];
    name_move(show, index, name);
    human_bytes((double)move->bytes_expected, bytes);
    if (move->phase == MOVE_UNCONFIRMED) {
        (void)printf("%s: was decided, and the receiver would be informed\n", name);
    } else {
        (void)printf("%s: about %s would be sent\n", name, bytes);
    }
}

void send_show_dry_run(const struct send_show *show)
{
    struct send_totals totals;
    char bytes[HUMAN_TEXT_BYTES_MAX];
    for (size_t i = 0; i < show->state->plan->count; i++) {
        if (show->state->moves[i].phase == MOVE_DONE_BEFORE) {
            send_show_done_before(show, i);
        } else {
            print_would(show, i);
        }
    }
    send_state_totals(show->state, &totals);
    human_bytes((double)totals.bytes_expected, bytes);
    (void)printf("%zu of %zu moves are done; about %s would be sent; nothing was sent, and no "
                 "receiver was contacted\n",
                 totals.done, show->state->plan->count, bytes);
}

void send_show_summary(const struct send_show *show)
{
    struct send_totals totals;
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char seconds[HUMAN_TEXT_BYTES_MAX];
    char before[48] = "";
    if (show->output->options.quiet) {
        return;
    }
    send_state_totals(show->state, &totals);
    human_bytes((double)totals.bytes, bytes);
    human_seconds((double)(progress_now_ns() - show->state->begun_ns) / 1e9, seconds);
    if (totals.done_before > 0) {
        (void)snprintf(before, sizeof(before), " (%zu of them before)", totals.done_before);
    }
    (void)printf("%zu of %zu moves are done%s: sent %" PRIu64 " records, %s in %s\n", totals.done,
                 show->state->plan->count, before, totals.records, bytes, seconds);
    (void)fflush(stdout);
}
