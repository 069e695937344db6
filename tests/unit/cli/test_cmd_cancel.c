/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmd_cancel.c — which jobs `haul cancel` ends, by which call, and what it reports of
 * others. */
#include "command.h"

#include <stdlib.h>

#include "check.h"
#include "control_socket.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/job.h"
#include "ran.h"
#include "running_job.h"

/* --- what stands behind the command ----------------------------------------------------------- */

static struct haul_job jobs[4];
static size_t job_count;
static enum haul_status list_answer;
static enum haul_status open_answer;
static enum haul_status client_answer;
static enum haul_status ask_answer;
static enum haul_status end_answer;
static enum haul_status told_status;
static bool had_job;
static char told_job[2 * HAUL_JOB_BYTES + 1];
static enum haul_status give_up_answers[4]; /* by job */
static enum haul_status force_answer;
static enum haul_status other_answer; /* calls that finish, end or forget a job */
static struct haul_rocks_options opened;
static uint32_t waited_ms;
static char said[512]; /* each call, with the first byte of its job */
static int closed_count;
static struct haul_job_progress parts[2]; /* of a receiver */
static size_t part_count;
static enum haul_status jobs_answer;
static const char *wanted_request;
static int client_fd;

static void say(const char *what, const struct haul_job *job)
{
    size_t used = strlen(said);
    (void)snprintf(said + used, sizeof(said) - used, "%s%s%02x", used == 0 ? "" : " ", what,
                   job == NULL ? 0U : job->id[0]);
}

static void begin(void)
{
    memset(jobs, 0, sizeof(jobs));
    for (size_t i = 0; i < CHECK_COUNT(jobs); i++) {
        memset(jobs[i].id, (int)(0x11 * (i + 1)), HAUL_JOB_BYTES);
        jobs[i].role = HAUL_JOB_SOURCE;
        (void)snprintf(jobs[i].phase, sizeof(jobs[i].phase), "COPYING");
        give_up_answers[i] = HAUL_OK;
    }
    job_count = 0;
    list_answer = open_answer = ask_answer = end_answer = HAUL_OK;
    told_status = HAUL_CANCELLED;
    had_job = true;
    (void)snprintf(told_job, sizeof(told_job), "22222222222222222222222222222222");
    force_answer = other_answer = HAUL_OK;
    client_answer = HAUL_NOT_FOUND;
    jobs_answer = HAUL_OK;
    memset(parts, 0, sizeof(parts));
    part_count = 0;
    wanted_request = "cancel";
    memset(&opened, 0, sizeof(opened));
    waited_ms = 0;
    said[0] = '\0';
    closed_count = 0;
}

static enum haul_status answer(enum haul_status status, const char *text, struct haul_error *error)
{
    return status == HAUL_OK ? HAUL_OK : haul_error_set(error, status, NULL, 0, "%s", text);
}

static void close_store(struct haul_store *store)
{
    (void)store;
    closed_count++;
}

static const struct haul_store_ops ops = {.close = close_store};
static struct haul_store store = {.ops = &ops};

enum haul_status __wrap_database_open(const char *directory,
                                      const struct haul_rocks_options *options,
                                      struct haul_store **out, struct output *output,
                                      struct haul_error *error);
enum haul_status __wrap_database_open(const char *directory,
                                      const struct haul_rocks_options *options,
                                      struct haul_store **out, struct output *output,
                                      struct haul_error *error)
{
    (void)output;
    check_text(directory, "/a");
    opened = *options;
    if (options->family_count > 0) {
        check_equal(options->family_count, 1);
        check_text(options->families[0], "default");
    }
    *out = open_answer == HAUL_OK ? &store : NULL;
    return answer(open_answer, "cannot open", error);
}

void __wrap_haul_rocks_store_tidy(const char *directory);
void __wrap_haul_rocks_store_tidy(const char *directory)
{
    check_text(directory, "/a");
    say("tidy", NULL);
}

enum haul_status __wrap_control_client_open(const char *database, int *fd,
                                            struct haul_error *error);
