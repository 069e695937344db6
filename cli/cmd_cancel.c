/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_cancel.c — `haul cancel`: end the job that runs on a database, or give up unfinished jobs
 * that no process runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control_socket.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/job.h"
#include "haul/store.h"
#include "job_text.h"
#include "json_output.h"
#include "migration_options.h"
#include "option_value.h"
#include "output.h"
#include "running_job.h"
#include "shell_word.h"

enum { ANSWER_TIMEOUT_MS = 5000, WAIT_MS_DEFAULT = 60000 };

struct cancel_options {
    struct output_options output;
    const char *database;
    const char *wal_dir;
    const char *job; /* hexadecimal id or a prefix of it; NULL: all */
    bool accept_two_owners;
    uint32_t wait_ms;
};

#define AT(parser, member) OPTION_AT(parser, struct cancel_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database",
     .group = "Where",
     AT(option_text, database)},
    WAL_DIR_RULE(struct cancel_options),
    {.name = "job",
     .value_name = "ID",
     .help = "only this job, of a running command or without a process; a unique\n"
             "beginning of its id is enough",
     .group = "What",
     AT(option_text, job)},
    {.name = "accept-two-owners",
     .help = "also give up jobs in doubt and damaged journals, because the other side\n"
             "is lost; if it is not, keys may have two owners or none",
     AT(option_flag, accept_two_owners)},
    {.name = "wait",
     .value_name = "TIME",
     .help = "how long to wait for a running job to end (default 1m)",
     .group = "How",
     AT(option_duration, wait_ms),
     .min = 1,
     .max = 86400000},
    OUTPUT_OPTION_RULES,
};

/* `told`: how the command ended. Errors: NOT_FOUND (none runs), CLOSED (it has ended without taking
 * the request), TIMEOUT, socket errors (also: it does not answer this user). */
static enum haul_status cancel_running(const struct cancel_options *options,
                                       struct control_end *told, struct haul_error *error)
{
    int fd = -1;
    char answer[CONTROL_PACKET_BYTES_MAX];
    *told = (struct control_end){.error.status = HAUL_AGAIN, .had_job = true};
    enum haul_status status = control_client_open(options->database, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = control_client_ask(fd, "cancel", answer, ANSWER_TIMEOUT_MS, error);
    uint32_t wait_ms = options->wait_ms == 0 ? (uint32_t)WAIT_MS_DEFAULT : options->wait_ms;
    if (status == HAUL_OK && control_client_wait_end(fd, wait_ms, told) != HAUL_OK) {
        status = haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "the job has not ended yet");
    } else if (status == HAUL_CLOSED) {
        control_client_wait_gone(fd, wait_ms);
    }
    (void)close(fd);
    return status;
}

/* A running command ends everything it does; single jobs end by their ids. */
static bool is_about_single_jobs(const struct cancel_options *options)
{
    return options->job != NULL || options->accept_two_owners;
}

/* The job that --job names, among those that the command runs; "": none, or several. */
static enum haul_status find_running(const struct cancel_options *options, int fd,
                                     char id[2 * HAUL_JOB_BYTES + 1], struct haul_error *error)
{
    struct running_part parts[HAUL_TARGET_JOBS_MAX];
    char answer[CONTROL_PACKET_BYTES_MAX];
    size_t found = 0;
    id[0] = '\0';
    enum haul_status status = control_client_ask(fd, "jobs", answer, ANSWER_TIMEOUT_MS, error);
    size_t count = status == HAUL_OK ? running_jobs_parse(answer, parts, HAUL_TARGET_JOBS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(parts[i].job, options->job, strlen(options->job)) == 0) {
            memcpy(id, parts[i].job, sizeof(parts[i].job));
            found++;
        }
    }
    if (found != 1) {
        id[0] = '\0';
    }
    return status == HAUL_CLOSED ? HAUL_OK : status; /* a command of an earlier release */
}

static enum haul_status refuse_running(const struct cancel_options *options,
                                       struct haul_error *error)
{
    char word[SHELL_WORD_BYTES_MAX];
    haul_error_set(error, HAUL_BUSY, NULL, 0, "a command runs on %s", options->database);
    haul_error_hint(error, "`haul status --db %s` names it: end it with SIGTERM first",
                    shell_word(options->database, "DIR", word, sizeof(word)));
    return HAUL_BUSY;
}

/* Cancel one job of a receiver. Errors: BUSY (it has ended meanwhile, unknown how), TIMEOUT, those
 * of the socket. */
