/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_show.c — events go to stdout, so that a log of them has nothing else; bars to stderr. */
#include "cluster_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "human_size.h"
#include "json_output.h"

enum {
    BARS_MAX = 16, /* more do not fit on a screen */
    BAR_BYTES_MAX = 160,
    BAR_CELLS = 24,
    FIGURES_MS = 5000, /* between two lines or events of progress */
    PERCENT = 100,
};

static const char *const state_names[] = {"waiting", "running", "handed over", "done"};

const char *cluster_show_state(enum run_move_state state)
{
    return state_names[state];
}

void cluster_show_node(const struct cluster_plan *plan, size_t node,
                       char name[TOPOLOGY_NAME_BYTES_MAX])
{
    struct topology_node named = {.port = plan->nodes[node].port};
    (void)snprintf(named.host, sizeof(named.host), "%s", plan->nodes[node].host);
    topology_node_name(&named, name);
}

/* --- figures ---------------------------------------------------------------------------------- */

const struct watch_progress *cluster_show_progress(const struct cluster_watch *watch,
                                                   const struct run_move *move)
{
    for (size_t i = 0; i < watch->count; i++) {
        const struct run_view *view = &watch->views[i];
        if (view->answers && view->job == RUN_JOB_START &&
            view->job_slots.first == move->slots.first &&
            view->job_slots.last == move->slots.last) {
            return &watch->progress[i];
        }
    }
    return NULL;
}

/* Empty slots count as well: each move has at least one byte. */
double cluster_show_fraction(const struct cluster_plan *plan, const struct cluster_run *run,
                             const struct cluster_watch *watch)
{
    double moved = 0;
    double all = 0;
    for (size_t i = 0; i < run->move_count; i++) {
        const struct run_move *move = &run->moves[i];
        const struct watch_progress *progress = cluster_show_progress(watch, move);
        double part = move->state == RUN_MOVE_RUNNING
                          ? progress == NULL ? 0 : progress->percent / PERCENT
                          : (double)(move->state != RUN_MOVE_WAITING);
        moved += part * (double)(plan->moves[i].bytes + 1);
        all += (double)(plan->moves[i].bytes + 1);
    }
    return all > 0 ? moved / all : 1;
}

static size_t count_done(const struct cluster_run *run)
{
    size_t done = 0;
    for (size_t i = 0; i < run->move_count; i++) {
        done += run->moves[i].state == RUN_MOVE_DONE;
    }
    return done;
}

/* --- bars ------------------------------------------------------------------------------------- */

static void format_bar(double fraction, char bar[BAR_CELLS + 1])
{
    int done = (int)(fraction * BAR_CELLS + 0.5);
    for (int i = 0; i < BAR_CELLS; i++) {
        bar[i] = i < done ? '#' : '.';
    }
    bar[BAR_CELLS] = '\0';
}

static void format_job(const struct cluster_show *show, size_t index, char line[BAR_BYTES_MAX])
{
    const struct run_move *move = &show->run->moves[index];
    const struct watch_progress *progress = cluster_show_progress(show->watch, move);
    struct watch_progress none = {.eta_s = -1};
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    char bar[BAR_CELLS + 1];
    char left[HUMAN_TEXT_BYTES_MAX + 8] = "";
    const struct watch_progress *shown = progress == NULL ? &none : progress;
    slot_range_format(move->slots, range);
    bool over = move->state == RUN_MOVE_HANDED_OVER;
    format_bar(over ? 1 : shown->percent / PERCENT, bar);
    if (shown->eta_s >= 0) {
        char time[HUMAN_TEXT_BYTES_MAX];
        human_seconds((double)shown->eta_s, time);
        (void)snprintf(left, sizeof(left), ", %s left", time);
    }
    (void)snprintf(line, BAR_BYTES_MAX, "%-11s [%s] %3.0f %%  %s %.1f MB/s%s", range, bar,
                   over ? PERCENT : shown->percent, over ? "publishing" : shown->phase,
                   shown->rate_mb, left);
}

static void draw(struct cluster_show *show)
{
    char lines[BARS_MAX + 1][BAR_BYTES_MAX];
    const char *shown[BARS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < show->run->move_count && count < BARS_MAX; i++) {
        enum run_move_state state = show->run->moves[i].state;
        if (state == RUN_MOVE_RUNNING || state == RUN_MOVE_HANDED_OVER) {
            format_job(show, i, lines[count++]);
        }
    }
    char bar[BAR_CELLS + 1];
    double fraction = cluster_show_fraction(show->plan, show->run, show->watch);
    format_bar(fraction, bar);
    (void)snprintf(lines[count++], BAR_BYTES_MAX, "%-11s [%s] %3.0f %%  %zu of %zu moves", "all",
                   bar, fraction * PERCENT, count_done(show->run), show->run->move_count);
    for (size_t i = 0; i < count; i++) {
        shown[i] = lines[i];
    }
    output_bars(show->output, shown, count);
}

