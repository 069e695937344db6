/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_drive.c — the loop around cluster_run: ask, step, send. A round that changed something
 * is followed by the next at once, because its effect is to be seen; others by a pause. */
#include "cluster_drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster_lines.h"
#include "cluster_show.h"
#include "discovery.h"
#include "log_time.h"
#include "progress.h"
#include "run_control.h"
#include "signal_watch.h"

enum { ROUND_MS = 500, NAP_MS = 50, CONTROLLER_PING_MS = 3000, CONTROLLER_SILENCE_MS_MAX = 15000 };

static uint64_t now_ms(void)
{
    return progress_now_ns() / 1000000;
}

static void nap(void)
{
    struct timespec time = {.tv_nsec = NAP_MS * 1000000L};
    (void)nanosleep(&time, NULL);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* "HOST:PORT,...", for free(); NULL: no memory. */
static char *seeds_of(const struct cluster_plan *plan)
{
    size_t size = plan->node_count * (TOPOLOGY_NAME_BYTES_MAX + 1) + 1;
    char *seeds = calloc(1, size);
    size_t used = 0;
    for (size_t i = 0; seeds != NULL && i < plan->node_count; i++) {
        char name[TOPOLOGY_NAME_BYTES_MAX];
        cluster_show_node(plan, i, name);
        used += (size_t)snprintf(seeds + used, size - used, "%s%s", i == 0 ? "" : ",", name);
    }
    return seeds;
}

static bool is_source(const struct cluster_plan *plan, const struct node_facts *facts)
{
    const char *id = facts->topology->nodes[facts->topology->self].id;
    for (size_t i = 0; i < plan->move_count; i++) {
        if (strcmp(plan->nodes[plan->moves[i].from].id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* What a run relies on: hand-overs that outlive restarts and new versions of the topology. */
static enum haul_status check_node(const struct cluster_plan *plan, const struct node_facts *facts,
                                   struct haul_error *error)
{
    const struct topology *topology = facts->topology;
    if (facts->error.status != HAUL_OK || facts->is_replica || topology == NULL ||
        topology->self == topology->node_count) {
        return HAUL_OK;
    }
    if (!facts->has_haul || facts->replicates_by_tls) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "%s %s", facts->name,
                       facts->has_haul ? "has tls-replication, which haul refuses"
                                       : "does not know haul");
        haul_error_hint(error, "haul cluster check names the remedy");
        return HAUL_UNSUPPORTED;
    }
    if (!facts->uses_haul && is_source(plan, facts)) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "%s has migrate-transport redis",
                       facts->name);
        haul_error_hint(error, "CONFIG SET migrate-transport haul there, and CONFIG REWRITE");
        return HAUL_UNSUPPORTED;
    }
    return HAUL_OK;
}

static enum haul_status reach_nodes(struct drive *drive, const struct drive_options *options,
                                    struct haul_error *error)
{
    struct node_facts_list list = {NULL, 0};
    char *seeds = seeds_of(drive->plan);
    const char *nodes = options->cluster->nodes != NULL ? options->cluster->nodes : seeds;
    enum haul_status status =
        nodes == NULL ? haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the nodes")
                      : discovery_run(nodes, &options->cluster->access, &list, error);
    for (size_t i = 0; i < list.count && status == HAUL_OK; i++) {
        status = check_node(drive->plan, &list.nodes[i], error);
    }
    if (status == HAUL_OK) {
        status = cluster_watch_open(&list, &options->cluster->access, &drive->watch, error);
    }
    node_facts_list_fini(&list);
    free(seeds);
    return status;
}

/* The controller that the run was told of, in this process or an earlier one. */
static enum haul_status reach_controller(struct drive *drive, const struct drive_options *options,
                                         struct haul_error *error)
{
    struct run_control control;
    int shard = 0;
    enum haul_status status = run_control_read(options->plan, &control, error);
    if (status != HAUL_OK || control.controller[0] == '\0') {
        return status;
    }
    drive->run->controlled = true;
    status = controller_open(control.controller, options->cluster->access.timeout_ms,
                             &drive->controller, error);
    for (size_t i = 0; status == HAUL_OK && i < drive->run->move_count; i++) {
        status = controller_find_shard(drive->controller, drive->run->moves[i].to, &shard, error);
    }
    drive->controller_ms = drive->ping_ms = now_ms();
    return status;
}

enum haul_status cluster_drive_open(struct drive *drive, const struct drive_options *options,
                                    bool locks, struct haul_error *error)
{
    enum haul_status status = plan_file_read(options->plan, &drive->plan, error);
    if (status == HAUL_OK && locks) {
        status = run_control_lock(options->plan, &drive->lock_fd, error);
        drive->locked = status == HAUL_OK;
    }
    if (status == HAUL_OK) {
        status = cluster_options_open(options->cluster, error);
    }
    if (status == HAUL_OK) {
        status = reach_nodes(drive, options, error);
    }
    if (status == HAUL_OK) {
        status = cluster_run_create(drive->plan, drive->watch->count, options->parallel_max,
                                    &drive->run, error);
    }
    if (status == HAUL_OK) {
        status = reach_controller(drive, options, error);
    }
    return status;
}

void cluster_drive_close(struct drive *drive, struct cluster_options *options)
{
    controller_close(drive->controller);
    cluster_run_destroy(drive->run);
    cluster_watch_close(drive->watch);
    plan_file_destroy(drive->plan);
    cluster_options_close(options);
    if (drive->locked) {
        (void)close(drive->lock_fd);
    }
}

/* --- a round ---------------------------------------------------------------------------------- */

enum haul_status cluster_drive_look(struct drive *drive, struct haul_error *error)
{
    cluster_watch_ask(drive->watch);
    struct run_round round = {.views = drive->watch->views,
                              .count = drive->watch->count,
                              .order = RUN_ORDER_PAUSE,
                              .now_ms = now_ms()};
    enum haul_status status = cluster_run_step(drive->run, &round, error);
    return status == HAUL_OK && drive->run->topology == NULL && drive->run->stop.status == HAUL_OK
               ? haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "no node answers any more")
               : status;
}

