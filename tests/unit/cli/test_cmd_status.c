/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmd_status.c — what `haul status` prints of a running command and of unfinished jobs, number
 * by number. */
#include "command.h"

#include <stdlib.h>

#include "check.h"
#include "control_socket.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/job.h"
#include "haul/owner.h"
#include "ran.h"
#include "running_job.h"

static struct haul_job jobs[4];
static size_t job_count;
static enum haul_status list_answer;
static enum haul_status check_answer;
static enum haul_status client_answer;
static enum haul_status ask_answer;
static enum haul_status owner_answer;
static const char *noise; /* instead of an answer */
static struct running_job running;
static struct haul_job_progress parts[2]; /* of a receiver */
static size_t part_count;
static enum haul_status jobs_answer;
static int client_fd;

static void begin(void)
{
    memset(jobs, 0, sizeof(jobs));
    for (size_t i = 0; i < CHECK_COUNT(jobs); i++) {
        memset(jobs[i].id, (int)(0x11 * (i + 1)), HAUL_JOB_BYTES);
        jobs[i].role = HAUL_JOB_SOURCE;
        jobs[i].epoch = 7;
        (void)snprintf(jobs[i].phase, sizeof(jobs[i].phase), "COPYING");
        (void)snprintf(jobs[i].sentence, sizeof(jobs[i].sentence), "records go");
    }
    job_count = 0;
    list_answer = check_answer = ask_answer = owner_answer = HAUL_OK;
    client_answer = HAUL_NOT_FOUND;
    noise = NULL;
    jobs_answer = HAUL_OK;
    memset(parts, 0, sizeof(parts));
    part_count = 0;
    running = (struct running_job){
        .command = "send",
        .phase = "copying",
        .pid = 4711,
        .figures = {.records = 11,
                    .bytes = 2000,
                    .bytes_expected = 3000000,
                    .lag_bytes = 4000,
                    .durable_records = 5,
                    .durable_bytes = 6000,
                    .seconds = 7.5},
    };
    client_fd = -1;
}

static enum haul_status answer(enum haul_status status, const char *text, struct haul_error *error)
{
    return status == HAUL_OK ? HAUL_OK : haul_error_set(error, status, NULL, 0, "%s", text);
}

enum haul_status __wrap_database_check(const char *directory, struct haul_error *error);
enum haul_status __wrap_database_check(const char *directory, struct haul_error *error)
{
    check_text(directory, "/a");
    return answer(check_answer, "no database", error);
}

enum haul_status __wrap_control_client_open(const char *database, int *fd,
                                            struct haul_error *error);
