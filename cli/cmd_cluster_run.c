/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cluster_run.c — `haul cluster run`: carries out a plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_commands.h"
#include "cluster_drive.h"
#include "cluster_show.h"
#include "exit_code.h"
#include "json_output.h"
#include "run_control.h"

struct run_options {
    struct output_options output;
    struct cluster_options cluster;
    struct day_window window;
    uint32_t parallel_max;
    uint64_t rate;
    uint64_t rate_total;
    const char *controller;
    bool no_probe;
    bool dry_run;
    const char *plan;
};

#define AT(parser, member) OPTION_AT(parser, struct run_options, member)

static const struct option_rule rules[] = {
    CLUSTER_RULES(struct run_options),
    {.name = "parallel",
     .value_name = "N",
     .help = "at most so many moves at once in the cluster (default: as many as its nodes\n"
             "take, one each)",
     .group = "Moves",
     AT(option_u32, parallel_max),
     .min = 1,
     .max = TOPOLOGY_NODE_COUNT_MAX},
    {.name = "rate",
     .value_name = "SIZE",
     .help = "bytes a second that one node may send, rounded up to whole MB (2^20); 'haul\n"
             "cluster rate' changes it while the plan runs (default: the nodes' own limits)",
     AT(option_size_u64, rate),
     .min = 1,
     .max = UINT64_C(1) << 50},
    {.name = "rate-total",
     .value_name = "SIZE",
     .help = "bytes a second of all moves together",
     AT(option_size_u64, rate_total),
     .min = 1,
     .max = UINT64_C(1) << 50},
    {.name = "window",
     .value_name = "HH:MM-HH:MM",
     .help = "moves begin only in these hours, by this host's local time; those that run\n"
             "come to their end",
     AT(option_window, window)},
    {.name = "controller",
     .value_name = "URL",
     .help = "kvrocks-controller's URL of the cluster: it begins moves and publishes them;\n"
             "later commands for this plan use it, too, until --controller ''",
     AT(option_text, controller)},
    {.name = "no-probe",
     .help = "do not measure the lines between the nodes before the first move",
     AT(option_flag, no_probe)},
    {.name = "dry-run",
     .help = "print the commands that would be sent; change nothing",
     AT(option_flag, dry_run)},
    OUTPUT_OPTION_RULES,
    {.value_name = "PLAN",
     .help = "a file of 'haul cluster plan'",
     .group = "What",
     AT(option_text, plan)},
};

/* --- --dry-run -------------------------------------------------------------------------------- */

static void print_command(FILE *file, const struct drive *drive, const struct run_command *command,
                          const struct topology *topology)
{
    struct watch_words words;
    struct haul_error ignored;
    if (cluster_watch_words(command, drive->run->moves, topology, &words, &ignored) != HAUL_OK) {
        return;
    }
    (void)fprintf(file, "%s:", drive->watch->views[command->node].name);
    for (size_t i = 0; i < words.count; i++) {
        (void)fprintf(file, " %s",
                      words.words[i] == words.text && words.text != NULL ? "<topology>"
                                                                         : words.words[i]);
    }
    (void)fprintf(file, "\n");
    free(words.text);
}

/* The commands of one move, as cluster_run.h orders them. */
static void print_move(FILE *file, const struct drive *drive, size_t index, int64_t version)
{
    const struct run_move *move = &drive->run->moves[index];
    size_t from = cluster_watch_find(drive->watch, move->from);
    size_t to = cluster_watch_find(drive->watch, move->to);
    if (drive->controller != NULL) {
        char range[TOPOLOGY_RANGE_BYTES_MAX];
        slot_range_format(move->slots, range);
        (void)fprintf(file, "the controller: move slots %s to the shard of %s\n", range,
                      drive->watch->views[to].name);
        return;
    }
    if (move->state == RUN_MOVE_WAITING) {
        print_command(file, drive, &(struct run_command){RUN_MIGRATE, from, index, 0}, NULL);
    }
    print_command(file, drive, &(struct run_command){RUN_SETSLOT, to, index, version}, NULL);
    struct run_command spread = {RUN_SETNODES, from, index, version};
    print_command(file, drive, &spread, drive->run->topology);
    for (size_t i = 0; i < drive->watch->count; i++) {
        spread.node = i;
        if (i != from && i != to) {
            print_command(file, drive, &spread, drive->run->topology);
        }
    }
}

/* One move after the other, although several may run at once. */
static enum haul_status print_moves(FILE *file, const struct drive_options *options,
                                    struct haul_error *error)
{
    struct drive drive = {0};
    enum haul_status status = cluster_drive_open(&drive, options, false, error);
    if (status == HAUL_OK) {
        status = cluster_drive_look(&drive, error);
    }
    if (status == HAUL_OK && drive.run->stop.status != HAUL_OK) {
        *error = drive.run->stop;
        status = error->status;
    }
    int64_t version = status == HAUL_OK ? drive.run->topology->version : 0;
    for (size_t i = 0; status == HAUL_OK && i < drive.run->move_count; i++) {
        if (drive.run->moves[i].state != RUN_MOVE_DONE) {
            print_move(file, &drive, i, ++version);
        }
    }
    cluster_drive_close(&drive, options->cluster);
    return status;
}