/* The limit of every source that moves slots, or is about to. */
static void set_limits(struct drive *drive, const struct run_control *control)
{
    struct haul_error ignored; /* the next round tries again */
    size_t jobs = 0;
    for (int pass = 0; pass < 2 && control->limits; pass++) {
        for (size_t i = 0; i < drive->watch->count; i++) {
            const struct run_view *view = &drive->watch->views[i];
            bool sends = view->answers && view->job == RUN_JOB_START;
            for (size_t k = 0; k < drive->run->command_count; k++) {
                const struct run_command *command = &drive->run->commands[k];
                sends |= command->kind == RUN_MIGRATE && command->node == i;
            }
            jobs += pass == 0 && sends;
            if (pass == 1 && sends) {
                (void)!cluster_watch_limit(
                    drive->watch, i,
                    cluster_watch_share_mb(control->node_mb, control->total_mb, jobs), &ignored);
            }
        }
    }
}

/* Errors: UNREACHABLE: the controller has not answered for long. */
static enum haul_status ping_controller(struct drive *drive, struct haul_error *error)
{
    int shard = 0;
    uint64_t now = now_ms();
    if (drive->controller == NULL || drive->run->move_count == 0 ||
        now - drive->ping_ms < CONTROLLER_PING_MS) {
        return HAUL_OK;
    }
    drive->ping_ms = now;
    enum haul_status status =
        controller_find_shard(drive->controller, drive->run->moves[0].to, &shard, error);
    if (status != HAUL_UNREACHABLE) {
        drive->controller_ms = now;
    } else if (now - drive->controller_ms >= CONTROLLER_SILENCE_MS_MAX) {
        haul_error_hint(error, "start it, then run the plan again; jobs that run go on in their "
                               "nodes, and are published when it is back");
        return HAUL_UNREACHABLE;
    }
    return HAUL_OK;
}

static enum haul_status send_command(struct drive *drive, const struct run_command *command,
                                     const struct topology *newest, struct haul_error *error)
{
    const struct run_move *moves = drive->run->moves;
    int shard = 0;
    if (drive->controller == NULL || command->kind != RUN_MIGRATE) {
        return cluster_watch_send(drive->watch, command, moves, newest, error);
    }
    const struct run_move *move = &moves[command->move];
    enum haul_status status = controller_find_shard(drive->controller, move->to, &shard, error);
    return status == HAUL_OK ? controller_migrate(drive->controller, move->slots, shard, error)
                             : status;
}

