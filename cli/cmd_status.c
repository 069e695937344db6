/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c — `haul status`: show what runs on a database, and its unfinished jobs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control_socket.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "human_size.h"
#include "job_text.h"
#include "json_output.h"
#include "option_value.h"
#include "output.h"
#include "running_job.h"
#include "shell_word.h"

enum { ANSWER_TIMEOUT_MS = 5000, RECORD_WAY_BYTES_MAX = SHELL_WORD_BYTES_MAX + 32 };

struct status_options {
    struct output_options output;
    const char *database;
};

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database; it may be open",
     .group = "Where",
     OPTION_AT(option_text, struct status_options, database)},
    OUTPUT_OPTION_RULES,
};

/* What runs on a database. */
struct running {
    struct running_job all;
    struct running_part parts[HAUL_TARGET_JOBS_MAX];
    size_t part_count;
};

/* None if the command has just ended, or is of an earlier release. */
static void ask_parts(int fd, struct running *running)
{
    char answer[CONTROL_PACKET_BYTES_MAX];
    struct haul_error ignored;
    running->part_count = 0;
    if (control_client_ask(fd, "jobs", answer, ANSWER_TIMEOUT_MS, &ignored) == HAUL_OK) {
        running->part_count = running_jobs_parse(answer, running->parts, HAUL_TARGET_JOBS_MAX);
    }
}

/* OK: `*running` is filled in. Errors: NOT_FOUND (nothing runs), others. */
static enum haul_status ask_running(const char *database, struct running *running,
                                    struct haul_error *error)
{
    int fd = -1;
    char answer[CONTROL_PACKET_BYTES_MAX];
    enum haul_status status = control_client_open(database, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = control_client_ask(fd, "status", answer, ANSWER_TIMEOUT_MS, error);
    if (status == HAUL_OK && !running_job_parse(answer, &running->all)) {
        status = haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                "cannot parse the running command's answer");
    }
    if (status == HAUL_OK) {
        ask_parts(fd, running);
    }
    (void)close(fd);
    return status == HAUL_CLOSED ? HAUL_NOT_FOUND : status;
}

/* What a stop now would keep, and what the job costs until then. */
static void print_disk(const struct haul_progress *figures)
{
    char safe[HUMAN_TEXT_BYTES_MAX];
    char log[HUMAN_TEXT_BYTES_MAX];
    char tables[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)figures->durable_bytes, safe);
    human_bytes((double)figures->pinned_log_bytes, log);
    human_bytes((double)figures->pinned_table_bytes, tables);
    (void)printf("  safe on the target: %" PRIu64 " records, %s of the copy\n",
                 figures->durable_records, safe);
    if (figures->pinned_log_bytes + figures->pinned_table_bytes > 0) {
        (void)printf("  retained on this disk by the job: %s of log, %s of old table files\n", log,
                     tables);
    }
}

static void print_trust(const struct haul_progress *figures)
{
    if (figures->trust == HAUL_TRUST_ANYBODY) {
        (void)printf("  insecure: every peer is trusted, and the data is readable on its way\n");
    } else if (figures->trust == HAUL_TRUST_KEY || figures->trust == HAUL_TRUST_CERTIFICATE) {
        (void)printf("  the peer %s; data on its way: %s\n",
                     figures->trust == HAUL_TRUST_KEY ? "holds the key" : "has a certificate",
                     haul_wire_name(figures->wire));
    }
}

static void print_part(const struct running_part *part, bool receives)
{
    const struct haul_progress *figures = &part->state.figures;
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char expected[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)figures->bytes, bytes);
    human_bytes((double)figures->bytes_expected, expected);
    (void)printf("  job %.8s %s %s, %s: %" PRIu64 " records, %s of about %s\n", part->job,
                 receives ? "from" : "to", part->peer, part->state.phase, figures->records, bytes,
                 expected);
}

/* A sender's only job is the command itself. */
static void print_parts(const struct running *running)
{
    bool receives = strcmp(running->all.command, "recv") == 0;
    for (size_t i = 0; (receives || running->part_count > 1) && i < running->part_count; i++) {
        print_part(&running->parts[i], receives);
    }
}

static void print_running(const struct running_job *running)
{
    const struct haul_progress *figures = &running->figures;
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char expected[HUMAN_TEXT_BYTES_MAX];
    char lag[HUMAN_TEXT_BYTES_MAX];
    char seconds[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)figures->bytes, bytes);
    human_bytes((double)figures->bytes_expected, expected);
    human_bytes((double)figures->lag_bytes, lag);
    human_seconds(figures->seconds, seconds);
    (void)printf("running: haul %s (process %" PRId64 "), %s: %" PRIu64 " records, %s of about %s, "
                 "lag %s, %s\n",
                 running->command, running->pid, running->phase, figures->records, bytes, expected,
                 lag, seconds);
    print_trust(figures);
    print_disk(figures);
}

