/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_version.c — `haul version`. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "haul/transport.h"
#include "json_output.h"

enum { TEXT_BYTES = 64 };

struct version_options {
    struct output_options output;
};

static const struct option_rule rules[] = {OUTPUT_OPTION_RULES};

static void add(const char *name, char text[TEXT_BYTES])
{
    size_t used = strlen(text);
    (void)snprintf(text + used, TEXT_BYTES - used, "%s%s", used == 0 ? "" : ", ", name);
}

/* "rdma, tcp"; "tcp (built without rdma)". */
static void list_transports(char text[2 * TEXT_BYTES])
{
    static const enum haul_transport all[] = {
#define NUMBER(name, number, text, prefix) HAUL_TRANSPORT_##name,
        HAUL_TRANSPORTS(NUMBER)
#undef NUMBER
    };
    char built[TEXT_BYTES] = "";
    char absent[TEXT_BYTES] = "";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const char *name = haul_transport_name(all[i]);
        struct haul_transport_list list;
        if (haul_transport_list_parse(name, &list) == HAUL_OK) { /* leads to other hosts */
            add(name, haul_transport_is_built(all[i]) ? built : absent);
        }
    }
    (void)snprintf(text, 2 * TEXT_BYTES, absent[0] == '\0' ? "%s" : "%s (built without %s)", built,
                   absent);
}

static int run_version(const struct command *command, int argc, char **argv)
{
    struct version_options options = {.output = {.json = false}};
    char transports[2 * TEXT_BYTES];
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    list_transports(transports);
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