/* Did a command change anything? */
static bool send_commands(struct drive *drive, const struct run_round *round,
                          struct cluster_show *show, struct output *output)
{
    bool changed = false;
    const struct topology *newest = cluster_run_newest(round);
    for (size_t i = 0; i < drive->run->command_count; i++) {
        struct run_command command = drive->run->commands[i];
        struct haul_error error = {.status = HAUL_OK};
        enum haul_status status = send_command(drive, &command, newest, &error);
        changed |= status == HAUL_OK;
        if (status == HAUL_OK && command.kind == RUN_MIGRATE) {
            cluster_show_begun(show, command.move);
        } else if (status != HAUL_OK) {
            bool away = drive->controller != NULL && status == HAUL_UNREACHABLE;
            cluster_run_refused(drive->run, &command, round->now_ms, status == HAUL_REFUSED,
                                away ? NULL : error.text);
            haul_log(&output->log, HAUL_LOG_INFO, "%s: %s", drive->watch->views[command.node].name,
                     error.text);
        }
    }
    return changed;
}

/* Until the next round is due, or a signal comes. */
static void rest(const struct drive *drive, struct signal_watch *signals, uint64_t began_ms)
{
    while (!drive->changed && now_ms() - began_ms < ROUND_MS && signal_watch_number(signals) == 0) {
        nap();
    }
}

/* Before a move begins, the lines are measured; what runs is published meanwhile. */
static bool measures_first(const struct drive *drive, const struct drive_options *options,
                           const struct run_round *round)
{
    return !options->no_probe && !drive->measured && round->order == RUN_ORDER_RUN &&
           !round->closed;
}

static enum haul_status do_round(struct drive *drive, const struct drive_options *options,
                                 struct cluster_show *show, struct output *output,
                                 struct signal_watch *signals, struct haul_error *error)
{
    struct run_control control = {.order = RUN_ORDER_RUN};
    enum haul_status status = run_control_read(options->plan, &control, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = ping_controller(drive, error);
    if (status != HAUL_OK) {
        return status;
    }
    drive->changed = false;
    cluster_watch_ask(drive->watch);
    struct run_round round = {.views = drive->watch->views,
                              .count = drive->watch->count,
                              .order = control.order,
                              .closed = !day_window_is_open(&options->window, log_time_minute()),
                              .now_ms = now_ms()};
    struct run_round shown = round;
    bool measures = measures_first(drive, options, &round);
    round.order = measures ? RUN_ORDER_PAUSE : round.order;
    status = cluster_run_step(drive->run, &round, error);
    if (status == HAUL_OK) {
        cluster_show_round(show, &shown);
        set_limits(drive, &control);
        drive->changed = send_commands(drive, &round, show, output);
    }
    if (status == HAUL_OK && measures && drive->run->command_count == 0 && !drive->run->ended) {
        cluster_lines_measure(drive, &control, signals, output);
        drive->measured = true;
    }
    return status;
}

static enum haul_status do_rounds(struct drive *drive, const struct drive_options *options,
                                  struct output *output, struct signal_watch *signals,
                                  struct haul_error *error)
{
    struct cluster_show show;
    enum haul_status status =
        cluster_show_init(&show, output, drive->plan, drive->run, drive->watch, error);
    while (status == HAUL_OK && !drive->run->ended && signal_watch_number(signals) == 0) {
        uint64_t began_ms = now_ms();
        status = do_round(drive, options, &show, output, signals, error);
        if (!drive->run->ended) {
            rest(drive, signals, began_ms);
        }
    }
    output_bar_clear(output);
    cluster_show_fini(&show);
    return status;
}

enum haul_status cluster_drive_run(struct drive *drive, const struct drive_options *options,
                                   struct output *output, int *signal_number,
                                   struct haul_error *error)
{
    struct signal_watch signals;
    enum haul_status status = signal_watch_init(&signals, output, error);
    if (status != HAUL_OK) {
        return status;
    }
    signal_watch_set_polled(&signals);
    status = do_rounds(drive, options, output, &signals, error);
    *signal_number = signal_watch_number(&signals);
    signal_watch_fini(&signals);
    if (status == HAUL_OK && drive->run->ended && drive->run->stop.status != HAUL_OK) {
        *error = drive->run->stop;
        status = error->status;
    } else if (status == HAUL_OK && !drive->run->ended) {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped by a signal");
        haul_error_hint(error, "jobs that run go on in their nodes; run the plan again, and it "
                               "continues");
        status = HAUL_STOPPED;
    }
    return status;
}
