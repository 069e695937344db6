/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cluster_order.c — `haul cluster pause`, `resume`, `abort` and `rate`: leave an order beside
 * the plan, which the running process reads within a second. */
#include <stdio.h>

#include "cluster_commands.h"
#include "cluster_drive.h"
#include "exit_code.h"
#include "json_output.h"
#include "run_control.h"

struct order_options {
    struct output_options output;
    struct cluster_options cluster;
    uint64_t rate;
    uint64_t rate_total;
    const char *plan;
};

#define AT(parser, member) OPTION_AT(parser, struct order_options, member)

#define PLAN_RULE                                                                        \
    {                                                                                    \
        .value_name = "PLAN", .help = "the file of 'haul cluster run'", .group = "What", \
        AT(option_text, plan)                                                            \
    }

static const struct option_rule order_rules[] = {OUTPUT_OPTION_RULES, PLAN_RULE};
static const struct option_rule abort_rules[] = {CLUSTER_RULES(struct order_options),
                                                 OUTPUT_OPTION_RULES, PLAN_RULE};
static const struct option_rule rate_rules[] = {
    {.name = "rate",
     .value_name = "SIZE",
     .help = "bytes a second that one node may send, rounded up to whole MB (2^20); 0: no limit",
     .group = "Limits (one that is not given ends)",
     AT(option_size_u64, rate),
     .max = UINT64_C(1) << 50},
    {.name = "rate-total",
     .value_name = "SIZE",
     .help = "bytes a second of all moves together; 0: no limit",
     AT(option_size_u64, rate_total),
     .max = UINT64_C(1) << 50},
    OUTPUT_OPTION_RULES,
    PLAN_RULE,
};

static enum haul_status write_order(const struct order_options *options,
                                    const enum run_order *order, struct haul_error *error)
{
    struct run_control control;
    struct cluster_plan *plan = NULL;
    enum haul_status status = plan_file_read(options->plan, &plan, error);
    plan_file_destroy(plan);
    if (status == HAUL_OK) {
        status = run_control_read(options->plan, &control, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (order != NULL) {
        control.order = *order;
    } else {
        control.limits = true;
        control.node_mb = (options->rate + CLUSTER_RATE_UNIT - 1) / CLUSTER_RATE_UNIT;
        control.total_mb = (options->rate_total + CLUSTER_RATE_UNIT - 1) / CLUSTER_RATE_UNIT;
    }
    return run_control_write(options->plan, &control, error);
}

/* `order` NULL: limits. */
static int give_order(const struct order_options *options, const enum run_order *order,
                      struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = write_order(options, order, &error);
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    bool running = run_control_is_locked(options->plan);
    if (output->options.json) {
        json_output_cluster_order(output->command, running);
    } else if (!output->options.quiet) {
        (void)printf("%s\n", running ? "the running process follows within a second"
                                     : "nobody runs the plan now: haul cluster run follows it");
    }
    return EXIT_CODE_OK;
}

/* Without a running process this one has to cancel and publish what is under way. */
static int abort_plan(struct order_options *options, struct output *output)
{
    enum run_order order = RUN_ORDER_ABORT;
    struct drive_options drive = {
        .plan = options->plan, .cluster = &options->cluster, .aborts = true};
    if (options->plan == NULL || run_control_is_locked(options->plan)) {
        return give_order(options, &order, output);
    }
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = write_order(options, &order, &error);
    return status == HAUL_OK ? cmd_cluster_drive(&drive, output)
                             : command_failed(status, &error, 0, output);
}

static int run_order(const struct command *command, int argc, char **argv)
{
    struct order_options options = {.cluster.access.timeout_ms = CLUSTER_TIMEOUT_MS_DEFAULT};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    enum run_order order = command == &command_cluster_pause ? RUN_ORDER_PAUSE : RUN_ORDER_RUN;
    if (options.plan == NULL) {
        exit_code = command_missing("PLAN", &output);
    } else if (command == &command_cluster_abort) {
        exit_code = abort_plan(&options, &output);
    } else {
        exit_code = give_order(&options, command == &command_cluster_rate ? NULL : &order, &output);
    }
    output_fini(&output);
    return exit_code;
}

const struct command command_cluster_pause = {
    .name = "cluster pause",
    .summary = "begin no move of a plan any more",
    .synopsis = "[options] PLAN",
    .details = "Moves that run come to their end and are published. The order stands until\n"
               "'haul cluster resume', also for a run that is started later.\n",
    .rules = order_rules,
    .rule_count = sizeof(order_rules) / sizeof(order_rules[0]),
    .run = run_order,
};

const struct command command_cluster_resume = {
    .name = "cluster resume",
    .summary = "take back a pause or an abort",
    .synopsis = "[options] PLAN",
    .details = "A paused run goes on. After an abort start 'haul cluster run' again.\n",
    .rules = order_rules,
    .rule_count = sizeof(order_rules) / sizeof(order_rules[0]),
    .run = run_order,
};

const struct command command_cluster_rate = {
    .name = "cluster rate",
    .summary = "change the limits of a plan, also while it runs",
    .synopsis = "[--rate SIZE] [--rate-total SIZE] [options] PLAN",
    .details = "The run sets migrate-rdma-rate-limit-mb at the sources of its moves. The nodes\n"
               "keep the setting when the run is over.\n",
    .rules = rate_rules,
    .rule_count = sizeof(rate_rules) / sizeof(rate_rules[0]),
    .run = run_order,
};

const struct command command_cluster_abort = {
    .name = "cluster abort",
    .summary = "end a plan: cancel what runs, publish what was handed over",
    .synopsis = "[options] PLAN",
    .details = "The running process does it, or this one if there is none. What is done stays\n"
               "done. Without 'haul cluster resume' a later run of the plan ends at once.\n",
    .rules = abort_rules,
    .rule_count = sizeof(abort_rules) / sizeof(abort_rules[0]),
    .run = run_order,
};