enum haul_status __wrap_control_client_open(const char *database, int *fd, struct haul_error *error)
{
    check_text(database, "/a");
    if (client_answer == HAUL_OK) {
        *fd = dup(STDOUT_FILENO);
        client_fd = *fd;
    }
    return answer(client_answer, "no socket", error);
}

enum haul_status __wrap_control_client_ask(int fd, const char *request,
                                           char text[CONTROL_PACKET_BYTES_MAX], uint32_t timeout_ms,
                                           struct haul_error *error);
enum haul_status __wrap_control_client_ask(int fd, const char *request,
                                           char text[CONTROL_PACKET_BYTES_MAX], uint32_t timeout_ms,
                                           struct haul_error *error)
{
    check_equal(fd, client_fd);
    check_equal(timeout_ms, 5000);
    if (strcmp(request, "jobs") == 0) {
        check(running_jobs_format(parts, part_count, text, CONTROL_PACKET_BYTES_MAX));
        return answer(jobs_answer, "no answer", error);
    }
    check_text(request, wanted_request);
    (void)snprintf(text, CONTROL_PACKET_BYTES_MAX, "ok");
    say("ask", NULL);
    return answer(ask_answer, "no answer", error);
}

enum haul_status __wrap_control_client_wait_end(int fd, uint32_t timeout_ms,
                                                struct control_end *told);
enum haul_status __wrap_control_client_wait_end(int fd, uint32_t timeout_ms,
                                                struct control_end *told)
{
    check_equal(fd, client_fd);
    haul_error_set(&told->error, told_status, NULL, 0, "told");
    told->had_job = had_job;
    (void)snprintf(told->job, sizeof(told->job), "%s", told_job);
    waited_ms = timeout_ms;
    return end_answer;
}

enum haul_status __wrap_control_client_wait_job(int fd, const char *job, uint32_t timeout_ms,
                                                struct control_end *told, struct haul_error *error);
enum haul_status __wrap_control_client_wait_job(int fd, const char *job, uint32_t timeout_ms,
                                                struct control_end *told, struct haul_error *error)
{
    check_equal(fd, client_fd);
    check_text(job, "33333333333333333333333333333333");
    haul_error_set(&told->error, told_status, NULL, 0, "told");
    told->had_job = true;
    waited_ms = timeout_ms;
    say("job", NULL);
    return answer(end_answer, "not ended", error);
}

void __wrap_control_client_wait_gone(int fd, uint32_t timeout_ms);
void __wrap_control_client_wait_gone(int fd, uint32_t timeout_ms)
{
    static const struct haul_job none;
    check(fd == client_fd && timeout_ms > 0);
    say("gone", &none);
}

enum haul_status __wrap_haul_jobs_list(const char *directory, struct haul_job **out, size_t *count,
                                       struct haul_error *error);
enum haul_status __wrap_haul_jobs_list(const char *directory, struct haul_job **out, size_t *count,
                                       struct haul_error *error)
{
    check_text(directory, "/a");
    *out = calloc(job_count + 1, sizeof(**out));
    check_or_stop(*out != NULL);
    memcpy(*out, jobs, job_count * sizeof(jobs[0]));
    *count = list_answer == HAUL_OK ? job_count : 0;
    return answer(list_answer, "cannot list", error);
}

#define JOB_CALL(name)                                                                             \
    enum haul_status __wrap_##name(struct haul_store *of, const struct haul_job *job, bool accept, \
                                   struct haul_error *error);                                      \
    enum haul_status __wrap_##name(struct haul_store *of, const struct haul_job *job, bool accept, \
                                   struct haul_error *error)

enum haul_status __wrap_haul_job_give_up(struct haul_store *of, const struct haul_job *job,
                                         struct haul_error *error);
enum haul_status __wrap_haul_job_give_up(struct haul_store *of, const struct haul_job *job,
                                         struct haul_error *error)
{
    check(of == &store);
    say("give-up", job);
    return answer(give_up_answers[job->id[0] / 0x11 - 1], "cannot give up", error);
}