static enum haul_status cancel_one(const struct cancel_options *options, int fd, const char *id,
                                   struct control_end *told, struct haul_error *error)
{
    char request[CONTROL_REQUEST_BYTES_MAX];
    char answer[CONTROL_PACKET_BYTES_MAX];
    uint32_t wait_ms = options->wait_ms == 0 ? (uint32_t)WAIT_MS_DEFAULT : options->wait_ms;
    (void)snprintf(request, sizeof(request), "cancel %s", id);
    enum haul_status status = control_client_ask(fd, request, answer, ANSWER_TIMEOUT_MS, error);
    if (status == HAUL_OK) {
        status = control_client_wait_job(fd, id, wait_ms, told, error);
    }
    bool missed = status == HAUL_OK && strcmp(answer, "ok") != 0 && !told->had_job;
    told->had_job = true;
    return missed ? refuse_running(options, error) : status;
}

/* Errors: NOT_FOUND (no command runs), BUSY (one runs, and not this job), and as above. */
static enum haul_status cancel_single(const struct cancel_options *options,
                                      struct control_end *told, struct haul_error *error)
{
    int fd = -1;
    char id[2 * HAUL_JOB_BYTES + 1] = "";
    enum haul_status status = control_client_open(options->database, &fd, error);
    if (status == HAUL_OK && options->job != NULL && options->job[0] != '\0') {
        status = find_running(options, fd, id, error);
    }
    if (status == HAUL_OK) {
        status = id[0] == '\0' ? refuse_running(options, error)
                               : cancel_one(options, fd, id, told, error);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

/* --- jobs that were left ---------------------------------------------------------------------- */

static bool is_selected(const struct cancel_options *options, const struct haul_job *job)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    json_output_job(job->id, id);
    return options->job == NULL ||
           (options->job[0] != '\0' && strncmp(id, options->job, strlen(options->job)) == 0);
}

static enum haul_status give_up(const struct cancel_options *options, struct haul_store *store,
                                const struct haul_job *job, struct haul_error *error)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    bool forced = job->condition == HAUL_JOB_DAMAGED;
    enum haul_status status = HAUL_OK;
    json_output_job(job->id, id);
    if (!forced) {
        status = haul_job_give_up(store, job, error);
        forced =
            (status == HAUL_IN_DOUBT || status == HAUL_UNCONFIRMED) && options->accept_two_owners;
    }
    if (forced) {
        return haul_job_force_give_up(store, job, options->accept_two_owners, error);
    }
    if (status == HAUL_IN_DOUBT && job->role == HAUL_JOB_TARGET) {
        char word[SHELL_WORD_BYTES_MAX];
        haul_error_hint(
            error,
            "`haul status` on the source names the command that settles it (no job there: "
            "`haul resolve`); the source is lost for good: `haul cancel --db %s --job %.8s "
            "--accept-two-owners`",
            shell_word(options->database, "DIR", word, sizeof(word)), id);
    }
    return status;
}

/* The source has decided, so nothing is left to give up. */
static bool is_committed(const struct haul_job *job)
{
    return job->role == HAUL_JOB_TARGET && job->claim == HAUL_JOB_SERVES;
}

static enum haul_status finish_committed(struct haul_store *store, const struct haul_job *job,
                                         struct output *output, struct haul_error *error)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    enum haul_status status = haul_job_finish(store, NULL, job, error);
    json_output_job(job->id, id);
    if (status == HAUL_OK) {
        output_line(output, "job %.8s was committed and is finished: this database owns its ranges",
                    id);
    }
    return status;
}

/* The source has decided. Such a job ends only if it is named; nothing is taken back. */
static enum haul_status end_decided(const struct cancel_options *options, struct haul_store *store,
                                    const struct haul_job *job, struct output *output,
                                    struct haul_error *error)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    char word[SHELL_WORD_BYTES_MAX];
    json_output_job(job->id, id);
    if (options->job == NULL || !options->accept_two_owners) {
        haul_error_hint(error,
                        "`haul resolve --db %s --to ADDR:PORT` finishes it; the receiver owns the "
                        "ranges and has lost its record: --job %.8s --accept-two-owners",
                        shell_word(options->database, "DIR", word, sizeof(word)), id);
        return HAUL_IN_DOUBT;
    }
    enum haul_status status = haul_job_end_decided(store, job, true, error);
    if (status == HAUL_OK) {
        output_line(output, "job %.8s ends as it was decided: `haul owner` names the owner", id);
    }
    return status;
}

/* A job that is over is forgotten only if it is named: its receiver will never be informed. */
static bool forgets_over(const struct cancel_options *options)
{
    return options->job != NULL && options->accept_two_owners;
}

static enum haul_status forget_over(struct haul_store *store, const struct haul_job *job,
                                    struct output *output, struct haul_error *error)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    json_output_job(job->id, id);
    enum haul_status status = haul_job_forget_over(store, job, true, error);
    if (status == HAUL_OK) {
        output_line(
            output,
            "job %.8s is forgotten: its receiver will not be informed, nor asked whether it owns",
            id);
    }
    return status;
}