enum haul_status __wrap_control_client_open(const char *database, int *fd, struct haul_error *error)
{
    check_text(database, "/a");
    if (client_answer == HAUL_OK) {
        *fd = client_fd = dup(STDOUT_FILENO);
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
    check_text(request, "status");
    if (noise != NULL) {
        (void)snprintf(text, CONTROL_PACKET_BYTES_MAX, "%s", noise);
    } else {
        check(running_job_format(&running, text, CONTROL_PACKET_BYTES_MAX));
    }
    return answer(ask_answer, "no answer", error);
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
    *count = job_count;
    return answer(list_answer, "cannot list", error);
}

enum haul_status __wrap_haul_owner_read(const char *directory, struct haul_owner **owner,
                                        struct haul_error *error);
enum haul_status __wrap_haul_owner_read(const char *directory, struct haul_owner **owner,
                                        struct haul_error *error)
{
    check_text(directory, "/a");
    *owner = NULL;
    return answer(owner_answer, "no record", error);
}

static void test_status__ownership_record_is_damaged__its_way_out_comes_first(void)
{
    begin();
    job_count = 1;
    owner_answer = HAUL_CORRUPT;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check(strstr(ran.out.text, "the ownership record is damaged") == ran.out.text);
    check_has(ran.out.text, "haul owner --db /a --rebuild\njob 1111");
    check_equal(run(&command_status, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"record_way_out\":\"haul owner --db /a --rebuild\"");
    owner_answer = HAUL_IO;
    check_equal(run(&command_status, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"record_way_out\":null");
}

static void test_status__command_runs__each_figure(void)
{
    begin();
    client_answer = HAUL_OK;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_text(ran.out.text,
               "running: haul send (process 4711), copying: 11 records, 2.0 kB of about 3.0 MB, "
               "lag 4.0 kB, 7.5 s\n"
               "  safe on the target: 5 records, 6.0 kB of the copy\n");
    int copy = dup(client_fd);
    check(copy < 0); /* the connection is closed again */
}

static void test_status__receiver_runs_two_jobs__a_line_and_an_object_for_each(void)
{
    begin();
    client_answer = HAUL_OK;
    part_count = 2;
    memset(parts[0].job, 0x33, HAUL_JOB_BYTES);
    memset(parts[1].job, 0x44, HAUL_JOB_BYTES);
    (void)snprintf(parts[0].peer, sizeof(parts[0].peer), "10.0.0.7:4711");
    parts[0].progress = (struct haul_progress){.phase = HAUL_PHASE_COPYING, .records = 3};
    parts[1].progress = (struct haul_progress){.phase = HAUL_PHASE_PLANNING};
    (void)snprintf(running.command, sizeof(running.command), "recv");
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text,
              "  job 33333333 from 10.0.0.7:4711, copying: 3 records, 0 B of about 0 B\n"
              "  job 44444444 from , planning: 0 records");
    check_equal(run(&command_status, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"jobs\":[{\"job\":\"33333333333333333333333333333333\",\"peer\":"
                            "\"10.0.0.7:4711\",\"phase\":\"copying\",\"records\":3");
    jobs_answer = HAUL_CLOSED; /* a command of an earlier release */
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check(strstr(ran.out.text, "job 33333333") == NULL);
}

/* A sender's only job is the command itself. */
static void test_status__sender_runs_jobs__a_line_for_each_of_several(void)
{
    begin();
    client_answer = HAUL_OK;
    part_count = 1;
    memset(parts[0].job, 0x33, HAUL_JOB_BYTES);
    memset(parts[1].job, 0x44, HAUL_JOB_BYTES);
    (void)snprintf(parts[0].peer, sizeof(parts[0].peer), "10.0.0.7:4711");
    (void)snprintf(parts[1].peer, sizeof(parts[1].peer), "10.0.0.8:4711");
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check(strstr(ran.out.text, "job 33333333") == NULL);
    part_count = 2;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "  job 33333333 to 10.0.0.7:4711, ");
    check_has(ran.out.text, "  job 44444444 to 10.0.0.8:4711, ");
}

static void test_status__files_kept_by_the_job__a_line_when_there_are_any(void)
{
    begin();
    client_answer = HAUL_OK;
    running.figures.pinned_log_bytes = 8000;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "  retained on this disk by the job: 8.0 kB of log, 0 B of old table");
    running.figures.pinned_log_bytes = 0;
    running.figures.pinned_table_bytes = 9000;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "0 B of log, 9.0 kB of old table files\n");
    check_equal(run(&command_status, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"pinned_table_bytes\":9000");
}

/* For a running job no command is named, and jobs that are over are not listed. */
static void test_status__command_runs_with_jobs__no_way_out_is_named(void)
{
    begin();
    client_answer = HAUL_OK;
    job_count = 2;
    (void)snprintf(jobs[1].phase, sizeof(jobs[1].phase), "ABORTED");
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "job 11111111111111111111111111111111: this is the source, attempt 7, "
                            "COPYING (serves): records go\n");
    check(strstr(ran.out.text, "haul resume") == NULL);
    check(strstr(ran.out.text, "haul cancel") == NULL);
    check(strstr(ran.out.text, "is over") == NULL);
    check(strstr(ran.out.text, "no job") == NULL);
    check(strstr(ran.out.text, "22222222") == NULL);
}

static void test_status__left_job__who_it_is_and_the_ways_out(void)
{
    begin();
    job_count = 1;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "job 11111111111111111111111111111111: this is the source, attempt 7");
    check_has(ran.out.text, ": haul resume --db /a --to ADDR:PORT\n");
    check_has(ran.out.text, "\n  or, ");
    check_has(ran.out.text, ": haul cancel --db /a");
    check(strstr(ran.out.text, "safe here") == NULL);
    check(strstr(ran.out.text, "something else has changed") == NULL);
}

static void test_status__target_job__what_is_safe_and_what_has_changed(void)
{
    begin();
    job_count = 1;
    jobs[0].role = HAUL_JOB_TARGET;
    jobs[0].claim = HAUL_JOB_IN_DOUBT;
    jobs[0].durable_records = 12;
    jobs[0].durable_bytes = 3000;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "this is the target");
    check_has(ran.out.text, "(in doubt)");
    check_has(ran.out.text, "  safe here: 12 records, 3.0 kB\n");
    check(strstr(ran.out.text, "something else has changed") == NULL);
    jobs[0].changed = true;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text,
              "  something else has changed the database since the copy was complete");
}