JOB_CALL(haul_job_force_give_up)
{
    check(of == &store);
    say(accept ? "FORCE" : "force", job);
    return answer(force_answer, "cannot force", error);
}

JOB_CALL(haul_job_end_decided)
{
    check(of == &store && accept);
    say("end", job);
    return answer(other_answer, "cannot end", error);
}

JOB_CALL(haul_job_forget_over)
{
    check(of == &store && accept);
    say("forget", job);
    return answer(other_answer, "cannot forget", error);
}

enum haul_status __wrap_haul_job_finish(struct haul_store *of, const struct haul_hooks *hooks,
                                        const struct haul_job *job, struct haul_error *error);
enum haul_status __wrap_haul_job_finish(struct haul_store *of, const struct haul_hooks *hooks,
                                        const struct haul_job *job, struct haul_error *error)
{
    check(of == &store && hooks == NULL);
    say("finish", job);
    return answer(other_answer, "cannot finish", error);
}

/* --- a command that runs ---------------------------------------------------------------------- */

static bool is_open(int fd)
{
    int copy = dup(fd);
    return copy >= 0 && close(copy) == 0;
}

static void test_cancel__command_runs__asked_waited_for_and_let_go(void)
{
    begin();
    client_answer = HAUL_OK;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_text(ran.out.text, "cancelled 1 job\n");
    check_text(said, "ask00");
    check_equal(waited_ms, 60000);
    check(!is_open(client_fd));
    check_equal(run(&command_cancel, "--db /a --wait 2s --json"), EXIT_CODE_OK);
    check_equal(waited_ms, 2000);
    check_has(ran.out.text, "\"cancelled\":1");
    check_equal(run(&command_cancel, "--db /a -q"), EXIT_CODE_OK);
    check_text(ran.out.text, "");
}

/* Only a job that was really cancelled is reported as cancelled. */
static void test_cancel__command_ends_otherwise__says_how(void)
{
    static const struct {
        enum haul_status told;
        int exit_code;
        const char *says;
    } cases[] = {
        {HAUL_AGAIN, EXIT_CODE_TEMPORARY, "ended without a word"}, /* its process has died */
        {HAUL_CANCELLED, EXIT_CODE_OK, ""},
        {HAUL_OK, EXIT_CODE_PREFLIGHT, "too late: the job was decided"},
        {HAUL_IN_DOUBT, EXIT_CODE_IN_DOUBT, "told"},
        {HAUL_UNCONFIRMED, EXIT_CODE_PREFLIGHT, "told"},
        {HAUL_IO, EXIT_CODE_OK, ""}, /* and nothing is left of it */
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        client_answer = HAUL_OK;
        told_status = cases[i].told;
        check_equal(run(&command_cancel, "--db /a"), cases[i].exit_code);
        check_has(ran.err.text, cases[i].says);
        check_text(ran.out.text, cases[i].exit_code == EXIT_CODE_OK ? "cancelled 1 job\n" : "");
    }
}

/* Other jobs that were left there are not to be ended. */
static void test_cancel__command_fails_by_itself__only_its_own_job_is_given_up(void)
{
    begin();
    client_answer = HAUL_OK;
    told_status = HAUL_IO;
    job_count = 3;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_text(said, "ask00 give-up22");
    check_text(ran.out.text, "cancelled 1 job\n");
    begin();
    client_answer = HAUL_OK;
    told_status = HAUL_IO;
    job_count = 1; /* of another job; its own left nothing */
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_text(said, "ask00");
    begin();
    client_answer = HAUL_OK;
    told_status = HAUL_IO;
    told_job[0] = '\0'; /* an older release */
    job_count = 1;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_PERMANENT);
    check_text(said, "ask00");
    check_has(ran.err.text, "told");
}

