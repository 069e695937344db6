/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cancel.c — `haul cancel`: end the job that runs on a database, or give up those that were
 * left there. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "control_socket.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/job.h"
#include "haul/store.h"
#include "json_output.h"
#include "option_value.h"
#include "output.h"

enum { ANSWER_TIMEOUT_MS = 5000, WAIT_MS_DEFAULT = 60000 };

struct cancel_options {
    struct output_options output;
    const char *database;
    uint32_t wait_ms;
};

#define AT(parser, member) OPTION_AT(parser, struct cancel_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database",
     .group = "Where",
     AT(option_text, database)},
    {.name = "wait",
     .value_name = "TIME",
     .help = "wait so long for a running job to end (default 1m)",
     .group = "How",
     AT(option_duration, wait_ms),
     .min = 1,
     .max = 86400000},
    OUTPUT_OPTION_RULES,
};

static enum haul_status cancel_running(const struct cancel_options *options,
                                       struct haul_error *error)
{
    int fd = -1;
    char answer[CONTROL_PACKET_BYTES_MAX];
    enum haul_status status = control_client_open(options->database, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = control_client_ask(fd, "cancel", answer, ANSWER_TIMEOUT_MS, error);
    uint32_t wait_ms = options->wait_ms == 0 ? (uint32_t)WAIT_MS_DEFAULT : options->wait_ms;
    if (status == HAUL_OK && control_client_wait_end(fd, wait_ms) != HAUL_OK) {
        status = haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "the job has not ended yet");
    }
    (void)close(fd);
    return status == HAUL_CLOSED ? HAUL_OK : status;
}

static enum haul_status give_up_all(const char *database, const struct haul_job *jobs, size_t count,
                                    size_t *cancelled, struct output *output,
                                    struct haul_error *error)
{
    struct haul_rocks_options rocks = {.create_if_missing = false};
    struct haul_store *store = NULL;
    enum haul_status status = database_open(database, &rocks, &store, output, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = haul_job_give_up(store, &jobs[i], error);
        *cancelled += status == HAUL_OK;
    }
    if (store != NULL) {
        store->ops->close(store);
    }
    return status;
}

static enum haul_status cancel_left(const char *database, size_t *cancelled, struct output *output,
                                    struct haul_error *error)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    enum haul_status status = haul_jobs_list(database, &jobs, &count, error);
    if (status == HAUL_OK && count == 0) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "there is no job on %s", database);
        haul_error_hint(error, "nothing is to be done");
        status = HAUL_NOT_FOUND;
    } else if (status == HAUL_OK) {
        status = give_up_all(database, jobs, count, cancelled, output, error);
    }
    free(jobs);
    return status;
}

static int cancel(const struct cancel_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    size_t cancelled = 0;
    enum haul_status status = cancel_running(options, &error);
    if (status == HAUL_OK) {
        cancelled = 1;
    } else if (status == HAUL_NOT_FOUND) {
        status = cancel_left(options->database, &cancelled, output, &error);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    error.status = HAUL_OK;
    if (output->options.json) {
        json_output_cancel(cancelled, &error, EXIT_CODE_OK);
    } else if (!output->options.quiet) {
        (void)printf("cancelled %zu job%s\n", cancelled, cancelled == 1 ? "" : "s");
    }
    return EXIT_CODE_OK;
}

static int run_cancel(const struct command *command, int argc, char **argv)
{
    struct cancel_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code =
        options.database == NULL ? command_missing("--db DIR", &output) : cancel(&options, &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_cancel = {
    .name = "cancel",
    .summary = "end the job of a database; before the decision nothing is lost",
    .synopsis = "--db DIR [options]",
    .details =
        "A running job is told to end, and waited for: before its decision the source keeps\n"
        "the ranges and the receiver removes what it has of them; after it the job is\n"
        "finished. Jobs that were left by a process that is gone are given up the same way.\n"
        "Exit code 10: too late, a job is decided or prepared; 'haul resolve' finishes it.\n"
        "\n"
        "Example:\n"
        "  haul cancel --db /data/a\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_cancel,
};
