/* SPDX-License-Identifier: Apache-2.0 */
/* test_control_socket.c — what a running command answers, and which client gets a place when all
 * are taken. The migration is a fake (--wrap). */
#include "control_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "running_job.h"

enum { WAIT_MS = 20000, TURN_MS = 20, STILL_RUNS_MS = 1000 };

static char directory[] = "/tmp/haul-test-XXXXXX";
static struct control_server server;
static pthread_t thread;
static atomic_bool stops;
static atomic_uint cancels;
static char migration_memory;
static struct haul_migration *served; /* NULL: none yet */
static struct haul_error error;

void __wrap_haul_migration_progress(struct haul_migration *migration,
                                    struct haul_progress *progress);
void __wrap_haul_migration_progress(struct haul_migration *migration,
                                    struct haul_progress *progress)
{
    (void)migration;
    *progress = (struct haul_progress){.phase = HAUL_PHASE_COPYING, .records = 77};
}

void __wrap_haul_migration_cancel(struct haul_migration *migration);
void __wrap_haul_migration_cancel(struct haul_migration *migration)
{
    (void)migration;
    atomic_fetch_add(&cancels, 1);
}

static const uint8_t the_job[HAUL_JOB_BYTES] = {0x5e, 0x1f};
static const char the_id[] = "5e1f0000000000000000000000000000";
static atomic_bool runs; /* the receiver runs this job */
static atomic_uint job_cancels;

size_t __wrap_haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                                  size_t count_max);
size_t __wrap_haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                                  size_t count_max)
{
    (void)migration;
    check(count_max > 0);
    memset(jobs, 0, sizeof(*jobs));
    memcpy(jobs->job, the_job, HAUL_JOB_BYTES);
    return atomic_load(&runs) ? 1 : 0;
}

enum haul_status __wrap_haul_migration_cancel_job(struct haul_migration *migration,
                                                  const uint8_t job[HAUL_JOB_BYTES]);
enum haul_status __wrap_haul_migration_cancel_job(struct haul_migration *migration,
                                                  const uint8_t job[HAUL_JOB_BYTES])
{
    (void)migration;
    bool found = atomic_load(&runs) && memcmp(job, the_job, HAUL_JOB_BYTES) == 0;
    (void)atomic_fetch_add(&job_cancels, found ? 1 : 0);
    return found ? HAUL_OK : HAUL_NOT_FOUND;
}

/* A command's loop. */
static void *serve(void *context)
{
    struct pollfd waits[CONTROL_POLL_COUNT];
    (void)context;
    while (!atomic_load(&stops)) {
        control_server_wait(&server, waits);
        if (poll(waits, CONTROL_POLL_COUNT, TURN_MS) > 0) {
            const struct migration_list list = migration_list_of(served);
            control_server_serve(&server, waits, &list);
        }
    }
    return NULL;
}