/* A receiver that only listens has no job: end those that are left there. */
static void test_cancel__receiver_without_a_job__what_is_left_is_given_up(void)
{
    begin();
    client_answer = HAUL_OK;
    had_job = false;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_has(ran.err.text, "the receiver has ended");
    check(strstr(ran.err.text, "error") == NULL);
    check_text(ran.out.text, "cancelled 0 jobs\n");
    begin();
    client_answer = HAUL_OK;
    had_job = false;
    list_answer = HAUL_IO;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_PERMANENT);
    check_has(ran.err.text, "cannot list");
    begin();
    client_answer = HAUL_OK;
    had_job = false;
    job_count = 1;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "cancelled 1 job\n");
}

static void test_cancel__command_does_not_end__each_cause(void)
{
    begin();
    client_answer = HAUL_OK;
    end_answer = HAUL_TIMEOUT;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "the job has not ended yet");
    check_text(ran.out.text, "");
    begin();
    client_answer = HAUL_OK;
    ask_answer = HAUL_TIMEOUT;
    check_equal(run(&command_cancel, "--db /a --json"), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "no answer");
    check_has(ran.out.text, "\"TIMEOUT\"");
    check_equal(waited_ms, 0);
    begin();
    client_answer = HAUL_OK;
    ask_answer = HAUL_CLOSED; /* the command has just ended, and left nothing */
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_PREFLIGHT);
    check_text(ran.out.text, "");
    begin();
    client_answer = HAUL_OK;
    ask_answer = HAUL_CLOSED; /* and left a job */
    job_count = 1;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_text(ran.out.text, "cancelled 1 job\n");
    check_has(said, "ask00 gone00 "); /* it still has the database until then */
    begin();
    client_answer = HAUL_IO;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_PERMANENT);
    check_has(ran.err.text, "no socket");
    check_text(said, "");
}

/* A receiver runs two jobs; `told`: how the one that is named ends. */
static int cancel_of_receiver(const char *line, enum haul_status told)
{
    begin();
    client_answer = HAUL_OK;
    part_count = 2;
    memset(parts[0].job, 0x33, HAUL_JOB_BYTES);
    memset(parts[1].job, 0x34, HAUL_JOB_BYTES);
    wanted_request = "cancel 33333333333333333333333333333333";
    told_status = told;
    return run(&command_cancel, line);
}

static void test_cancel__job_of_a_receiver__only_that_one(void)
{
    check_equal(cancel_of_receiver("--db /a --job 3333 --wait 2s", HAUL_CANCELLED), EXIT_CODE_OK);
    check_text(ran.out.text, "cancelled 1 job\n");
    check_equal(waited_ms, 2000);
    check(strncmp(said, "ask", 3) == 0 && strstr(said, "job") != NULL);
    check(!is_open(client_fd));
    check_equal(cancel_of_receiver("--db /a --job 3333", HAUL_OK), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "too late: the job was decided");
    check_equal(cancel_of_receiver("--db /a --job 3333", HAUL_CLOSED), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "told");
    check_equal(cancel_of_receiver("--db /a --job 3", HAUL_CANCELLED), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "a command runs on /a"); /* it does not name one job */
    check_text(said, "");
}

static void test_cancel__left_job_named_while_a_command_runs__refused(void)
{
    static const char *const lines[] = {"--db /a --job 11", "--db /a --accept-two-owners"};
    for (size_t i = 0; i < CHECK_COUNT(lines); i++) {
        begin();
        job_count = 1;
        client_answer = HAUL_OK;
        check_equal(run(&command_cancel, lines[i]), EXIT_CODE_TEMPORARY);
        check_has(ran.err.text, "a command runs on /a: `haul status --db /a` names it");
        check_text(said, "");
        check(!is_open(client_fd));
    }
    begin();
    client_answer = HAUL_IO;
    check_equal(run(&command_cancel, "--db /a --job 11"), EXIT_CODE_PERMANENT);
}

/* --- jobs that were left ---------------------------------------------------------------------- */