static enum haul_status dry_run(const struct drive_options *options, const struct output *output,
                                struct haul_error *error)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&lines, &size);
    enum haul_status status = file == NULL ? HAUL_NO_MEMORY : print_moves(file, options, error);
    bool complete = file != NULL && fclose(file) == 0;
    if (status == HAUL_NO_MEMORY || (status == HAUL_OK && !complete)) {
        status = haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the commands");
    } else if (status == HAUL_OK && output->options.json) {
        json_output_cluster_commands(lines);
    } else if (status == HAUL_OK) {
        (void)fputs(lines, stdout);
    }
    free(lines);
    return status;
}

/* --- the run ---------------------------------------------------------------------------------- */

/* Before it is remembered. */
static enum haul_status check_controller(const struct run_options *options,
                                         struct haul_error *error)
{
    struct controller *controller = NULL;
    enum haul_status status = controller_open(
        options->controller, options->cluster.access.timeout_ms, &controller, error);
    if (status == HAUL_OK) {
        status = controller_check(controller, error);
    }
    controller_close(controller);
    return status;
}

/* What this command line has replaces what an earlier one had. */
static enum haul_status set_control(const struct run_options *options, struct haul_error *error)
{
    struct run_control control;
    enum haul_status status = run_control_read(options->plan, &control, error);
    bool limits = options->rate > 0 || options->rate_total > 0;
    if (status != HAUL_OK || (!limits && options->controller == NULL)) {
        return status;
    }
    if (limits) {
        control.limits = true;
        control.node_mb = (options->rate + CLUSTER_RATE_UNIT - 1) / CLUSTER_RATE_UNIT;
        control.total_mb = (options->rate_total + CLUSTER_RATE_UNIT - 1) / CLUSTER_RATE_UNIT;
    }
    if (options->controller != NULL) {
        if (strlen(options->controller) >= sizeof(control.controller)) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0, "--controller is too long");
        }
        status = options->controller[0] == '\0' ? HAUL_OK : check_controller(options, error);
        if (status != HAUL_OK) {
            return status;
        }
        memcpy(control.controller, options->controller, strlen(options->controller) + 1);
    }
    return run_control_write(options->plan, &control, error);
}

static void report_abort(const struct output *output)
{
    if (output->options.json) {
        json_output_cluster_order(output->command, false);
    } else if (!output->options.quiet) {
        (void)printf("aborted: no move runs any more\n");
    }
}

int cmd_cluster_drive(const struct drive_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct drive drive = {0};
    int signal_number = 0;
    enum haul_status status = cluster_drive_open(&drive, options, true, &error);
    if (status == HAUL_OK) {
        status = cluster_drive_run(&drive, options, output, &signal_number, &error);
    }
    int exit_code = EXIT_CODE_OK;
    if (status == HAUL_CANCELLED && options->aborts) {
        report_abort(output);
    } else if (status != HAUL_OK) {
        exit_code = command_failed(status, &error, signal_number, output);
    } else if (output->options.json) {
        json_output_cluster_run(drive.plan);
    } else if (!output->options.quiet) {
        (void)printf("every move is done, and every node has version %lld of the topology\n",
                     (long long)drive.run->topology->version);
    }
    cluster_drive_close(&drive, options->cluster);
    return exit_code;
}

static int run(struct run_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct drive_options drive = {
        options->plan, &options->cluster, options->parallel_max, options->window,
        false,         options->no_probe};
    enum haul_status status =
        options->dry_run ? dry_run(&drive, output, &error) : set_control(options, &error);
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    return options->dry_run ? EXIT_CODE_OK : cmd_cluster_drive(&drive, output);
}

static int run_run(const struct command *command, int argc, char **argv)
{
    struct run_options options = {.cluster.access.timeout_ms = CLUSTER_TIMEOUT_MS_DEFAULT};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code = options.plan == NULL ? command_missing("PLAN", &output) : run(&options, &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_cluster_run = {
    .name = "cluster run",
    .summary = "carry out a plan",
    .synopsis = "[options] PLAN",
    .details =
        "Begins each move at its source, waits for the hand-over, and publishes it: at the\n"
        "destination, then at the source, then at all other nodes, replicas too. A node takes\n"
        "part in one move at once. Before the first, each source measures its lines (HAUL\n"
        "PROBE): one to three seconds a line. The command may be killed and started again at any "
        "moment:\n"
        "it continues from what the nodes say.\n"
        "\n"
        "A move that fails three times, a node that does not answer, or a topology that\n"
        "somebody else changes stops the run: no move begins any more, those that run come to\n"
        "their end, and the last line says what to do next. Run it again after that.\n"
        "\n"
        "For a cluster that kvrocks-controller runs, name it with --controller: then it begins\n"
        "and publishes the moves, and this command publishes nothing. (HAUL CANCEL and limits\n"
        "still go to the nodes.)\n"
        "\n"
        "Examples:\n"
        "  haul cluster run plan.json\n"
        "  haul cluster run --parallel 2 --rate 50M --window 22:00-06:00 plan.json\n"
        "  haul cluster run --dry-run plan.json\n"
        "  haul cluster run plan.json --controller \\\n"
        "      http://10.0.0.5:9379/api/v1/namespaces/prod/clusters/main\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_run,
};
