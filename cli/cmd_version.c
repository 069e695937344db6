/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_version.c — `haul version`. */
#include <stdio.h>

#include "command.h"
#include "exit_code.h"
#include "json_output.h"

#ifdef HAUL_RDMA
static const char transports[] = "rdma, tcp";
#else
static const char transports[] = "tcp (built without rdma)";
#endif

struct version_options {
    struct output_options output;
};

static const struct option_rule rules[] = {OUTPUT_OPTION_RULES};

static int run_version(const struct command *command, int argc, char **argv)
{
    struct version_options options = {.output = {.json = false}};
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    if (options.output.json) {
        json_output_version(HAUL_RELEASE, transports);
    } else {
        (void)printf("haul %s, transports: %s\n", HAUL_RELEASE, transports);
    }
    return EXIT_CODE_OK;
}

const struct command command_version = {
    .name = "version",
    .summary = "print the version and the transports built in",
    .synopsis = "[options]",
    .details = "Example:\n  haul version --json\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_version,
};