static enum haul_status end_one(const struct cancel_options *options, struct haul_store *store,
                                const struct haul_job *job, size_t *cancelled,
                                struct output *output, struct haul_error *error)
{
    if (is_committed(job)) {
        return finish_committed(store, job, output, error);
    }
    if (forgets_over(options) && job_text_is_over(job)) {
        enum haul_status forgotten = forget_over(store, job, output, error);
        *cancelled += forgotten == HAUL_OK;
        return forgotten;
    }
    enum haul_status status = give_up(options, store, job, error);
    if (status == HAUL_IN_DOUBT && job->role == HAUL_JOB_SOURCE) {
        return end_decided(options, store, job, output, error);
    }
    *cancelled += status == HAUL_OK && !job_text_is_over(job);
    return status;
}

/* Giving up source jobs needs only their journals, no records. */
static bool is_about_sources(const struct cancel_options *options, const struct haul_job *jobs,
                             size_t count)
{
    bool sources = true;
    for (size_t i = 0; i < count; i++) {
        sources = sources && (jobs[i].role == HAUL_JOB_SOURCE || !is_selected(options, &jobs[i]));
    }
    return sources;
}

/* Try every job; return the first failure. */
static enum haul_status give_up_all(const struct cancel_options *options,
                                    const struct haul_job *jobs, size_t count, size_t *cancelled,
                                    struct output *output, struct haul_error *error)
{
    static const char *const no_records[] = {"default"};
    bool sources = is_about_sources(options, jobs, count);
    struct haul_rocks_options rocks = {.size_bytes = sizeof(rocks),
                                       .wal_dir = options->wal_dir,
                                       .read_only = sources,
                                       .keep_log = sources,
                                       .families = no_records,
                                       .family_count = sources ? 1 : 0};
    struct haul_store *store = NULL;
    enum haul_status status = database_open(options->database, &rocks, &store, output, error);
    for (size_t i = 0; i < count && store != NULL; i++) {
        struct haul_error second = {.status = HAUL_OK};
        if (!is_selected(options, &jobs[i])) {
            continue;
        }
        struct haul_error *answer = status == HAUL_OK ? error : &second;
        enum haul_status ended = end_one(options, store, &jobs[i], cancelled, output, answer);
        status = status == HAUL_OK ? ended : status;
    }
    if (store != NULL) {
        store->ops->close(store);
    }
    return status;
}

static enum haul_status nothing_to_cancel(const struct cancel_options *options, size_t over_count,
                                          struct haul_error *error)
{
    char word[SHELL_WORD_BYTES_MAX];
    (void)shell_word(options->database, "DIR", word, sizeof(word));
    if (over_count > 0) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                       "the job is over; its receiver does not know yet");
        haul_error_hint(error,
                        "`haul resolve --db %s --to ADDR:PORT` informs it, and so does the "
                        "next job that goes there; if it is lost or has forgotten its jobs: "
                        "`haul cancel --db %s --job ID --accept-two-owners`",
                        word, word);
    } else if (options->job != NULL) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "there is no job %s on %s", options->job,
                       options->database);
        haul_error_hint(error, "`haul status --db %s` lists those that there are", word);
    } else {
        haul_rocks_store_tidy(options->database); /* leftovers that an ended job could not remove */
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "there is no job on %s", options->database);
        haul_error_hint(error, "nothing to do");
    }
    return HAUL_NOT_FOUND;
}

/* A prefix of several ids selects none of them. Errors: INVALID. */
static enum haul_status check_selected(const struct cancel_options *options, size_t count,
                                       struct haul_error *error)
{
    char word[SHELL_WORD_BYTES_MAX];
    if (options->job == NULL || count < 2) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_INVALID, NULL, 0, "--job %s is the beginning of %zu ids",
                   options->job, count);
    haul_error_hint(error, "give more of the id; `haul status --db %s` lists the jobs",
                    shell_word(options->database, "DIR", word, sizeof(word)));
    return HAUL_INVALID;
}

static enum haul_status cancel_left(const struct cancel_options *options, size_t *cancelled,
                                    struct output *output, struct haul_error *error)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    size_t over_count = 0;
    size_t open_count = 0;
    enum haul_status status = haul_jobs_list(options->database, &jobs, &count, error);
    for (size_t i = 0; i < count; i++) {
        bool selected = is_selected(options, &jobs[i]);
        over_count += selected && job_text_is_over(&jobs[i]);
        open_count += selected && !job_text_is_over(&jobs[i]);
    }
    if (status == HAUL_OK) {
        status = check_selected(options, open_count + over_count, error);
    }
    if (status == HAUL_OK && open_count + (forgets_over(options) ? over_count : 0) == 0) {
        status = nothing_to_cancel(options, over_count, error);
    } else if (status == HAUL_OK) {
        status = give_up_all(options, jobs, count, cancelled, output, error);
    }
    free(jobs);
    return status;
}

