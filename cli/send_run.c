/* SPDX-License-Identifier: Apache-2.0 */
/* send_run.c — one loop over all moves of a plan: begin, wait, take the ends. */
#include "send_run.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "control_socket.h"
#include "dry_run.h"
#include "exit_code.h"
#include "hand_overs.h"
#include "json_plan.h"
#include "migration_list.h"
#include "move_log.h"
#include "process_limit.h"
#include "progress.h"
#include "send_show.h"
#include "send_state.h"
#include "shell_word.h"

/* Poll order: a signal, the control socket's descriptors, then the ends of the migrations. */
enum {
    WAIT_SIGNAL,
    WAIT_CONTROL,
    WAIT_ENDS = WAIT_CONTROL + CONTROL_POLL_COUNT,
    WAIT_COUNT = WAIT_ENDS + MIGRATION_LIST_MAX,
    TURN_MS = 200,       /* between two looks at the figures, for the bars */
    TRY_AGAIN_MS = 1000, /* between two attempts to begin while a journal is held */
    PATH_TEXT_BYTES_MAX = 1024,
};

struct run {
    const struct send_options *given;
    const struct send_plan *plan;
    struct haul_store *store;
    struct migration_watch *watch;
    struct output *output;
    struct send_state state;
    struct send_show show;
    struct migration_list running;
    struct move_log *logs;  /* of each move */
    struct haul_rate *rate; /* of all together */
    uint64_t tried_ns;      /* when moves that were held up last got a chance */
    size_t resolves_left;   /* each one ends a job, so they come to an end */
    bool closed;            /* no move begins any more */
};

/* --- the options of a move -------------------------------------------------------------------- */

static void make_options(const struct run *run, size_t index, struct haul_source_options *options)
{
    const struct send_move *move = &run->plan->moves[index];
    send_options_source(run->given, run->store, &run->logs[index].log, options);
    options->to = move->to;
    options->families = move->families.names;
    options->family_count = move->families.count;
    options->metadata_families = move->metadata_families.names;
    options->metadata_family_count = move->metadata_families.count;
    options->ranges = move->ranges.ranges;
    options->range_count = move->ranges.count;
    options->rate = run->rate;
    options->overwrite = move->overwrite_given ? move->overwrite : run->given->overwrite;
}

/* The error of a move, with its name. */
static enum haul_status name_error(const struct run *run, size_t index, const char *prefix,
                                   struct haul_error *error)
{
    struct haul_error bare = *error;
    char move[SEND_PLAN_MOVE_TEXT_BYTES_MAX];
    send_plan_describe(run->plan, index, move);
    haul_error_set(error, bare.status, bare.call, bare.code, "%s%.90s: %.150s", prefix, move,
                   bare.text);
    haul_error_hint(error, "%s", output_hint(&bare));
    return bare.status;
}

/* --- before anything has begun ---------------------------------------------------------------- */

static uint32_t parallel_of(const struct run *run)
{
    return run->given->parallel > 0 ? run->given->parallel : (uint32_t)SEND_PARALLEL_DEFAULT;
}

/* RocksDB ends the process when it gets no thread. */
static enum haul_status check_limits(const struct run *run, struct haul_error *error)
{
    size_t most = parallel_of(run) < run->plan->count ? parallel_of(run) : run->plan->count;
    enum haul_status status = process_limit_check_jobs((uint32_t)most - 1, error);
    if (status != HAUL_OK) {
        haul_error_hint(error, "run fewer jobs at once with --parallel, or raise the limits of "
                               "this process (ulimit -n, -u and -v)");
    }
    return status;
}

static void take_record(struct move_state *move, const struct hand_over *found)
{
    static const enum move_phase phases[] = {[HAND_OVER_NONE] = MOVE_WAITING,
                                             [HAND_OVER_UNCONFIRMED] = MOVE_UNCONFIRMED,
                                             [HAND_OVER_DONE] = MOVE_DONE_BEFORE};
    move->phase = phases[found->state];
    memcpy(move->job, found->job, HAUL_JOB_BYTES);
    (void)snprintf(move->peer, sizeof(move->peer), "%s", found->peer);
}

/* Estimate a move that waits. An estimate that cannot be made is none. */
static void estimate(struct run *run, size_t index, const struct haul_source_options *options)
{
    struct haul_error ignored;
    struct dry_run look;
    if (dry_run_look(options, &look, &ignored) == HAUL_OK) {
        run->state.moves[index].bytes_expected = look.bytes;
    }
    dry_run_fini(&look);
}

