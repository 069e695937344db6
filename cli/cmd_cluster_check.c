/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cluster_check.c — `haul cluster check`: may a migration start? */
#include <stdio.h>
#include <stdlib.h>

#include "cluster_check.h"
#include "cluster_commands.h"
#include "cluster_options.h"
#include "cluster_report.h"
#include "exit_code.h"
#include "json_output.h"

struct check_options {
    struct output_options output;
    struct cluster_options cluster;
};

static const struct option_rule rules[] = {
    CLUSTER_RULES(struct check_options),
    OUTPUT_OPTION_RULES,
};

static int report(const struct node_facts_list *list, const struct finding_list *findings,
                  struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    int exit_code = EXIT_CODE_OK;
    if (findings->blocks_count > 0) {
        haul_error_set(&error, HAUL_UNSUPPORTED, NULL, 0, "no migration may start: findings: %zu",
                       findings->blocks_count);
        haul_error_hint(&error, "each finding names its remedy");
        exit_code = exit_code_of(error.status, 0);
    }
    if (output->options.json) {
        json_output_cluster_check(list, findings, &error, exit_code);
        return exit_code;
    }
    cluster_report_findings(findings);
    if (!output->options.quiet) {
        cluster_report_nodes(list, findings);
    }
    return exit_code;
}

static int check(struct check_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct node_facts_list list = {NULL, 0};
    struct finding_list *findings = calloc(1, sizeof(*findings));
    enum haul_status status =
        findings == NULL ? haul_error_set(&error, HAUL_NO_MEMORY, NULL, 0, "no memory for findings")
                         : cluster_options_discover(&options->cluster, &list, &error);
    if (status == HAUL_OK) {
        status = cluster_check(&list, findings, &error);
    }
    int exit_code = status == HAUL_OK ? report(&list, findings, output)
                                      : command_failed(status, &error, 0, output);
    node_facts_list_fini(&list);
    free(findings);
    return exit_code;
}

static int run_check(const struct command *command, int argc, char **argv)
{
    struct check_options options = {.cluster.access.timeout_ms = CLUSTER_TIMEOUT_MS_DEFAULT};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code = options.cluster.nodes == NULL ? command_missing("--nodes HOST:PORT", &output)
                                              : check(&options, &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_cluster_check = {
    .name = "cluster check",
    .summary = "may a migration start in this cluster?",
    .synopsis = "--nodes HOST:PORT,... [options]",
    .details =
        "Asks every node of the cluster, replicas too. A finding that 'blocks' must be mended\n"
        "before a migration; one that 'warns' may make it slower, or start over. Exit code 0:\n"
        "nothing blocks; 3: something does. Nothing is changed.\n"
        "\n"
        "Examples:\n"
        "  haul cluster check --nodes 10.0.0.7:6666\n"
        "  haul cluster check --nodes 10.0.0.7:6666,10.0.0.8:6666 --password-file pw --json\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_check,
};