/* Cancel what the ended command kept of its own job, but no job that was left there earlier. */
static enum haul_status cancel_kept(const struct cancel_options *options,
                                    const struct control_end *told, size_t *cancelled,
                                    struct output *output, struct haul_error *error)
{
    struct cancel_options its = *options;
    its.job = told->job;
    if (told->job[0] == '\0') { /* an older release does not send the id */
        *error = told->error;
        return error->status;
    }
    enum haul_status status = cancel_left(&its, cancelled, output, error);
    *cancelled = 1;
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* Its end is a success; cancel the jobs that are left there, if any. */
static enum haul_status cancel_idle(const struct cancel_options *options, size_t *cancelled,
                                    struct output *output, struct haul_error *error)
{
    output_line(output, "the receiver has ended");
    enum haul_status status = cancel_left(options, cancelled, output, error);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* The command has ended, but perhaps not because of this cancel. */
static enum haul_status look_how_it_ended(const struct cancel_options *options,
                                          const struct control_end *told, size_t *cancelled,
                                          struct output *output, struct haul_error *error)
{
    char word[SHELL_WORD_BYTES_MAX];
    if (!told->had_job) {
        return cancel_idle(options, cancelled, output, error);
    }
    *cancelled = 1;
    switch (told->error.status) {
    case HAUL_CANCELLED:
        return HAUL_OK;
    case HAUL_AGAIN: /* its process has died: what it had of the job is left */
        haul_error_set(error, HAUL_CLOSED, NULL, 0,
                       "the command ended without a word: whether its job is cancelled is unknown");
        haul_error_hint(error, "`haul status --db %s` shows what is left; `haul cancel` ends it",
                        shell_word(options->database, "DIR", word, sizeof(word)));
        *cancelled = 0;
        return HAUL_CLOSED;
    case HAUL_OK:
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                       "too late: the job was decided, and has ended well");
        haul_error_hint(error, "`haul owner --db %s` names the owner of its ranges",
                        shell_word(options->database, "DIR", word, sizeof(word)));
        return HAUL_NOT_FOUND;
    case HAUL_IN_DOUBT:
    case HAUL_UNCONFIRMED:
        *error = told->error;
        return error->status;
    default:
        return cancel_kept(options, told, cancelled, output, error);
    }
}

/* One job has ended; the command may still run others. */
static enum haul_status look_how_one_ended(const struct cancel_options *options,
                                           const struct control_end *told, size_t *cancelled,
                                           struct output *output, struct haul_error *error)
{
    bool known = told->error.status == HAUL_CANCELLED || told->error.status == HAUL_OK;
    if (known) {
        return look_how_it_ended(options, told, cancelled, output, error);
    }
    *error = told->error; /* what is left of it is the next attempt's, or the operator's */
    return error->status;
}

static int cancel(const struct cancel_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct control_end told;
    size_t cancelled = 0;
    bool single = is_about_single_jobs(options);
    enum haul_status status =
        single ? cancel_single(options, &told, &error) : cancel_running(options, &told, &error);
    if (status == HAUL_OK) {
        status = (single ? look_how_one_ended : look_how_it_ended)(options, &told, &cancelled,
                                                                   output, &error);
    } else if (status == HAUL_NOT_FOUND || status == HAUL_CLOSED) { /* it had just ended */
        status = cancel_left(options, &cancelled, output, &error);
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
    .summary = "end a database's job; before the decision nothing is lost",
    .synopsis = "--db DIR [options]",
    .details =
        "Ends a running job, and waits until it has ended. Before its decision the source keeps\n"
        "the ranges, and the receiver removes what it has of them; after its decision the job\n"
        "runs to its end. What other jobs left there stays. A receiver ends with all its jobs,\n"
        "also one that only listens; with --job only that job ends, and the receiver goes on. Then "
        "unfinished jobs that no process runs are given up the same way; a\n"
        "receiver's committed job needs no source and is finished.\n"
        "\n"
        "Exit code 10: too late, a job is decided or prepared; 'haul resolve' finishes it. If the\n"
        "other side is lost for good, --accept-two-owners ends the job anyway. A sender's decided\n"
        "job that is named (--job) then ends as handed over: for a receiver that owns the ranges\n"
        "and has lost its record.\n"
        "\n"
        "Examples:\n"
        "  haul cancel --db /data/a\n"
        "  haul cancel --db /data/b --job 5e1f --accept-two-owners\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_cancel,
};
