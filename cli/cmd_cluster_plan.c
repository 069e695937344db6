/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cluster_plan.c — `haul cluster plan`: the moves that bring a cluster to a goal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_check.h"
#include "cluster_commands.h"
#include "cluster_options.h"
#include "cluster_report.h"
#include "exit_code.h"
#include "json_output.h"
#include "plan_build.h"

enum { PERMILLE_PER_PERCENT = 10 };

struct plan_options {
    struct output_options output;
    struct cluster_options cluster;
    struct name_list weights;
    struct name_list added;
    struct name_list drained;
    const char *from;
    const char *to;
    const char *slots;
    const char *by;
    uint32_t tolerance_percent;
    uint32_t move_slots_max;
    uint32_t parallel_max;
    uint64_t rate;
    const char *file;
};

#define AT(parser, member) OPTION_AT(parser, struct plan_options, member)

static const struct option_rule rules[] = {
    CLUSTER_RULES(struct plan_options),
    {.name = "weight",
     .value_name = "NODE=W",
     .help = "the part of a node, in proportion to the others, which have 1; repeatable",
     .group = "Goal (default: masters with slots get equal parts)",
     AT(option_names, weights)},
    {.name = "add",
     .value_name = "NODE",
     .help = "a master without slots gets its part; repeatable",
     AT(option_names, added)},
    {.name = "drain",
     .value_name = "NODE",
     .help = "a master gives all of its slots away; repeatable",
     AT(option_names, drained)},
    {.name = "from",
     .value_name = "NODE",
     .help = "instead: move --slots of NODE",
     AT(option_text, from)},
    {.name = "to", .value_name = "NODE", .help = "to this one", AT(option_text, to)},
    {.name = "slots", .value_name = "A-B,...", .help = "these slots", AT(option_text, slots)},
    {.name = "by",
     .value_name = "slots|bytes",
     .help = "what is balanced (default slots); bytes: what each slot takes on disk and in\n"
             "memory; of a node that cannot tell, every slot counts as an equal part",
     AT(option_text, by)},
    {.name = "tolerance",
     .value_name = "PERCENT",
     .help = "a node that misses its part by less stays as it is (default: by slots 0, by\n"
             "bytes 2)",
     AT(option_u32, tolerance_percent),
     .max = PLANNER_TOLERANCE_PERMILLE_MAX / PERMILLE_PER_PERCENT},
    {.name = "max-slots",
     .value_name = "N",
     .help = "at most so many slots in one move (default: no limit)",
     .group = "Moves",
     AT(option_u32, move_slots_max),
     .min = 1,
     .max = CLUSTER_SLOT_COUNT},
    {.name = "parallel",
     .value_name = "N",
     .help = "at most so many moves at once in the cluster (default: one for each pair)",
     AT(option_u32, parallel_max),
     .min = 1,
     .max = TOPOLOGY_NODE_COUNT_MAX},
    {.name = "rate",
     .value_name = "SIZE",
     .help = "bytes a second of each move, for the estimate of the time",
     AT(option_size_u64, rate),
     .min = 1,
     .max = UINT64_C(1) << 50},
    OUTPUT_OPTION_RULES,
    {.value_name = "FILE",
     .help = "write the plan to this new file (default: only show it)",
     .group = "Where",
     AT(option_text, file)},
};

/* --- goal ------------------------------------------------------------------------------------- */

static struct name_span span_of(const struct name_list *list)
{
    return (struct name_span){list->names, list->count};
}

static enum haul_status make_goal(const struct plan_options *options, struct plan_goal *goal,
                                  struct haul_error *error)
{
    enum { TOLERANCE_BYTES_PERCENT = 2 };
    bool by_bytes = options->by != NULL && strcmp(options->by, "bytes") == 0;
    if (options->by != NULL && !by_bytes && strcmp(options->by, "slots") != 0) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "--by is slots or bytes, not '%s'",
                              options->by);
    }
    uint32_t percent = options->tolerance_percent != UINT32_MAX ? options->tolerance_percent
                       : by_bytes                               ? TOLERANCE_BYTES_PERCENT
                                                                : 0;
    *goal = (struct plan_goal){
        .weights = span_of(&options->weights),
        .added = span_of(&options->added),
        .drained = span_of(&options->drained),
        .from = options->from,
        .to = options->to,
        .slots = options->slots,
        .measure = by_bytes ? PLANNER_BYTES : PLANNER_SLOTS,
        .limits = {percent * PERMILLE_PER_PERCENT, options->move_slots_max, options->parallel_max},
    };
    return HAUL_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