static void begin_without(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    check_or_stop(control_server_open(&server, directory, "send", &error) == HAUL_OK);
    atomic_store(&stops, false);
    atomic_store(&cancels, 0);
    check_or_stop(pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void begin(void)
{
    served = (struct haul_migration *)(void *)&migration_memory;
    begin_without();
}

/* The command's loop ends: only this function reports the end and closes the server. */
static void end_loop(void)
{
    atomic_store(&stops, true);
    check_equal(pthread_join(thread, NULL), 0);
}

static void end_server(void)
{
    char path[80];
    check_status(control_server_hide(&server, &error), HAUL_OK);
    control_server_close(&server);
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    check_equal(rmdir(path), 0); /* the socket is gone */
    check_equal(rmdir(directory), 0);
}

/* The command ends. */
static void end(void)
{
    end_loop();
    end_server();
}

static int come(void)
{
    int fd = -1;
    check_or_stop(control_client_open(directory, &fd, &error) == HAUL_OK);
    return fd;
}

static void expect_answer(int fd, const char *request, const char *part)
{
    char answer[CONTROL_PACKET_BYTES_MAX];
    check_status(control_client_ask(fd, request, answer, WAIT_MS, &error), HAUL_OK);
    check(strstr(answer, part) != NULL);
}

static void test_control_client_ask__status_and_cancel__answered(void)
{
    char answer[CONTROL_PACKET_BYTES_MAX];
    struct running_job job;
    begin();
    int fd = come();
    check_status(control_client_ask(fd, "status", answer, WAIT_MS, &error), HAUL_OK);
    check(running_job_parse(answer, &job));
    check_text(job.command, "send");
    check_equal(job.pid, getpid());
    check_equal(job.figures.records, 77);
    check_equal(atomic_load(&cancels), 0);
    expect_answer(fd, "cancel", "ok");
    check_equal(atomic_load(&cancels), 1);
    struct control_end told;
    check_status(control_client_wait_end(fd, 1, &told), HAUL_TIMEOUT);
    check_status(told.error.status, HAUL_AGAIN);
    struct control_end ended = {.had_job = false, .job = "5e1f"};
    haul_error_set(&ended.error, HAUL_IN_DOUBT, NULL, 0, "it is");
    haul_error_hint(&ended.error, "look");
    int other = come(); /* which requests no cancel and gets no end */
    end_loop();
    control_server_tell_end(&server, &ended);
    end_server();
    check_status(control_client_wait_end(fd, WAIT_MS, &told), HAUL_OK);
    check_status(told.error.status, HAUL_IN_DOUBT);
    check_text(told.error.text, "it is");
    check_text(told.error.hint, "look");
    check_text(told.job, "5e1f");
    check(!told.had_job);
    check_status(control_client_wait_end(other, WAIT_MS, &told), HAUL_OK);
    check_status(told.error.status, HAUL_AGAIN);
    check(told.had_job);
    check_text(told.job, "");
    (void)close(other);
    (void)close(fd);
}

/* A load runs before the migration. */
static void note_end(struct ended_jobs *ended, enum haul_status status)
{
    struct haul_result result = {.status = status};
    memcpy(result.job, the_job, HAUL_JOB_BYTES);
    ended_jobs_put(ended, &result);
}

static void expect_end(int fd, enum haul_status status, bool had_job)
{
    struct control_end told;
    check_status(control_client_wait_job(fd, the_id, WAIT_MS, &told, &error), HAUL_OK);
    check_status(told.error.status, status);
    check_equal(told.had_job, had_job);
}

/* An earlier attempt of the job has ended, too. */
/* The last job of a command ends, and the command with it: nobody asks any more, and the end of the
 * job is not that of the command. */
static void test_control_client_wait_job__command_ends_with_it__the_end_of_the_job(void)
{
    static struct ended_jobs ended;
    static struct haul_result result;
    struct control_end told;
    struct control_end whole = {.had_job = true};
    char request[64];
    (void)snprintf(request, sizeof(request), "cancel %s", the_id);
    haul_error_set(&whole.error, HAUL_NOT_EMPTY, NULL, 0, "another move");
    for (unsigned known = 0; known < 2; known++) {
        ended_jobs_init(&ended);
        atomic_store(&runs, true);
        begin();
        server.ended = &ended;
        int fd = come();
        expect_answer(fd, request, "ok");
        end_loop();
        memcpy(result.job, the_job, HAUL_JOB_BYTES);
        result.status = HAUL_CANCELLED;
        if (known == 1) {
            ended_jobs_put(&ended, &result);
        }
        control_server_tell_end(&server, &whole);
        end_server();
        check_status(control_client_wait_job(fd, the_id, WAIT_MS, &told, &error), HAUL_OK);
        check_status(told.error.status, known == 1 ? HAUL_CANCELLED : HAUL_NOT_EMPTY);
        check(told.had_job);
        (void)close(fd);
        ended_jobs_fini(&ended);
    }
    atomic_store(&runs, false);
}

static void test_control_client_wait_job__job_of_a_receiver__how_its_last_attempt_ended(void)
{
    struct ended_jobs ended;
    struct control_end told;
    char request[CONTROL_REQUEST_BYTES_MAX];
    (void)snprintf(request, sizeof(request), "cancel %s", the_id);
    ended_jobs_init(&ended);
    note_end(&ended, HAUL_CLOSED);
    atomic_store(&runs, true);
    atomic_store(&job_cancels, 0);
    begin();
    server.ended = &ended;
    int fd = come();
    check_error(control_client_wait_job(fd, the_id, STILL_RUNS_MS, &told, &error), HAUL_TIMEOUT,
                error);
    expect_answer(fd, request, "ok");
    check_equal(atomic_load(&job_cancels), 1);
    note_end(&ended, HAUL_OK); /* it was decided just before */
    atomic_store(&runs, false);
    expect_end(fd, HAUL_OK, true);
    expect_answer(fd, request, "none"); /* which forgets no end */
    expect_end(fd, HAUL_OK, true);
    ended_jobs_forget(&ended, the_job);
    expect_end(fd, HAUL_CANCELLED, false);
    check_equal(close(fd), 0);
    end();
    ended_jobs_fini(&ended);
}

static void test_control_client_ask__no_migration_yet__answered_and_kept_for_it(void)
{
    struct running_job job;
    char answer[CONTROL_PACKET_BYTES_MAX];
    served = NULL;
    begin_without();
    int fd = come();
    check_status(control_client_ask(fd, "status", answer, WAIT_MS, &error), HAUL_OK);
    check(running_job_parse(answer, &job));
    check_text(job.phase, "connecting");
    check_equal(job.figures.records, 0);
    expect_answer(fd, "cancel", "ok");
    end_loop();
    check(server.cancelled);
    check_equal(atomic_load(&cancels), 0);
    end_server();
    (void)close(fd);
}

static void test_control_client_ask__another_language__hung_up(void)
{
    char answer[CONTROL_PACKET_BYTES_MAX];
    begin();
    int fd = come();
    check_error(control_client_ask(fd, "GET / HTTP/1.1", answer, WAIT_MS, &error), HAUL_CLOSED,
                error);
    (void)close(fd);
    end();
}

static void test_control_client_open__nobody_there__not_found(void)
{
    int fd = -1;
    begin();
    end();
    check_error(control_client_open(directory, &fd, &error), HAUL_NOT_FOUND, error);
    check(strstr(error.hint, "`haul status` shows its jobs") != NULL);
    check_equal(fd, -1);
}

static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);
    (void)close(fd);
    return fd;
}

