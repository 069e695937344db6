/* SPDX-License-Identifier: Apache-2.0 */
/* migration_run.c — what `send`, `resume`, `resolve` and `recv` have in common. */
#include "migration_run.h"

#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/store.h"
#include "haul/text_escape.h"
#include "human_size.h"
#include "json_output.h"
#include "progress.h"
#include "shell_word.h"

/* The directory as one shell word, for text output. */
enum { PATH_TEXT_BYTES_MAX = 1024 };

/* `migration` NULL: there is none yet. */
static void answer_status(struct haul_migration *migration, struct signal_watch *signals,
                          struct progress *progress)
{
    if (signal_watch_take_request(signals) && signal_watch_number(signals) == 0) {
        struct haul_progress figures = {.phase = HAUL_PHASE_CONNECTING};
        if (migration != NULL) {
            haul_migration_progress(migration, &figures);
        }
        progress_answer(progress, &figures);
    }
}

/* Poll order: the end, a signal, then the control socket's descriptors. */
enum { WAIT_END, WAIT_SIGNAL, WAIT_CONTROL, WAIT_COUNT = WAIT_CONTROL + CONTROL_POLL_COUNT };

void migration_run_lead(struct migration_watch *watch, struct output *output)
{
    struct progress progress;
    progress_init(&progress, output);
    struct pollfd waits[WAIT_COUNT] = {
        [WAIT_END] = {.fd = -1},
        [WAIT_SIGNAL] = {.fd = watch->signals.wake_fd, .events = POLLIN},
    };
    const struct migration_list none = {.count = 0};
    uint32_t left_ms = load_writer_lead_ms(watch->load);
    while (left_ms > 0 && !watch->control.cancelled && signal_watch_number(&watch->signals) == 0) {
        control_server_wait(&watch->control, &waits[WAIT_CONTROL]);
        if (poll(waits, WAIT_COUNT, (int)left_ms) > 0) {
            if ((waits[WAIT_SIGNAL].revents & POLLIN) != 0) {
                answer_status(NULL, &watch->signals, &progress);
            }
            control_server_serve(&watch->control, &waits[WAIT_CONTROL], &none);
        }
        left_ms = load_writer_lead_ms(watch->load);
    }
}

/* Every command but `send`, `resume` and `resolve` receives. */
static bool is_receiver(const struct output *output)
{
    return strcmp(output->command, "recv") == 0;
}

static void wait_for_end(struct haul_migration *migration, struct migration_watch *watch,
                         struct output *output, struct haul_result *result)
{
    struct progress progress;
    progress_init(&progress, output);
    signal_watch_set(&watch->signals, migration);
    if (watch->control.cancelled) {
        haul_migration_cancel(migration);
    }
    struct pollfd waits[WAIT_COUNT] = {
        [WAIT_END] = {.fd = haul_migration_fd(migration), .events = POLLIN},
        [WAIT_SIGNAL] = {.fd = watch->signals.wake_fd, .events = POLLIN},
    };
    struct migration_list one = migration_list_of(is_receiver(output) ? migration : NULL);
    if (!is_receiver(output)) {
        migration_list_add_source(&one, migration);
    }
    while ((waits[WAIT_END].revents & POLLIN) == 0) {
        struct haul_progress figures;
        haul_migration_progress(migration, &figures);
        uint32_t wait_ms = progress_show(&progress, &figures);
        control_server_wait(&watch->control, &waits[WAIT_CONTROL]);
        if (poll(waits, WAIT_COUNT, (int)wait_ms) <= 0) {
            waits[WAIT_END].revents = 0;
            continue;
        }
        if ((waits[WAIT_SIGNAL].revents & POLLIN) != 0) {
            answer_status(migration, &watch->signals, &progress);
        }
        control_server_serve(&watch->control, &waits[WAIT_CONTROL], &one);
    }
    while (!haul_migration_ended(migration, UINT32_MAX)) {
        /* The descriptor is readable, so the migration ends within moments. */
    }
    *result = *haul_migration_result(migration);
    signal_watch_set(&watch->signals, NULL);
    output_bar_clear(output);
}

/* `resolve` has found no job to settle. */
static bool is_settled(const struct haul_result *result, const struct output *output)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    return strcmp(output->command, "resolve") == 0 && memcmp(result->job, none, sizeof(none)) == 0;
}

void migration_run_look_at_copy(struct migration_watch *watch)
{
    struct haul_error reason = {.status = HAUL_OK};
    enum haul_status status = haul_rocks_store_check_families(watch->directory, &reason);
    bool can_drop = status != HAUL_UNSUPPORTED && status != HAUL_MISMATCH;
    (void)snprintf(watch->no_drop, sizeof(watch->no_drop), "%s", can_drop ? "" : reason.text);
}

static void print_copy(const struct migration_watch *watch)
{
    char word[PATH_TEXT_BYTES_MAX];
    (void)shell_word(watch->directory, "DIR", word, sizeof(word));
    if (watch->no_drop[0] == '\0') {
        (void)printf("the receiver owns them now; the copy here stays until `haul drop --db %s` "
                     "deletes it\n",
                     word);
    } else {
        (void)printf("the receiver owns them now; the copy here stays until the program of this "
                     "database deletes it: `haul drop --db %s` cannot open it, %s\n",
                     word, watch->no_drop);
    }
}

