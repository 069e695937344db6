/* SPDX-License-Identifier: Apache-2.0 */
/* command.c — help and option parsing, the same for every command. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "exception_end.h"
#include "exit_code.h"
#include "json_output.h"
#include "process_limit.h"

void command_help(const struct command *command)
{
    (void)printf("haul %s: %s\n\nUsage: haul %s %s\n\n", command->name, command->summary,
                 command->name, command->synopsis);
    option_table_print(command->rules, command->rule_count);
    (void)printf(
        "\nSizes take K, M, G (powers of 1024), kB, MB, GB (powers of 1000) or kbit, mbit,\n"
        "gbit; times take ms, s, m or h, and are seconds without a unit.\n\n%s\n"
        "Exit codes:\n%s",
        command->details, exit_code_table());
}

/* Whether --json was given, even if parsing failed before it. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

int command_failed(enum haul_status status, struct haul_error *error, int signal_number,
                   struct output *output)
{
    int exit_code = exit_code_of(status, signal_number);
    error->status = status;
    output_error(output, error);
    if (output->options.json) {
        json_output_error(output->command, error, exit_code);
    }
    return exit_code;
}

/* A hint for users of tools that take positional values. */
static void hint_names(const struct command *command, struct haul_error *error)
{
    if (strncmp(error->text, "unexpected argument", 19) == 0) {
        haul_error_hint(error, "every value needs its option: haul %s %s", command->name,
                        command->synopsis);
    }
}

static int report_usage(struct haul_error *error, struct output *output)
{
    if (error->hint[0] == '\0') {
        haul_error_hint(error, "see 'haul %s --help'", output->command);
    }
    return command_failed(error->status, error, 0, output);
}

static bool can_run(const struct command *command, const struct output_options *options,
                    int *exit_code)
{
    struct haul_error error = {.status = HAUL_OK};
    exception_end_install(command->name, options->json);
    enum haul_status status = command->needs_threads ? process_limit_check(&error) : HAUL_OK;
    if (status != HAUL_OK) {
        struct output output;
        output_init(&output, command->name, options);
        *exit_code = command_failed(status, &error, 0, &output);
        output_fini(&output);
    }
    return status == HAUL_OK;
}

bool command_parse(const struct command *command, int argc, char **argv, void *options,
                   int *exit_code)
{
    bool help = false;
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status =
        option_table_parse(command->rules, command->rule_count, argc, argv, options, &help, &error);
    if (status == HAUL_OK && !help) {
        return can_run(command, options, exit_code);
    }
    if (help) {
        command_help(command);
        *exit_code = EXIT_CODE_OK;
        return false;
    }
    struct output_options plain = {.json = wants_json(argc, argv)};
    struct output output;
    output_init(&output, command->name, &plain);
    hint_names(command, &error);
    *exit_code = report_usage(&error, &output);
    output_fini(&output);
    return false;
}

int command_missing(const char *option, struct output *output)
{
    struct haul_error error;
    haul_error_set(&error, HAUL_INVALID, NULL, 0, "%s needs %s", output->command, option);
    return report_usage(&error, output);
}