/* --- events ----------------------------------------------------------------------------------- */

static void tell_move(struct cluster_show *show, const char *event, size_t index,
                      const char *detail)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    char from[TOPOLOGY_NAME_BYTES_MAX];
    char to[TOPOLOGY_NAME_BYTES_MAX];
    const struct planner_move *move = &show->plan->moves[index];
    if (show->output->options.json) {
        json_output_cluster_event(event, show->plan, index, detail);
        return;
    }
    if (!show->output->options.quiet) {
        slot_range_format(move->slots, range);
        cluster_show_node(show->plan, move->from, from);
        cluster_show_node(show->plan, move->to, to);
        output_bar_clear(show->output);
        (void)printf("%-11s %s -> %s: %s%s%s\n", range, from, to, event,
                     detail[0] == '\0' ? "" : ": ", detail);
        (void)fflush(stdout);
    }
}

static void tell(struct cluster_show *show, const char *event, const char *detail)
{
    if (show->output->options.json) {
        json_output_cluster_event(event, show->plan, SIZE_MAX, detail);
    } else if (!show->output->options.quiet) {
        output_bar_clear(show->output);
        (void)printf("%s%s%s\n", event, detail[0] == '\0' ? "" : ": ", detail);
        (void)fflush(stdout);
    }
}

void cluster_show_begun(struct cluster_show *show, size_t move)
{
    tell_move(show, "begun", move, "");
}

static void show_move(struct cluster_show *show, size_t index)
{
    const struct run_move *move = &show->run->moves[index];
    if (move->failures > show->failures[index]) {
        tell_move(show, "failed", index, move->reason);
    }
    show->failures[index] = move->failures;
    if (move->state != show->states[index]) {
        bool ended = show->states[index] == RUN_MOVE_RUNNING && move->cancelled &&
                     move->state == RUN_MOVE_WAITING;
        if (move->state == RUN_MOVE_DONE) {
            tell_move(show, show->first ? "done before" : "published", index, "");
        } else if (move->state == RUN_MOVE_HANDED_OVER) {
            tell_move(show, "handed over", index, "");
        } else if (move->state == RUN_MOVE_RUNNING && show->first) {
            tell_move(show, "runs already", index, "");
        } else if (ended) {
            tell_move(show, "cancelled", index, "");
        }
        show->states[index] = move->state;
    }
}

static void show_waiting(struct cluster_show *show, const struct run_round *round)
{
    if (round->order != show->order) {
        tell(show,
             round->order == RUN_ORDER_PAUSE   ? "paused"
             : round->order == RUN_ORDER_ABORT ? "aborting"
                                               : "resumed",
             "");
    }
    if (round->closed != show->closed) {
        tell(show, round->closed ? "outside the window" : "inside the window",
             round->closed ? "no move begins" : "");
    }
    if (show->run->waiting_for != show->waiting_for &&
        show->run->waiting_for < show->run->view_count) {
        tell(show, "waiting for a node that does not answer",
             show->watch->views[show->run->waiting_for].name);
    }
    show->order = round->order;
    show->closed = round->closed;
    show->waiting_for = show->run->waiting_for;
}

/* Without a terminal. */
static void show_figures(struct cluster_show *show, uint64_t now_ms)
{
    if (now_ms - show->progress_ms < FIGURES_MS) {
        return;
    }
    show->progress_ms = now_ms;
    for (size_t i = 0; i < show->run->move_count; i++) {
        const struct watch_progress *progress =
            cluster_show_progress(show->watch, &show->run->moves[i]);
        char text[BAR_BYTES_MAX];
        if (show->run->moves[i].state == RUN_MOVE_RUNNING && progress != NULL) {
            (void)snprintf(text, sizeof(text), "%s, %.0f %%, %.1f MB/s", progress->phase,
                           progress->percent, progress->rate_mb);
            tell_move(show, "progress", i, text);
        }
    }
}

void cluster_show_round(struct cluster_show *show, const struct run_round *round)
{
    show_waiting(show, round);
    for (size_t i = 0; i < show->run->move_count; i++) {
        show_move(show, i);
    }
    show->first = false;
    if (show->output->terminal && !show->output->options.json) {
        draw(show);
    } else {
        show_figures(show, round->now_ms);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status cluster_show_init(struct cluster_show *show, struct output *output,
                                   const struct cluster_plan *plan, const struct cluster_run *run,
                                   const struct cluster_watch *watch, struct haul_error *error)
{
    *show = (struct cluster_show){.output = output,
                                  .plan = plan,
                                  .run = run,
                                  .watch = watch,
                                  .first = true,
                                  .waiting_for = run->view_count};
    show->states = calloc(plan->move_count + 1, sizeof(*show->states));
    show->failures = calloc(plan->move_count + 1, sizeof(*show->failures));
    return show->states != NULL && show->failures != NULL
               ? HAUL_OK
               : haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the display");
}

void cluster_show_fini(struct cluster_show *show)
{
    free(show->states);
    free(show->failures);
}