static enum haul_status look_at_move(struct run *run, size_t index,
                                     const struct hand_overs *records, struct haul_error *error)
{
    struct haul_source_options options;
    make_options(run, index, &options);
    const struct hand_over found = hand_overs_find(records, &options);
    take_record(&run->state.moves[index], &found);
    if (found.state != HAND_OVER_NONE) {
        return HAUL_OK;
    }
    enum haul_status status = haul_source_check(&options, error);
    if (status != HAUL_OK) {
        error->status = status;
        return name_error(run, index, "", error);
    }
    estimate(run, index, &options);
    return HAUL_OK;
}

static enum haul_status look_at_all(struct run *run, struct haul_error *error)
{
    struct hand_overs records;
    enum haul_status status = hand_overs_read(&records, run->store, run->watch->directory, error);
    for (size_t i = 0; i < run->plan->count && status == HAUL_OK; i++) {
        status = look_at_move(run, i, &records, error);
    }
    run->resolves_left = records.job_count + 1;
    hand_overs_fini(&records);
    return status;
}

/* --- beginning -------------------------------------------------------------------------------- */

static void fail(struct run *run, size_t index, const struct haul_error *error,
                 const struct haul_result *result)
{
    send_state_failed(&run->state, index, error);
    send_show_ended(&run->show, index, result);
    run->closed = run->closed || run->given->stop_on_failure;
}

static bool begin(struct run *run, size_t index, bool resolves)
{
    struct move_state *move = &run->state.moves[index];
    struct haul_source_options options;
    struct haul_error error = {.status = HAUL_OK};
    struct haul_migration *migration = NULL;
    make_options(run, index, &options);
    options.resolve = resolves;
    enum haul_status status = haul_source_start(&options, &migration, &error);
    if (status == HAUL_BUSY && run->running.count > 0) {
        move->block = MOVE_BLOCKED_BY_ANY; /* one of them has a journal that this one needs */
        return false;
    }
    if (status != HAUL_OK) {
        error.status = status;
        fail(run, index, &error, NULL);
        return false;
    }
    move->resolves = resolves;
    send_state_begun(&run->state, index, migration, progress_now_ns());
    migration_list_add_source(&run->running, migration);
    send_show_begun(&run->show, index);
    return true;
}

static bool one_resolves(const struct run *run)
{
    bool resolves = false;
    for (size_t i = 0; i < run->plan->count; i++) {
        const struct move_state *move = &run->state.moves[i];
        resolves = resolves || (move->phase == MOVE_RUNNING && move->resolves);
    }
    return resolves;
}

/* Begin what may begin now. A decided job is finished before anything else runs. */
static void begin_more(struct run *run)
{
    if (one_resolves(run)) {
        return;
    }
    size_t unconfirmed = send_state_first(&run->state, MOVE_UNCONFIRMED);
    while (!run->closed && unconfirmed != SIZE_MAX) {
        if (begin(run, unconfirmed, true)) {
            return;
        }
        unconfirmed = send_state_first(&run->state, MOVE_UNCONFIRMED);
    }
    size_t next = send_state_next(&run->state);
    while (!run->closed && next != SIZE_MAX && run->running.count < parallel_of(run)) {
        (void)begin(run, next, false);
        next = send_state_next(&run->state);
    }
}

/* --- ends ------------------------------------------------------------------------------------- */

/* An earlier `resolve` has ended several jobs, or this move's. */
static void take_again(struct run *run, size_t index, const struct hand_overs *records,
                       const struct haul_result *result)
{
    struct move_state *move = &run->state.moves[index];
    struct haul_source_options options;
    make_options(run, index, &options);
    const struct hand_over found = hand_overs_find(records, &options);
    if (move->phase == MOVE_DONE && found.state == HAND_OVER_DONE) {
        send_show_ended(&run->show, index, result);
        return;
    }
    move->resolves = false;
    take_record(move, &found);
    if (move->phase == MOVE_DONE_BEFORE) {
        send_show_done_before(&run->show, index);
    }
}

/* The record says which moves are finished now: a resolve ends any decided job of its receiver. */
static void end_resolve(struct run *run, size_t index, const struct haul_result *result)
{
    struct hand_overs records;
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = hand_overs_read(&records, run->store, run->watch->directory, &error);
    for (size_t i = 0; i < run->plan->count && status == HAUL_OK; i++) {
        if (i == index || run->state.moves[i].phase == MOVE_UNCONFIRMED) {
            take_again(run, i, &records, result);
        }
    }
    hand_overs_fini(&records);
    run->resolves_left -= run->resolves_left > 0;
    if (status == HAUL_OK && run->resolves_left == 0 &&
        run->state.moves[index].phase == MOVE_UNCONFIRMED) {
        status = haul_error_set(&error, HAUL_IN_DOUBT, NULL, 0,
                                "the receiver does not confirm the hand-over");
    }
    if (status != HAUL_OK) {
        error.status = status;
        fail(run, index, &error, NULL);
    }
}