static void test_cancel__left_jobs__all_or_the_one_that_is_named(void)
{
    static const struct {
        const char *line;
        const char *said;
        const char *out;
    } cases[] = {
        {"--db /a", "give-up11 give-up22", "cancelled 2 jobs\n"},
        {"--db /a --job 22", "give-up22", "cancelled 1 job\n"},
        {"--db /a --job 2222222222222222", "give-up22", "cancelled 1 job\n"},
        {"--db /a -q", "give-up11 give-up22", ""},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        job_count = 2;
        check_equal(run(&command_cancel, cases[i].line), EXIT_CODE_OK);
        check_text(said, cases[i].said);
        check_text(ran.out.text, cases[i].out);
        check_equal(closed_count, 1);
    }
    begin();
    job_count = 2;
    check_equal(run(&command_cancel, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"status\":\"ok\",\"exit_code\":0,\"error\":null");
    check_has(ran.out.text, "\"cancelled\":2");
}

/* Source jobs only: only journals are read or written. */
static void test_cancel__roles__how_the_database_is_opened(void)
{
    begin();
    job_count = 2;
    check_equal(run(&command_cancel, "--db /a --wal-dir /w"), EXIT_CODE_OK);
    check_text(opened.wal_dir, "/w");
    check(opened.read_only && opened.keep_log && !opened.create_if_missing);
    check_equal(opened.family_count, 1);
    begin();
    job_count = 2;
    jobs[1].role = HAUL_JOB_TARGET;
    jobs[1].claim = HAUL_JOB_YIELDS;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check(!opened.read_only && !opened.keep_log);
    check_equal(opened.family_count, 0);
    check_equal(run(&command_cancel, "--db /a --job 11"), EXIT_CODE_OK);
    check(opened.read_only && opened.keep_log);
}

static void test_cancel__no_such_job__named_with_what_to_do(void)
{
    static const struct {
        const char *line;
        size_t count;
        const char *message;
        const char *said;
    } cases[] = {
        {"--db /a", 0, "there is no job on /a: nothing to do", "tidy00"},
        {"--db /a --job 33", 2, "there is no job 33 on /a: `haul status --db /a` lists those", ""},
        {"--db /a --job 33 --accept-two-owners", 2, "there is no job 33 on /a", ""},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        job_count = cases[i].count;
        check_equal(run(&command_cancel, cases[i].line), EXIT_CODE_PREFLIGHT);
        check_has(ran.err.text, cases[i].message);
        check_text(said, cases[i].said);
        check_equal(closed_count, 0);
    }
}

static void test_cancel__beginning_of_two_ids__names_none(void)
{
    begin();
    job_count = 3;
    memset(jobs[1].id, 0x11, HAUL_JOB_BYTES - 1);
    check_equal(run(&command_cancel, "--db /a --job 1111"), EXIT_CODE_USAGE);
    check_has(ran.err.text, "--job 1111 is the beginning of 2 ids: give more of the id");
    check_text(said, "");
}

static void test_cancel__a_failure__the_first_is_the_answer_and_the_others_are_tried(void)
{
    begin();
    job_count = 3;
    give_up_answers[0] = HAUL_BUSY;
    give_up_answers[1] = HAUL_IO;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_TEMPORARY);
    check_text(said, "give-up11 give-up22 give-up33");
    check_has(ran.err.text, "cannot give up");
    check_equal(closed_count, 1);
    begin();
    job_count = 1;
    list_answer = HAUL_CORRUPT;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "cannot list");
    begin();
    job_count = 1;
    open_answer = HAUL_BUSY;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "cannot open");
    check_text(said, "");
    check_equal(closed_count, 0);
}

/* --- jobs in doubt, decided, over, damaged, committed ----------------------------------------- */