static void print_job(const struct haul_job *job, const char *directory, bool runs)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    char bytes[HUMAN_TEXT_BYTES_MAX];
    struct job_text_ways ways;
    json_output_job(job->id, id);
    (void)printf("job %s: this is the %s, attempt %" PRIu64 ", %s (%s): %s\n", id,
                 haul_job_role_name(job->role), job->epoch, job->phase,
                 haul_job_claim_name(job->claim), job->sentence);
    (void)printf("  %s\n", job_text_claim(job));
    if (job->role == HAUL_JOB_TARGET) {
        human_bytes((double)job->durable_bytes, bytes);
        (void)printf("  safe here: %" PRIu64 " records, %s\n", job->durable_records, bytes);
    }
    if (job->changed) {
        (void)printf(
            "  something else has changed the database since the copy was complete: when it "
            "owns the ranges, compare (`haul verify --to` on the source)\n");
    }
    job_text_ways(job, directory, &ways);
    if (!runs) {
        (void)printf("  %s: %s\n", ways.first.purpose, ways.first.command);
    }
    if (!runs && ways.second.purpose[0] != '\0') {
        (void)printf("  or, %s: %s\n", ways.second.purpose, ways.second.command);
    }
}

/* Jobs that are over; only their receivers have not been informed yet. */
static void print_over(const struct haul_job *jobs, size_t count, const char *directory)
{
    struct job_text_ways ways;
    char word[SHELL_WORD_BYTES_MAX];
    size_t over = 0;
    for (size_t i = 0; i < count; i++) {
        if (job_text_is_over(&jobs[i])) {
            job_text_ways(&jobs[i], directory, &ways);
            over++;
        }
    }
    if (over > 0) {
        (void)printf("%zu job%s over, but the receiver does not know yet:\n  %s: %s\n", over,
                     over == 1 ? " is" : "s are", ways.first.purpose, ways.first.command);
        (void)printf("  if it is lost or has forgotten them (`haul status --json` has the ids): "
                     "haul cancel --db %s --job ID --accept-two-owners\n",
                     shell_word(directory, "DIR", word, sizeof(word)));
    }
}

static void print_jobs(const struct haul_job *jobs, size_t count, const char *directory, bool runs)
{
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (!job_text_is_over(&jobs[i])) {
            print_job(&jobs[i], directory, runs);
            shown++;
        }
    }
    if (!runs && shown == 0) {
        (void)printf("no job\n");
    }
    if (!runs) {
        print_over(jobs, count, directory);
    }
}

/* Most ways out end with exit code 6 until then. "": the record is sound, or unknown here. */
static void find_record_way(const char *directory, char way[RECORD_WAY_BYTES_MAX])
{
    char word[SHELL_WORD_BYTES_MAX];
    struct haul_owner *owner = NULL;
    struct haul_error ignored;
    enum haul_status status = haul_owner_read(directory, &owner, &ignored);
    haul_owner_free(owner);
    way[0] = '\0';
    if (status == HAUL_CORRUPT) {
        (void)snprintf(way, RECORD_WAY_BYTES_MAX, "haul owner --db %s --rebuild",
                       shell_word(directory, "DIR", word, sizeof(word)));
    }
}

static int report(const struct status_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct running running = {.part_count = 0};
    struct haul_job *jobs = NULL;
    size_t count = 0;
    enum haul_status status = haul_jobs_list(options->database, &jobs, &count, &error);
    if (status == HAUL_OK) {
        status = database_check(options->database, &error);
    }
    if (status != HAUL_OK) {
        free(jobs);
        return command_failed(status, &error, 0, output);
    }
    enum haul_status runs = ask_running(options->database, &running, &error);
    if (runs != HAUL_OK && runs != HAUL_NOT_FOUND) {
        free(jobs);
        return command_failed(runs, &error, 0, output);
    }
    char record_way[RECORD_WAY_BYTES_MAX];
    find_record_way(options->database, record_way);
    if (output->options.json) {
        struct json_output_jobs found = {.directory = options->database,
                                         .record_way_out = record_way,
                                         .running = runs == HAUL_OK ? &running.all : NULL,
                                         .parts = running.parts,
                                         .part_count = running.part_count,
                                         .jobs = jobs,
                                         .count = count};
        json_output_status(&found);
    } else {
        if (runs == HAUL_OK) {
            print_running(&running.all);
            print_parts(&running);
        }
        if (record_way[0] != '\0') {
            (void)printf(
                "the ownership record is damaged; first, build it again from the journals: "
                "%s\n",
                record_way);
        }
        print_jobs(jobs, count, options->database, runs == HAUL_OK);
    }
    free(jobs);
    return EXIT_CODE_OK;
}

static int run_status(const struct command *command, int argc, char **argv)
{
    struct status_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code =
        options.database == NULL ? command_missing("--db DIR", &output) : report(&options, &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_status = {
    .name = "status",
    .summary = "show what runs on a database, and its unfinished jobs",
    .synopsis = "--db DIR [options]",
    .details =
        "For each unfinished job that no process runs, it names the command that continues the\n"
        "job and the one that ends it. 'serves' means that this database owns the ranges,\n"
        "'yields' the other one, and 'in doubt' neither until the source has decided. All\n"
        "states: docs/OPERATIONS.md.\n"
        "\n"
        "Examples:\n"
        "  haul status --db /data/a\n"
        "  haul status --db /data/a --json | jq .running.phase\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_status,
};
