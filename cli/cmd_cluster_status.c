/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cluster_status.c — `haul cluster status`: where each move of a plan is. */
#include <stdio.h>
#include <stdlib.h>

#include "cluster_commands.h"
#include "cluster_drive.h"
#include "cluster_show.h"
#include "exit_code.h"
#include "json_output.h"
#include "run_control.h"

struct status_options {
    struct output_options output;
    struct cluster_options cluster;
    const char *plan;
};

#define AT(parser, member) OPTION_AT(parser, struct status_options, member)

static const struct option_rule rules[] = {
    CLUSTER_RULES(struct status_options),
    OUTPUT_OPTION_RULES,
    {.value_name = "PLAN",
     .help = "the file of 'haul cluster run'",
     .group = "What",
     AT(option_text, plan)},
};

static void print_move(const struct drive *drive, size_t index)
{
    const struct run_move *move = &drive->run->moves[index];
    const struct planner_move *planned = &drive->plan->moves[index];
    const struct watch_progress *progress = cluster_show_progress(drive->watch, move);
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    char from[TOPOLOGY_NAME_BYTES_MAX];
    char to[TOPOLOGY_NAME_BYTES_MAX];
    char figures[64] = "";
    slot_range_format(move->slots, range);
    cluster_show_node(drive->plan, planned->from, from);
    cluster_show_node(drive->plan, planned->to, to);
    if (move->state == RUN_MOVE_RUNNING && progress != NULL) {
        (void)snprintf(figures, sizeof(figures), "%s, %.0f %%, %.1f MB/s",
                       progress->phase[0] == '\0' ? "begins" : progress->phase, progress->percent,
                       progress->rate_mb);
    }
    (void)printf("%-12s %-24s %-24s %-12s %s\n", range, from, to, cluster_show_state(move->state),
                 figures);
}

static void print_status(const struct drive *drive, const struct run_control *control, bool running)
{
    (void)printf("%-12s %-24s %-24s %-12s\n", "slots", "from", "to", "state");
    for (size_t i = 0; i < drive->run->move_count; i++) {
        print_move(drive, i);
    }
    for (size_t i = 0; i < drive->watch->count; i++) {
        if (!drive->watch->views[i].answers) {
            (void)printf("%s does not answer\n", drive->watch->views[i].name);
        }
    }
    (void)printf("%.0f %% moved; order: %s; %s\n",
                 100 * cluster_show_fraction(drive->plan, drive->run, drive->watch),
                 run_order_name(control->order),
                 running ? "a process runs the plan" : "nobody runs the plan");
}

/* The first one; OK: all nodes answer. */
static enum haul_status silent_node(const struct drive *drive, struct haul_error *error)
{
    for (size_t i = 0; i < drive->watch->count; i++) {
        if (!drive->watch->views[i].answers) {
            haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "%s does not answer",
                           drive->watch->views[i].name);
            haul_error_hint(error, "where its moves are is only known when it does");
            return HAUL_UNREACHABLE;
        }
    }
    return HAUL_OK;
}

static void print_json(const struct drive *drive, const struct run_control *control, bool running,
                       struct output *output, int *exit_code)
{
    const char **states = calloc(drive->run->move_count + 1, sizeof(*states));
    struct haul_error error = {.status = HAUL_OK};
    if (states == NULL) {
        haul_error_set(&error, HAUL_NO_MEMORY, NULL, 0, "no memory for the states");
        *exit_code = command_failed(HAUL_NO_MEMORY, &error, 0, output);
        return;
    }
    for (size_t i = 0; i < drive->run->move_count; i++) {
        states[i] = cluster_show_state(drive->run->moves[i].state);
    }
    *exit_code = exit_code_of(silent_node(drive, &error), 0);
    json_output_cluster_status(drive->plan, states, drive->watch, run_order_name(control->order),
                               running, &error, *exit_code);
    free(states);
}

static int show_status(struct status_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct drive_options drive_options = {.plan = options->plan, .cluster = &options->cluster};
    struct drive drive = {0};
    struct run_control control;
    enum haul_status status = run_control_read(options->plan, &control, &error);
    if (status == HAUL_OK) {
        status = cluster_drive_open(&drive, &drive_options, false, &error);
    }
    if (status == HAUL_OK) {
        status = cluster_drive_look(&drive, &error);
    }
    if (status == HAUL_OK && drive.run->stop.status != HAUL_OK) {
        error = drive.run->stop;
        status = error.status;
    }
    int exit_code = EXIT_CODE_OK;
    if (status != HAUL_OK) {
        exit_code = command_failed(status, &error, 0, output);
    } else if (output->options.json) {
        print_json(&drive, &control, run_control_is_locked(options->plan), output, &exit_code);
    } else {
        print_status(&drive, &control, run_control_is_locked(options->plan));
        status = silent_node(&drive, &error);
        exit_code = status == HAUL_OK ? exit_code : command_failed(status, &error, 0, output);
    }
    cluster_drive_close(&drive, &options->cluster);
    return exit_code;
}

static int run_status(const struct command *command, int argc, char **argv)
{
    struct status_options options = {.cluster.access.timeout_ms = CLUSTER_TIMEOUT_MS_DEFAULT};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code =
        options.plan == NULL ? command_missing("PLAN", &output) : show_status(&options, &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_cluster_status = {
    .name = "cluster status",
    .summary = "where each move of a plan is",
    .synopsis = "[options] PLAN",
    .details = "Asks the nodes: what they say counts, whether a process runs the plan or not.\n"
               "Nothing is changed. Exit code 0, unless the plan does not fit the cluster any\n"
               "more, or nodes do not answer.\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_status,
};