static void test_cancel__in_doubt__forced_only_when_it_is_accepted(void)
{
    static const enum haul_status answers[] = {HAUL_IN_DOUBT, HAUL_UNCONFIRMED};
    for (size_t i = 0; i < CHECK_COUNT(answers); i++) {
        begin();
        job_count = 1;
        jobs[0].role = HAUL_JOB_TARGET;
        jobs[0].claim = HAUL_JOB_IN_DOUBT;
        give_up_answers[0] = answers[i];
        check_equal(run(&command_cancel, "--db /a"),
                    i == 0 ? EXIT_CODE_IN_DOUBT : EXIT_CODE_PREFLIGHT);
        check_text(said, "give-up11");
        check_equal(strstr(ran.err.text, "`haul cancel --db /a --job 11111111 "
                                         "--accept-two-owners`") != NULL,
                    i == 0);
        said[0] = '\0';
        check_equal(run(&command_cancel, "--db /a --accept-two-owners"), EXIT_CODE_OK);
        check_text(said, "give-up11 FORCE11");
        check_text(ran.out.text, "cancelled 1 job\n");
        force_answer = HAUL_STORE;
        check_equal(run(&command_cancel, "--db /a --accept-two-owners"), EXIT_CODE_PERMANENT);
        check_has(ran.err.text, "cannot force");
    }
    begin();
    job_count = 1;
    give_up_answers[0] = HAUL_BUSY; /* no flag helps */
    check_equal(run(&command_cancel, "--db /a --accept-two-owners"), EXIT_CODE_TEMPORARY);
    check_text(said, "give-up11");
}

static void test_cancel__damaged_journal__is_never_given_up_as_a_sound_one(void)
{
    begin();
    job_count = 1;
    jobs[0].condition = HAUL_JOB_DAMAGED;
    force_answer = HAUL_UNCONFIRMED;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_PREFLIGHT);
    check_text(said, "force11");
    said[0] = '\0';
    force_answer = HAUL_OK;
    check_equal(run(&command_cancel, "--db /a --accept-two-owners"), EXIT_CODE_OK);
    check_text(said, "FORCE11");
}

static void test_cancel__decided_source__ends_only_when_it_is_named_and_accepted(void)
{
    static const char *const refused[] = {"--db /a", "--db /a --job 11",
                                          "--db /a --accept-two-owners"};
    for (size_t i = 0; i < CHECK_COUNT(refused); i++) {
        begin();
        job_count = 1;
        give_up_answers[0] = force_answer = HAUL_IN_DOUBT;
        check_equal(run(&command_cancel, refused[i]), EXIT_CODE_IN_DOUBT);
        check_has(ran.err.text, "`haul resolve --db /a --to ADDR:PORT` finishes it");
        check_has(ran.err.text, "--job 11111111 --accept-two-owners");
        check(strstr(said, "end11") == NULL);
    }
    begin();
    job_count = 1;
    give_up_answers[0] = force_answer = HAUL_IN_DOUBT;
    check_equal(run(&command_cancel, "--db /a --job 11 --accept-two-owners"), EXIT_CODE_OK);
    check_text(said, "give-up11 FORCE11 end11");
    check_has(ran.err.text, "job 11111111 ends as it was decided: `haul owner` names the owner");
    check_text(ran.out.text, "cancelled 0 jobs\n");
    other_answer = HAUL_IO;
    check_equal(run(&command_cancel, "--db /a --job 11 --accept-two-owners"), EXIT_CODE_PERMANENT);
    check(strstr(ran.err.text, "ends as it was decided") == NULL);
}

static void make_over(struct haul_job *job)
{
    job->role = HAUL_JOB_SOURCE;
    job->claim = HAUL_JOB_SERVES;
    (void)snprintf(job->phase, sizeof(job->phase), "ABORTED");
}

static void test_cancel__job_that_is_over__forgotten_only_when_it_is_named_and_accepted(void)
{
    static const char *const refused[] = {"--db /a", "--db /a --job 11",
                                          "--db /a --accept-two-owners"};
    for (size_t i = 0; i < CHECK_COUNT(refused); i++) {
        begin();
        job_count = 1;
        make_over(&jobs[0]);
        check_equal(run(&command_cancel, refused[i]), EXIT_CODE_PREFLIGHT);
        check_has(ran.err.text, "the job is over; its receiver does not know yet: "
                                "`haul resolve --db /a --to ADDR:PORT` informs it");
        check_text(said, "");
    }
    begin();
    job_count = 1;
    make_over(&jobs[0]);
    check_equal(run(&command_cancel, "--db /a --job 11 --accept-two-owners"), EXIT_CODE_OK);
    check_text(said, "forget11");
    check_text(ran.out.text, "cancelled 1 job\n");
    check_has(ran.err.text, "job 11111111 is forgotten");
    other_answer = HAUL_BUSY;
    check_equal(run(&command_cancel, "--db /a --job 11 --accept-two-owners"), EXIT_CODE_TEMPORARY);
    check(strstr(ran.err.text, "is forgotten") == NULL);
}