/* UNSUPPORTED: something blocks a migration; the findings are printed. */
static enum haul_status check(const struct node_facts_list *list, struct output *output,
                              struct haul_error *error)
{
    struct finding_list *findings = calloc(1, sizeof(*findings));
    if (findings == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for findings");
    }
    enum haul_status status = cluster_check(list, findings, error);
    if (status == HAUL_OK && findings->blocks_count > 0) {
        status = haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                                "no migration may start: findings: %zu", findings->blocks_count);
        haul_error_hint(error, "haul cluster check lists them, with their remedies");
        if (!output->options.json) {
            cluster_report_findings(findings);
        }
    }
    free(findings);
    return status;
}

static enum haul_status make_plan(struct plan_options *options, struct output *output,
                                  struct cluster_plan **plan, struct haul_error *error)
{
    struct node_facts_list list = {NULL, 0};
    struct plan_goal goal;
    enum haul_status status = make_goal(options, &goal, error);
    if (status == HAUL_OK) {
        status = cluster_options_discover(&options->cluster, &list, error);
    }
    if (status == HAUL_OK) {
        status = check(&list, output, error);
    }
    if (status == HAUL_OK) {
        status = plan_build(&list, &goal, plan, error);
    }
    if (status == HAUL_OK && options->file != NULL) {
        status = plan_file_write(options->file, *plan, error);
    }
    node_facts_list_fini(&list);
    return status;
}

static int report(const struct plan_options *options, const struct cluster_plan *plan)
{
    if (options->output.json) {
        json_output_cluster_plan(plan, cluster_report_seconds(plan, options->rate), options->file);
    } else if (!options->output.quiet) {
        cluster_report_plan(plan, options->rate);
        if (options->file != NULL) {
            (void)printf("the plan is in %s\n", options->file);
        }
    }
    return EXIT_CODE_OK;
}

static int plan(struct plan_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct cluster_plan *made = NULL;
    enum haul_status status = make_plan(options, output, &made, &error);
    int exit_code =
        status == HAUL_OK ? report(options, made) : command_failed(status, &error, 0, output);
    plan_file_destroy(made);
    return exit_code;
}

static int run_plan(const struct command *command, int argc, char **argv)
{
    struct plan_options options = {
        .cluster = {.access.timeout_ms = CLUSTER_TIMEOUT_MS_DEFAULT, .wants_sizes = true},
        .tolerance_percent = UINT32_MAX};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code = options.cluster.nodes == NULL ? command_missing("--nodes HOST:PORT", &output)
                                              : plan(&options, &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_cluster_plan = {
    .name = "cluster plan",
    .summary = "the fewest moves that bring a cluster to a goal",
    .synopsis = "--nodes HOST:PORT,... [goal] [options] [FILE]",
    .details =
        "Nodes are named HOST:PORT or by their id. The plan moves as little as the goal allows,\n"
        "in few and large ranges; 'extra disk, peak' is what a node needs while they move. A\n"
        "node takes part in one move of a wave. Nothing is changed in the cluster.\n"
        "\n"
        "Examples:\n"
        "  haul cluster plan --nodes 10.0.0.7:6666 --add 10.0.0.9:6666 plan.json\n"
        "  haul cluster plan --nodes 10.0.0.7:6666 --drain 10.0.0.8:6666 --by bytes\n"
        "  haul cluster plan --nodes 10.0.0.7:6666 --weight 10.0.0.7:6666=2 --rate 100MB\n"
        "  haul cluster plan --nodes 10.0.0.7:6666 --from 10.0.0.7:6666 --to 10.0.0.8:6666 \\\n"
        "      --slots 0-99,200\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_plan,
};