static void print_summary(const struct haul_result *result, const struct migration_watch *watch,
                          const struct output *output)
{
    const struct haul_progress *figures = &result->progress;
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char seconds[HUMAN_TEXT_BYTES_MAX];
    char speed[HUMAN_TEXT_BYTES_MAX];
    char rate[HUMAN_TEXT_BYTES_MAX + 4];
    char reason[2 * sizeof(result->fallback_reason)];
    bool sending = !is_receiver(output);
    if (result->told_count > 0) {
        bool one = result->told_count == 1;
        (void)printf("the receiver was informed of %u job%s over, and has nothing left of %s\n",
                     result->told_count, one ? " that is" : "s that are", one ? "it" : "them");
        return;
    }
    if (result->yielded_count > 0) {
        (void)printf("the receiver owns the ranges of %u job%s; the record shows that now\n",
                     result->yielded_count, result->yielded_count == 1 ? "" : "s");
        return;
    }
    if (is_settled(result, output)) {
        (void)printf("nothing is in doubt: the receiver owns by the last job from here\n");
        return;
    }
    (void)haul_text_escape(result->fallback_reason, strlen(result->fallback_reason), reason,
                           sizeof(reason));
    human_bytes((double)figures->bytes, bytes);
    human_seconds(figures->seconds, seconds);
    human_bytes(figures->seconds > 0 ? (double)figures->bytes / figures->seconds : 0, speed);
    (void)snprintf(rate, sizeof(rate), "%s/s", speed);
    (void)printf("%s %" PRIu64 " records, %s in %s (%s) over %s%s%s%s; %s\n",
                 sending ? "sent" : "received", figures->records, bytes, seconds,
                 result->resumed ? "a part had arrived earlier" : rate,
                 haul_transport_name(figures->transport), reason[0] != '\0' ? " (" : "", reason,
                 reason[0] != '\0' ? ")" : "",
                 result->verified ? "verified: count and digest are equal" : "not verified");
    if (sending) {
        (void)printf("config version %" PRIu64 " -> %" PRIu64 ", writes paused for %.1f ms\n",
                     result->old_version, result->new_version, result->write_pause_ms);
        print_copy(watch);
    }
}

/* Print the hint in the error line, where the user looks: an interrupted job can continue. */
static void hint_resume(const struct migration_watch *watch, struct haul_error *error)
{
    bool temporary = exit_code_of(error->status, 0) == EXIT_CODE_TEMPORARY;
    if (error->hint[0] != '\0' || !temporary) {
        return;
    }
    if (watch->peer == NULL) {
        if (error->status == HAUL_STOPPED) {
            haul_error_hint(error, "start it again; an interrupted job continues");
        }
        return;
    }
    if (error->status == HAUL_STOPPED) {
        char directory[SHELL_WORD_BYTES_MAX];
        char peer[SHELL_WORD_BYTES_MAX];
        haul_error_hint(error,
                        "the same command continues, and so does `haul resume --db %s --to %s`",
                        shell_word(watch->directory, "DIR", directory, sizeof(directory)),
                        shell_word(watch->peer, "ADDR:PORT", peer, sizeof(peer)));
    } else {
        haul_error_hint(error, "%s; the same command continues with what has arrived",
                        output_hint(error));
    }
}

static void print_load(const struct load_result *load)
{
    (void)printf("load: %" PRIu64 " writes; p99 %.0f us before, %.0f us during the migration; "
                 "longest gap %.1f ms\n",
                 load->before.writes + load->during.writes, load->before.p99_us,
                 load->during.p99_us, load->longest_gap_ms);
}

/* `load` NULL: no load ran. */
static int report(const struct haul_result *result, const struct load_result *load,
                  int signal_number, const struct migration_watch *watch, struct output *output)
{
    struct haul_error error = result->error;
    enum haul_status status = result->status;
    if (status == HAUL_OK && load != NULL && load->error.status != HAUL_OK) {
        error = load->error;
        status = load->error.status;
    }
    int exit_code = exit_code_of(status, signal_number);
    if (status != HAUL_OK) {
        error.status = status;
        hint_resume(watch, &error);
        output_error(output, &error);
    }
    if (output->options.json) {
        json_output_migration(output->command, result, load, &error, exit_code);
    } else if (status == HAUL_OK && !output->options.quiet) {
        print_summary(result, watch, output);
        if (load != NULL) {
            print_load(load);
        }
    }
    return exit_code;
}

void migration_run_job_ended(const struct haul_result *result, const struct migration_watch *watch,
                             struct output *output)
{
    struct haul_error error = result->error;
    error.status = result->status;
    output_bar_clear(output);
    if (output->options.json) {
        json_output_migration(output->command, result, NULL, &error,
                              exit_code_of(result->status, 0));
    } else if (result->status == HAUL_OK && !output->options.quiet) { /* else it is logged */
        print_summary(result, watch, output);
        (void)fflush(stdout);
    }
}