/* However often both ends come and go, or one is missing: no descriptor leaks. */
static void test_control_socket__ten_times_over__no_descriptor_is_left(void)
{
    int before = next_descriptor();
    for (int i = 0; i < 10; i++) {
        begin();
        int fd = come();
        expect_answer(fd, "status", "77");
        (void)close(fd);
        end();
        check_error(control_client_open(directory, &fd, &error), HAUL_NOT_FOUND, error);
        check_error(control_server_open(&server, directory, "send", &error), HAUL_IO, error);
        check_text(error.text, "cannot open the directory of the control socket");
        control_server_close(&server);
    }
    check_equal(next_descriptor(), before);
}

/* Silent clients keep nobody out; a client that waits for the end of a cancel keeps its place, even
 * if it is the oldest. */
static void test_control_server_serve__all_places_taken__the_longest_silent_goes(void)
{
    struct control_end told;
    int fds[CONTROL_CLIENT_COUNT_MAX];
    begin();
    fds[0] = come();
    expect_answer(fds[0], "cancel", "ok");
    for (int i = 1; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        fds[i] = come();
        expect_answer(fds[i], "status", "77");
    }
    int late = come();
    expect_answer(late, "status", "77");
    check_status(control_client_wait_end(fds[1], WAIT_MS, &told), HAUL_OK);
    check_status(control_client_wait_end(fds[0], 1, &told), HAUL_TIMEOUT);
    expect_answer(fds[2], "status", "77");
    (void)close(late);
    end();
    for (int i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        (void)close(fds[i]);
    }
}

/* Nobody else may list or end jobs, whatever the umask was when the directory was made. */
static void test_control_server_open__directory_open_to_all__closed(void)
{
    char path[80];
    struct stat found;
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    check_or_stop(mkdir(path, 0755) == 0);
    check_or_stop(control_server_open(&server, directory, "recv", &error) == HAUL_OK);
    check_equal(stat(path, &found), 0);
    check_equal(found.st_mode & 0777, 0700);
    check_status(control_server_hide(&server, &error), HAUL_OK);
    control_server_close(&server);
    check_equal(rmdir(path), 0);
    check_equal(rmdir(directory), 0);
}

/* Without the client's own look at who it is. */
static bool server_answers(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[CONTROL_PACKET_BYTES_MAX];
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/haul/control", directory);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    bool answered = connected && send(fd, "status", strlen("status"), MSG_NOSIGNAL) > 0 &&
                    recv(fd, answer, sizeof(answer), 0) > 0;
    (void)close(fd);
    return answered;
}