static void test_status__jobs_that_are_over__counted_with_the_way_to_tell_of_them(void)
{
    begin();
    job_count = 3;
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(jobs[2 * i].phase, sizeof(jobs[0].phase), "ABORTED");
    }
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "2 jobs are over, but the receiver does not know yet:\n");
    check_has(ran.out.text, ": haul resolve --db /a --to ADDR:PORT\n");
    check_has(ran.out.text, "haul cancel --db /a --job ID --accept-two-owners\n");
    check_has(ran.out.text, "job 2222");
    check(strstr(ran.out.text, "job 1111") == NULL);
    check(strstr(ran.out.text, "no job") == NULL);
    job_count = 1;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_has(ran.out.text, "no job\n1 job is over, but the receiver does not know yet:\n");
}

static void test_status__nothing__no_job(void)
{
    begin();
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_text(ran.out.text, "no job\n");
    check_equal(run(&command_status, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"running\":null");
    check_has(ran.out.text, "\"jobs\":[]");
    ask_answer = HAUL_CLOSED; /* the command has just ended */
    client_answer = HAUL_OK;
    check_equal(run(&command_status, "--db /a"), EXIT_CODE_OK);
    check_text(ran.out.text, "no job\n");
}

static void test_status__a_step_fails__its_code_and_no_result(void)
{
    static const struct {
        enum haul_status list;
        enum haul_status check;
        enum haul_status client;
        enum haul_status ask;
        const char *noise;
        const char *message;
        int exit_code;
    } cases[] = {
        {.list = HAUL_CORRUPT, .message = "cannot list", .exit_code = EXIT_CODE_INTEGRITY},
        {.check = HAUL_NOT_FOUND, .message = "no database", .exit_code = EXIT_CODE_PREFLIGHT},
        {.client = HAUL_IO, .message = "no socket", .exit_code = EXIT_CODE_PERMANENT},
        {.ask = HAUL_TIMEOUT, .message = "no answer", .exit_code = EXIT_CODE_TEMPORARY},
        {.noise = "{}",
         .message = "cannot parse the running command's answer",
         .exit_code = EXIT_CODE_PERMANENT},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        job_count = 1;
        list_answer = cases[i].list;
        check_answer = cases[i].check;
        client_answer = cases[i].client;
        ask_answer = cases[i].ask;
        noise = cases[i].noise;
        check_equal(run(&command_status, "--db /a"), cases[i].exit_code);
        check_has(ran.err.text, cases[i].message);
        check_text(ran.out.text, "");
        check_equal(run(&command_status, "--db /a --json"), cases[i].exit_code);
        check_has(ran.out.text, cases[i].message);
    }
    check_equal(run(&command_status, ""), EXIT_CODE_USAGE);
}

static void test_version__text_and_document__the_release(void)
{
    check_equal(run(&command_version, ""), EXIT_CODE_OK);
    check_has(ran.out.text, "haul " HAUL_RELEASE ", transports: ");
    check_equal(run(&command_version, "--json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"" HAUL_RELEASE "\"");
    check(ran.out.text[0] == '{');
    check_equal(run(&command_version, "--depp"), EXIT_CODE_USAGE);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_status__ownership_record_is_damaged__its_way_out_comes_first),
    CHECK_TEST(test_status__command_runs__each_figure),
    CHECK_TEST(test_status__receiver_runs_two_jobs__a_line_and_an_object_for_each),
    CHECK_TEST(test_status__sender_runs_jobs__a_line_for_each_of_several),
    CHECK_TEST(test_status__files_kept_by_the_job__a_line_when_there_are_any),
    CHECK_TEST(test_status__command_runs_with_jobs__no_way_out_is_named),
    CHECK_TEST(test_status__left_job__who_it_is_and_the_ways_out),
    CHECK_TEST(test_status__target_job__what_is_safe_and_what_has_changed),
    CHECK_TEST(test_status__jobs_that_are_over__counted_with_the_way_to_tell_of_them),
    CHECK_TEST(test_status__nothing__no_job),
    CHECK_TEST(test_status__a_step_fails__its_code_and_no_result),
    CHECK_TEST(test_version__text_and_document__the_release),
};
CHECK_MAIN("cmd_status", tests)
