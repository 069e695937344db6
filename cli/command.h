/* SPDX-License-Identifier: Apache-2.0 */
/* command.h — a command of the tool: its name, its help, its entry point. */
#ifndef HAUL_COMMAND_H
#define HAUL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "option_table.h"
#include "output.h"

struct command {
    const char *name;     /* as typed: "send" */
    const char *summary;  /* one line for `haul --help` */
    const char *synopsis; /* after "haul NAME " */
    const char *details;  /* paragraphs and examples below the options */
    const struct option_rule *rules;
    size_t rule_count;
    bool needs_threads; /* opens a database or links: check address space, threads and descriptors
                         * first */
    /* `argv[0]` is the command's name. Returns the exit code. */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_send;
extern const struct command command_recv;
extern const struct command command_status;
extern const struct command command_cancel;
extern const struct command command_resume;
extern const struct command command_resolve;
extern const struct command command_owner;
extern const struct command command_drop;
extern const struct command command_verify;
extern const struct command command_keygen;
extern const struct command command_cluster;
extern const struct command command_bench;
extern const struct command command_version;

/* Print the full help of a command on stdout. */
void command_help(const struct command *command);

/* Parse `argv` into `options`, whose first member is a struct output_options, and check
 * that the process gets what the command needs. True: continue. False: help was printed, or an
 * error was reported; return `*exit_code`. */
bool command_parse(const struct command *command, int argc, char **argv, void *options,
                   int *exit_code);

/* Report a failure that has no result: error line and JSON document. Returns the exit code. */
int command_failed(enum haul_status status, struct haul_error *error, int signal_number,
                   struct output *output);

/* Report that a mandatory option is missing. Returns the exit code. */
int command_missing(const char *option, struct output *output);

#endif
