/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cluster.c — `haul cluster`: finds the command behind it. */
#include <stdio.h>
#include <string.h>

#include "cluster_commands.h"
#include "exit_code.h"

static const struct command *const commands[] = {
    &command_cluster_check,  &command_cluster_plan,  &command_cluster_run,
    &command_cluster_status, &command_cluster_pause, &command_cluster_resume,
    &command_cluster_abort,  &command_cluster_rate,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

/* The word behind "cluster" in a command's name. */
static const char *word_of(const struct command *command)
{
    return strchr(command->name, ' ') + 1;
}

static int no_command(int argc, char **argv)
{
    struct output_options options = {.json = false};
    struct output output;
    for (int i = 1; i < argc; i++) {
        options.json |= strcmp(argv[i], "--json") == 0;
    }
    output_init(&output, "cluster", &options);
    int exit_code =
        command_missing("COMMAND (check, plan, run, status, pause, resume, abort, rate)", &output);
    output_fini(&output);
    return exit_code;
}

static int run_cluster(const struct command *command, int argc, char **argv)
{
    const char *word = argc < 2 ? "" : argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        command_help(command);
        return EXIT_CODE_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word_of(commands[i]), word) == 0) {
            return commands[i]->run(commands[i], argc - 1, argv + 1);
        }
    }
    return no_command(argc, argv);
}

const struct command command_cluster = {
    .name = "cluster",
    .summary = "check a Kvrocks cluster, plan how its slots move, and move them",
    .synopsis = "check|plan|run|status|pause|resume|abort|rate [options]",
    .details = "  check   may a migration start? One line for each finding, with the remedy\n"
               "  plan    the fewest moves that reach a goal, as a table and as a file\n"
               "  run     carry out such a file; 'haul cluster run' again continues it\n"
               "  status  where each move of a file is, by what the nodes say\n"
               "  pause, resume, abort, rate   reach a run from another shell\n"
               "\n"
               "'haul cluster COMMAND --help' lists the options of each.\n",
    .rules = NULL,
    .rule_count = 0,
    .run = run_cluster,
};