static void end_failed(struct run *run, size_t index, const struct haul_result *result)
{
    struct haul_error error = result->error;
    error.status = result->status;
    if (error.status == HAUL_BUSY && !run->state.moves[index].resolves && !run->closed &&
        send_state_waits_again(&run->state, index)) {
        send_show_waits(&run->show, index);
        return;
    }
    ended_jobs_put(&run->watch->ended, result);
    fail(run, index, &error, result);
}

static void take_end(struct run *run, size_t index)
{
    struct haul_migration *migration = run->state.moves[index].migration;
    const struct haul_result *result = haul_migration_result(migration);
    migration_list_remove(&run->running, migration);
    send_state_ended(&run->state, index, result, progress_now_ns());
    if (result->status != HAUL_OK) {
        end_failed(run, index, result);
    } else if (run->state.moves[index].resolves) {
        end_resolve(run, index, result);
    } else {
        ended_jobs_put(&run->watch->ended, result);
        send_show_ended(&run->show, index, result);
    }
    haul_migration_destroy(migration);
}

static void look_at_running(struct run *run)
{
    for (size_t i = 0; i < run->plan->count; i++) {
        struct move_state *move = &run->state.moves[i];
        if (move->phase == MOVE_RUNNING && haul_migration_ended(move->migration, 0)) {
            take_end(run, i);
        } else if (move->phase == MOVE_RUNNING) {
            haul_migration_progress(move->migration, &move->figures);
        }
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

static void take_requests(struct run *run)
{
    bool requested = signal_watch_take_request(&run->watch->signals);
    if (signal_watch_number(&run->watch->signals) != 0) {
        run->closed = true;
        migration_list_stop(&run->running);
    } else if (requested) {
        send_show_answer(&run->show);
    }
    run->closed = run->closed || run->watch->control.cancelled;
}

static void wait(struct run *run)
{
    struct pollfd waits[WAIT_COUNT] = {
        [WAIT_SIGNAL] = {.fd = run->watch->signals.wake_fd, .events = POLLIN},
    };
    control_server_wait(&run->watch->control, &waits[WAIT_CONTROL]);
    for (size_t i = 0; i < run->running.count; i++) {
        waits[WAIT_ENDS + i] =
            (struct pollfd){.fd = haul_migration_fd(run->running.items[i]), .events = POLLIN};
    }
    if (poll(waits, WAIT_ENDS + run->running.count, TURN_MS) > 0) {
        control_server_serve(&run->watch->control, &waits[WAIT_CONTROL], &run->running);
    }
}

static void try_again(struct run *run)
{
    uint64_t now_ns = progress_now_ns();
    if (now_ns - run->tried_ns >= (uint64_t)TRY_AGAIN_MS * 1000000) {
        run->tried_ns = now_ns;
        send_state_try_again(&run->state);
    }
}

static void run_moves(struct run *run)
{
    take_requests(run);
    begin_more(run);
    while (run->running.count > 0) {
        send_show_progress(&run->show);
        wait(run);
        take_requests(run);
        look_at_running(run);
        try_again(run);
        begin_more(run);
    }
    output_bar_clear(run->output);
}

/* --- reporting -------------------------------------------------------------------------------- */

static bool is_cancelled(const struct run *run)
{
    return run->watch->control.cancelled;
}

/* Moves that have not begun, and none has failed. */
static enum haul_status explain_rest(const struct run *run, const struct send_totals *totals,
                                     struct haul_error *error)
{
    enum haul_status status = is_cancelled(run) ? HAUL_CANCELLED : HAUL_STOPPED;
    haul_error_set(error, status, NULL, 0, "%s: %zu of %zu moves are done",
                   is_cancelled(run) ? "cancelled by the operator" : "stopped", totals->done,
                   run->plan->count);
    haul_error_hint(error, "the same command continues");
    return status;
}

/* OK: every move has ended well. */
static enum haul_status judge(const struct run *run, const struct send_totals *totals,
                              struct haul_error *error)
{
    char prefix[64];
    size_t first = run->state.first_failed;
    if (totals->done == run->plan->count) {
        return HAUL_OK;
    }
    if (first == SIZE_MAX) {
        return explain_rest(run, totals, error);
    }
    *error = run->state.moves[first].error;
    int exit_code = exit_code_of(error->status, 0);
    if (error->status == HAUL_STOPPED) {
        haul_error_hint(error, "the same command continues");
    } else if (exit_code == EXIT_CODE_TEMPORARY || exit_code == EXIT_CODE_IN_DOUBT) {
        char hint[HAUL_ERROR_HINT_BYTES_MAX];
        (void)snprintf(hint, sizeof(hint), "%s", output_hint(error));
        haul_error_hint(error, "%.200s; the same command continues", hint);
    }
    (void)snprintf(prefix, sizeof(prefix), "%zu of %zu moves are not done, first ",
                   run->plan->count - totals->done, run->plan->count);
    return name_error(run, first, prefix, error);
}

/* What `haul cancel` hears: a move in doubt is more important than one that failed before. */
static void tell_end(const struct run *run, enum haul_status status, const struct haul_error *error)
{
    struct control_end end = {.error = *error, .had_job = true};
    end.error.status = status != HAUL_OK && is_cancelled(run) ? HAUL_CANCELLED : status;
    for (size_t i = 0; i < run->plan->count; i++) {
        const struct move_state *move = &run->state.moves[i];
        if (move->phase == MOVE_FAILED && move->error.status == HAUL_IN_DOUBT) {
            end.error = move->error;
        }
    }
    control_server_tell_end(&run->watch->control, &end);
}

static void print_copies(struct run *run)
{
    char word[PATH_TEXT_BYTES_MAX];
    migration_run_look_at_copy(run->watch);
    (void)shell_word(run->watch->directory, "DIR", word, sizeof(word));
    if (run->watch->no_drop[0] == '\0') {
        (void)printf("the receivers own them now; the copies here stay until `haul drop --db %s` "
                     "deletes them\n",
                     word);
    } else {
        (void)printf("the receivers own them now; the copies here stay until the program of this "
                     "database deletes them: `haul drop --db %s` cannot open it, %s\n",
                     word, run->watch->no_drop);
    }
}

static int report(struct run *run)
{
    struct haul_error error = {.status = HAUL_OK};
    struct send_totals totals;
    send_state_totals(&run->state, &totals);
    enum haul_status status = judge(run, &totals, &error);
    int exit_code = exit_code_of(status, signal_watch_number(&run->watch->signals));
    error.status = status;
    tell_end(run, status, &error);
    if (run->output->options.json) {
        json_plan_document(&run->state, false, &error, exit_code);
    } else {
        send_show_summary(&run->show);
        if (!run->output->options.quiet && totals.done > totals.done_before) {
            print_copies(run);
        }
    }
    if (status != HAUL_OK) {
        output_error(run->output, &error);
    }
    return exit_code;
}

static int refused(struct run *run, enum haul_status status, struct haul_error *error)
{
    error->status = status;
    tell_end(run, status, error);
    return command_failed(status, error, signal_watch_number(&run->watch->signals), run->output);
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status open_run(struct run *run, struct haul_error *error)
{
    enum haul_status status = send_state_init(&run->state, run->plan, progress_now_ns(), error);
    run->logs = calloc(run->plan->count, sizeof(*run->logs));
    if (status == HAUL_OK && run->logs == NULL) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the moves");
    }
    if (status == HAUL_OK) {
        status = haul_rate_create(run->given->rate_bytes_per_second, &run->rate, error);
    }
    for (size_t i = 0; i < run->plan->count && status == HAUL_OK; i++) {
        move_log_init(&run->logs[i], i, &run->output->log);
    }
    send_show_init(&run->show, run->output, &run->state);
    return status;
}

static int run_plan(struct run *run)
{
    for (size_t i = 0; i < run->plan->count; i++) {
        if (run->state.moves[i].phase == MOVE_DONE_BEFORE) {
            send_show_done_before(&run->show, i);
        }
    }
    run_moves(run);
    return report(run);
}

static int tell_dry_run(struct run *run)
{
    struct haul_error none = {.status = HAUL_OK};
    if (run->output->options.json) {
        json_plan_document(&run->state, true, &none, EXIT_CODE_OK);
    } else {
        send_show_dry_run(&run->show);
    }
    return EXIT_CODE_OK;
}

int send_run(struct haul_store *store, const void *work, struct migration_watch *watch,
             struct output *output)
{
    const struct send_work *of = work;
    struct haul_error error = {.status = HAUL_OK};
    struct run run = {
        .given = of->given, .plan = of->plan, .store = store, .watch = watch, .output = output};
    enum haul_status status = open_run(&run, &error);
    if (status == HAUL_OK) {
        status = look_at_all(&run, &error);
    }
    if (status == HAUL_OK && !run.given->dry_run) {
        status = check_limits(&run, &error);
    }
    int exit_code = status != HAUL_OK    ? refused(&run, status, &error)
                    : run.given->dry_run ? tell_dry_run(&run)
                                         : run_plan(&run);
    haul_rate_destroy(run.rate);
    free(run.logs);
    send_state_fini(&run.state);
    return exit_code;
}