/* In a child that has become another user: does the server answer "status" to it, and does the
 * client know that beforehand? */
static bool answers_to(uid_t uid)
{
    int status = 0;
    pid_t child = fork();
    check_or_stop(child >= 0);
    if (child == 0) {
        struct haul_error why = {.code = 0};
        int fd = -1;
        bool changed = setresuid(uid, uid, uid) == 0;
        bool answered = changed && server_answers();
        bool opened = control_client_open(directory, &fd, &why) == HAUL_OK;
        bool told = opened || (why.code == EACCES && strstr(why.hint, "as user 0") != NULL);
        _exit(opened != answered || !told ? 2 : answered ? 0 : 1);
    }
    check_or_stop(waitpid(child, &status, 0) == child && WIFEXITED(status));
    check(WEXITSTATUS(status) != 2);
    return WEXITSTATUS(status) == 0;
}

/* Directory and socket have been opened to all, so that only the credentials are left. */
static void test_control_server_serve__client_of_another_user__not_answered(void)
{
    char path[96];
    if (geteuid() != 0) {
        check_skip("only root can be several users");
        return;
    }
    begin();
    check_equal(chmod(directory, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    check_equal(chmod(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/haul/control", directory);
    check_equal(chmod(path, 0666), 0);
    check(answers_to(0));
    check(!answers_to(65534));
    (void)snprintf(path, sizeof(path), "%s/haul", directory);
    check_equal(chown(path, 65534, (gid_t)-1), 0); /* the database's owner */
    check(answers_to(65534));
    check(!answers_to(65533));
    end();
}

/* It listens, but its loop does not run. */
static void test_control_client_ask__command_hangs__its_process_is_named(void)
{
    char answer[CONTROL_PACKET_BYTES_MAX];
    char process[32];
    begin();
    atomic_store(&stops, true);
    check_equal(pthread_join(thread, NULL), 0);
    int fd = come();
    check_status(control_client_ask(fd, "status", answer, 1, &error), HAUL_TIMEOUT);
    (void)snprintf(process, sizeof(process), "(process %ld)", (long)getpid());
    check(strstr(error.text, process) != NULL);
    check(strstr(error.hint, "kill -CONT") != NULL);
    check_equal(close(fd), 0);
    check_or_stop(pthread_create(&thread, NULL, serve, NULL) == 0);
    end();
}

/* The kernel knows no process at the other end. */
static void test_control_client_ask__nobody_answers__timeout(void)
{
    char answer[CONTROL_PACKET_BYTES_MAX];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check_or_stop(bind(other, (struct sockaddr *)&address, size) == 0);
    check_or_stop(getsockname(other, (struct sockaddr *)&address, &size) == 0);
    check_or_stop(connect(fd, (struct sockaddr *)&address, size) == 0);
    check_error(control_client_ask(fd, "status", answer, 1, &error), HAUL_TIMEOUT, error);
    check(strstr(error.text, "does not answer") != NULL);
    check(strstr(error.text, "(process") == NULL);
    check(error.hint[0] != '\0');
    check_equal(close(fd) + close(other), 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_control_client_ask__nobody_answers__timeout),
    CHECK_TEST(test_control_server_serve__client_of_another_user__not_answered),
    CHECK_TEST(test_control_client_ask__status_and_cancel__answered),
    CHECK_TEST(test_control_client_wait_job__command_ends_with_it__the_end_of_the_job),
    CHECK_TEST(test_control_client_wait_job__job_of_a_receiver__how_its_last_attempt_ended),
    CHECK_TEST(test_control_client_ask__no_migration_yet__answered_and_kept_for_it),
    CHECK_TEST(test_control_client_ask__another_language__hung_up),
    CHECK_TEST(test_control_client_ask__command_hangs__its_process_is_named),
    CHECK_TEST(test_control_client_open__nobody_there__not_found),
    CHECK_TEST(test_control_socket__ten_times_over__no_descriptor_is_left),
    CHECK_TEST(test_control_server_serve__all_places_taken__the_longest_silent_goes),
    CHECK_TEST(test_control_server_open__directory_open_to_all__closed),
};

CHECK_MAIN("control_socket", tests)