/* A job that is over is tried beside an open one, and not counted. */
static void test_cancel__one_over_and_one_open__one_is_counted(void)
{
    begin();
    job_count = 2;
    make_over(&jobs[0]);
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_text(said, "give-up11 give-up22");
    check_text(ran.out.text, "cancelled 1 job\n");
}

static void test_cancel__committed_target__finished_and_not_counted(void)
{
    begin();
    job_count = 1;
    jobs[0].role = HAUL_JOB_TARGET;
    jobs[0].claim = HAUL_JOB_SERVES;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_OK);
    check_text(said, "finish11");
    check_has(ran.err.text, "job 11111111 was committed and is finished: this database owns");
    check_text(ran.out.text, "cancelled 0 jobs\n");
    other_answer = HAUL_STORE;
    check_equal(run(&command_cancel, "--db /a"), EXIT_CODE_PERMANENT);
    check(strstr(ran.err.text, "is finished") == NULL);
}

static void test_cancel__no_database_or_a_wait_beyond_its_limit__usage(void)
{
    begin();
    check_equal(run(&command_cancel, "--job 11"), EXIT_CODE_USAGE);
    check_has(ran.err.text, "cancel needs --db DIR");
    check_equal(run(&command_cancel, "--db /a --wait 0"), EXIT_CODE_USAGE);
    check_equal(run(&command_cancel, "--db /a --wait 86400001ms"), EXIT_CODE_USAGE);
    client_answer = HAUL_OK;
    check_equal(run(&command_cancel, "--db /a --wait 1ms"), EXIT_CODE_OK);
    check_equal(run(&command_cancel, "--db /a --wait 24h"), EXIT_CODE_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_cancel__command_runs__asked_waited_for_and_let_go),
    CHECK_TEST(test_cancel__command_ends_otherwise__says_how),
    CHECK_TEST(test_cancel__command_fails_by_itself__only_its_own_job_is_given_up),
    CHECK_TEST(test_cancel__receiver_without_a_job__what_is_left_is_given_up),
    CHECK_TEST(test_cancel__command_does_not_end__each_cause),
    CHECK_TEST(test_cancel__job_of_a_receiver__only_that_one),
    CHECK_TEST(test_cancel__left_job_named_while_a_command_runs__refused),
    CHECK_TEST(test_cancel__left_jobs__all_or_the_one_that_is_named),
    CHECK_TEST(test_cancel__roles__how_the_database_is_opened),
    CHECK_TEST(test_cancel__no_such_job__named_with_what_to_do),
    CHECK_TEST(test_cancel__beginning_of_two_ids__names_none),
    CHECK_TEST(test_cancel__a_failure__the_first_is_the_answer_and_the_others_are_tried),
    CHECK_TEST(test_cancel__in_doubt__forced_only_when_it_is_accepted),
    CHECK_TEST(test_cancel__damaged_journal__is_never_given_up_as_a_sound_one),
    CHECK_TEST(test_cancel__decided_source__ends_only_when_it_is_named_and_accepted),
    CHECK_TEST(test_cancel__job_that_is_over__forgotten_only_when_it_is_named_and_accepted),
    CHECK_TEST(test_cancel__one_over_and_one_open__one_is_counted),
    CHECK_TEST(test_cancel__committed_target__finished_and_not_counted),
    CHECK_TEST(test_cancel__no_database_or_a_wait_beyond_its_limit__usage),
};
CHECK_MAIN("cmd_cancel", tests)