int migration_run_refused(enum haul_status status, struct haul_error *error,
                          const struct migration_watch *watch, struct output *output)
{
    struct haul_result result = {.status = status};
    error->status = status;
    result.error = *error;
    const struct control_end end = {.error = *error, .had_job = true};
    control_server_tell_end(&watch->control, &end);
    return report(&result, NULL, 0, watch, output);
}

/* In JSON: the copy that was given away needs another way out than `haul drop`. */
static void warn_of_copy(struct haul_result *result, const struct migration_watch *watch)
{
    if (result->verified && result->warning[0] == '\0' && watch->no_drop[0] != '\0') {
        (void)snprintf(result->warning, sizeof(result->warning),
                       "`haul drop` cannot delete the copy here: %.190s", watch->no_drop);
    }
}

int migration_run_finish(struct haul_migration *migration, struct migration_watch *watch,
                         struct output *output)
{
    struct haul_result result = {.status = HAUL_AGAIN};
    wait_for_end(migration, watch, output, &result);
    static const uint8_t no_job[HAUL_JOB_BYTES];
    struct control_end end = {.error = result.error,
                              .had_job = memcmp(result.job, no_job, HAUL_JOB_BYTES) != 0};
    end.error.status = result.status;
    if (end.had_job) {
        json_output_job(result.job, end.job);
    }
    control_server_tell_end(&watch->control, &end);
    /* `result` borrows strings from the migration. */
    struct haul_option_difference *differences =
        calloc(result.option_difference_count + 1, sizeof(*differences));
    for (size_t i = 0; differences != NULL && i < result.option_difference_count; i++) {
        differences[i] = result.option_differences[i];
    }
    result.option_difference_count = differences == NULL ? 0 : result.option_difference_count;
    result.option_differences = differences;
    haul_migration_destroy(migration);
    struct load_result load;
    bool loaded = watch->load != NULL;
    if (loaded) {
        load_writer_stop(watch->load, &load);
        watch->load = NULL;
    }
    if (result.status == HAUL_OK && !is_receiver(output)) {
        migration_run_look_at_copy(watch);
        warn_of_copy(&result, watch);
    }
    int exit_code =
        report(&result, loaded ? &load : NULL, signal_watch_number(&watch->signals), watch, output);
    free(differences);
    return exit_code;
}

/* The migration runs even if its control socket cannot be made. */
static void open_control(struct migration_watch *watch, const char *directory,
                         struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    char text[512];
    if (control_server_open(&watch->control, directory, output->command, &error) != HAUL_OK) {
        haul_error_format(&error, text, sizeof(text));
        haul_log(&output->log, HAUL_LOG_WARNING, "`haul status` will not find this job: %s", text);
    }
}

/* A job does not fail because its socket cannot be removed. */
static void hide_control(struct migration_watch *watch, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    char text[512];
    if (control_server_hide(&watch->control, &error) != HAUL_OK) {
        haul_error_format(&error, text, sizeof(text));
        haul_log(&output->log, HAUL_LOG_WARNING, "the next command will clean this up: %s", text);
    }
}

static int run_store(const char *directory, const struct migration_work *work,
                     struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct migration_watch watch = {.directory = directory, .peer = work->peer};
    ended_jobs_init(&watch.ended);
    enum haul_status status = signal_watch_init(&watch.signals, output, &error);
    if (status != HAUL_OK) {
        ended_jobs_fini(&watch.ended);
        return migration_run_refused(status, &error, &watch, output);
    }
    struct haul_rocks_options rocks = {.size_bytes = sizeof(rocks),
                                       .wal_dir = work->wal_dir,
                                       .create_if_missing = work->create,
                                       .keep_log = work->keep_log,
                                       .read_only = work->read_only,
                                       .flush_at_close = work->create,
                                       .families = work->families,
                                       .family_count = work->family_count,
                                       .families_of_jobs = work->families_of_jobs,
                                       .log = &output->log};
    struct haul_store *store = NULL;
    status = database_open(directory, &rocks, &store, output, &error);
    int exit_code = 0;
    if (status == HAUL_OK) {
        /* From here on a signal must leave everything in order, before the job and after it. */
        signal_watch_set_polled(&watch.signals);
        open_control(&watch, directory, output);
        watch.control.ended = &watch.ended;
        exit_code = work->run(store, work->options, &watch, output);
        hide_control(&watch, output);
        store->ops->close(store);
        control_server_close(&watch.control);
    } else {
        exit_code = migration_run_refused(status, &error, &watch, output);
    }
    signal_watch_fini(&watch.signals);
    ended_jobs_fini(&watch.ended);
    return exit_code;
}

int migration_run_store(const char *directory, const struct migration_work *work,
                        struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = trust_options_load(work->trust, &output->log, &error);
    int exit_code = status == HAUL_OK ? run_store(directory, work, output)
                                      : command_failed(status, &error, 0, output);
    trust_options_fini(work->trust);
    return exit_code;
}
