/* SPDX-License-Identifier: Apache-2.0 */
/* control_socket.c — both ends of the local control socket. */
#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "running_job.h"

static const char socket_name[] = "control";

/* --- addresses -------------------------------------------------------------------------------- */

/* A socket address holds 108 bytes, and a database's path may be longer: use the directory's
 * descriptor. */
static struct sockaddr_un address_of(int directory_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory_fd,
                   socket_name);
    return address;
}

/* Only the database's owner may list or end its jobs, whatever the umask is, and even if an earlier
 * release made the directory readable for everybody. */
static void close_to_others(int directory_fd)
{
    struct stat found;
    if (fstat(directory_fd, &found) == 0 && (found.st_mode & 077) != 0) {
        (void)fchmod(directory_fd, 0700); /* fails if another user owns it */
    }
}

static int open_directory(const char *database, bool create)
{
    int fd = -1;
    int database_fd = open(database, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (database_fd >= 0 &&
        (!create || mkdirat(database_fd, "haul", 0700) == 0 || errno == EEXIST)) {
        fd = openat(database_fd, "haul", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (database_fd >= 0) {
        int number = errno;
        (void)close(database_fd);
        errno = number;
    }
    return fd;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* --- server ----------------------------------------------------------------------------------- */

enum haul_status control_server_open(struct control_server *server, const char *database,
                                     const char *command, struct haul_error *error)
{
    *server = (struct control_server){.command = command, .listen_fd = -1};
    for (size_t i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        server->clients[i].fd = -1;
    }
    server->directory_fd = open_directory(database, true);
    if (server->directory_fd < 0) {
        return haul_error_set(error, HAUL_IO, "open", errno,
                              "cannot open the directory of the control socket");
    }
    close_to_others(server->directory_fd);
    struct sockaddr_un address = address_of(server->directory_fd);
    server->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlinkat(server->directory_fd, socket_name, 0);
    if (server->listen_fd < 0 ||
        bind(server->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        fchmodat(server->directory_fd, socket_name, 0600, 0) != 0 ||
        listen(server->listen_fd, CONTROL_CLIENT_COUNT_MAX) != 0) {
        haul_error_set(error, HAUL_IO, "bind", errno, "cannot create the control socket");
        struct haul_error second; /* report the first failure */
        (void)!control_server_hide(server, &second);
        control_server_close(server);
        return HAUL_IO;
    }
    return HAUL_OK;
}

enum haul_status control_server_hide(struct control_server *server, struct haul_error *error)
{
    bool gone = server->listen_fd < 0 || unlinkat(server->directory_fd, socket_name, 0) == 0 ||
                errno == ENOENT;
    int number = errno;
    close_fd(&server->listen_fd);
    return gone ? HAUL_OK
                : haul_error_set(error, HAUL_IO, "unlinkat", number,
                                 "cannot remove the control socket");
}

void control_server_close(struct control_server *server)
{
    close_fd(&server->listen_fd);
    close_fd(&server->directory_fd);
    for (size_t i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        close_fd(&server->clients[i].fd);
    }
}

void control_server_wait(const struct control_server *server, struct pollfd *waits)
{
    for (size_t i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        waits[i] = (struct pollfd){.fd = server->clients[i].fd, .events = POLLIN};
    }
    waits[CONTROL_CLIENT_COUNT_MAX] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
}

static void answer_status(const struct control_server *server, int client,
                          const struct migration_list *migrations)
{
    struct running_job job = {.pid = getpid()};
    char text[CONTROL_PACKET_BYTES_MAX];
    migration_list_progress(migrations, &job.figures);
    (void)snprintf(job.command, sizeof(job.command), "%s", server->command);
    (void)snprintf(job.phase, sizeof(job.phase), "%s", haul_phase_name(job.figures.phase));
    if (running_job_format(&job, text, sizeof(text))) {
        (void)!send(client, text, strlen(text), MSG_NOSIGNAL);
    }
}

static void answer(int client, const char *text)
{
    (void)!send(client, text, strlen(text), MSG_NOSIGNAL);
}

static void answer_jobs(int client, const struct migration_list *migrations)
{
    struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX];
    char text[CONTROL_PACKET_BYTES_MAX];
    size_t count = migration_list_jobs(migrations, jobs, HAUL_TARGET_JOBS_MAX);
    if (running_jobs_format(jobs, count, text, sizeof(text))) {
        answer(client, text);
    }
}

static void cancel_job(struct control_client *client, const uint8_t *job,
                       const struct migration_list *migrations)
{
    bool runs = migration_list_cancel_job(migrations, job);
    client->waits_for_end = runs;
    client->waits_for_job = runs;
    memcpy(client->job, job, HAUL_JOB_BYTES);
    answer(client->fd, runs ? "ok" : "none");
}

static void format_end(const struct control_end *end, char text[CONTROL_PACKET_BYTES_MAX])
{
    const struct haul_error *error = &end->error;
    (void)snprintf(text, CONTROL_PACKET_BYTES_MAX, "%d\n%d\n%s\n%s\n%s", (int)error->status,
                   end->had_job, error->text, error->hint, end->job);
}

static void answer_end(const struct control_server *server, struct control_client *client,
                       const uint8_t *job, const struct migration_list *migrations)
{
    struct control_end end = {.had_job = true};
    char text[CONTROL_PACKET_BYTES_MAX];
    /* In this order: its end is noted before it stops running, and an earlier attempt may have
     * ended, too. */
    if (migration_list_runs(migrations, job)) {
        answer(client->fd, "running");
    } else if (server->ended != NULL && ended_jobs_find(server->ended, job, &end.error)) {
        client->waits_for_end = false; /* it is no secret any more */
        format_end(&end, text);
        answer(client->fd, text);
    } else {
        answer(client->fd, "gone");
    }
}

/* "cancel ID", "end ID". False: it is neither. */
static bool serve_job(const struct control_server *server, struct control_client *client,
                      const char *request, const struct migration_list *migrations)
{
    static const char cancel[] = "cancel ";
    static const char end[] = "end ";
    uint8_t job[HAUL_JOB_BYTES];
    bool cancels = strncmp(request, cancel, strlen(cancel)) == 0;
    bool ends = strncmp(request, end, strlen(end)) == 0;
    const char *id = request + (cancels ? strlen(cancel) : ends ? strlen(end) : 0);
    if ((!cancels && !ends) || !running_job_parse_id(id, job)) {
        return false;
    }
    if (cancels) {
        cancel_job(client, job, migrations);
    } else {
        answer_end(server, client, job, migrations);
    }
    return true;
}

/* Answer one request. False: the client is gone, or its request is unknown. */
static bool serve_client(struct control_server *server, struct control_client *client,
                         const struct migration_list *migrations)
{
    char request[CONTROL_REQUEST_BYTES_MAX];
    ssize_t size = recv(client->fd, request, sizeof(request) - 1, MSG_DONTWAIT);
    if (size <= 0) {
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    }
    request[size] = '\0';
    if (strcmp(request, "status") == 0) {
        answer_status(server, client->fd, migrations);
        return true;
    }
    if (strcmp(request, "cancel") == 0) {
        migration_list_cancel(migrations);
        server->cancelled = true;
        client->waits_for_end = true;
        client->waits_for_job = false;
        answer(client->fd, "ok");
        return true;
    }
    if (strcmp(request, "jobs") == 0) {
        answer_jobs(client->fd, migrations);
        return true;
    }
    return serve_job(server, client, request, migrations);
}

/* The directory admits only its owner, but a process may inherit a descriptor of the socket. */
static bool is_trusted(const struct control_server *server, int client)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    struct stat directory;
    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid() ||
            (fstat(server->directory_fd, &directory) == 0 && peer.uid == directory.st_uid));
}

/* A free place, or the place of the client that has been silent longest, so idle connections cannot
 * keep a cancel out. Clients that wait for the end keep theirs. NULL: all of them do. */
static struct control_client *find_place(struct control_server *server)
{
    struct control_client *place = NULL;
    for (size_t i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        struct control_client *client = &server->clients[i];
        if (client->fd < 0) {
            return client;
        }
        if (!client->waits_for_end && (place == NULL || client->number < place->number)) {
            place = client;
        }
    }
    return place;
}

static void accept_client(struct control_server *server)
{
    int client = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct control_client *place =
        client >= 0 && is_trusted(server, client) ? find_place(server) : NULL;
    if (place == NULL) {
        close_fd(&client);
        return;
    }
    close_fd(&place->fd);
    *place = (struct control_client){.fd = client, .number = ++server->client_number};
}

void control_server_serve(struct control_server *server, const struct pollfd *waits,
                          const struct migration_list *migrations)
{
    for (size_t i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        struct control_client *client = &server->clients[i];
        bool ready = client->fd >= 0 && waits[i].fd >= 0 && waits[i].revents != 0;
        if (ready) {
            client->number = ++server->client_number;
        }
        if (ready && !serve_client(server, client, migrations)) {
            close_fd(&client->fd);
        }
    }
    const struct pollfd *listening = &waits[CONTROL_CLIENT_COUNT_MAX];
    if (listening->fd >= 0 && listening->revents != 0) {
        accept_client(server);
    }
}

void control_server_tell_end(const struct control_server *server, const struct control_end *end)
{
    char text[CONTROL_PACKET_BYTES_MAX];
    for (size_t i = 0; i < CONTROL_CLIENT_COUNT_MAX; i++) {
        const struct control_client *client = &server->clients[i];
        struct control_end of_job = {.had_job = true};
        bool known = client->waits_for_job && server->ended != NULL &&
                     ended_jobs_find(server->ended, client->job, &of_job.error);
        if (client->fd >= 0 && client->waits_for_end) {
            format_end(known ? &of_job : end, text);
            (void)!send(client->fd, text, strlen(text), MSG_NOSIGNAL);
        }
    }
}

/* --- client ----------------------------------------------------------------------------------- */

static enum haul_status nobody(const char *database, struct haul_error *error)
{
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no haul command runs on %s", database);
    haul_error_hint(error, "`haul status` shows its jobs");
    return HAUL_NOT_FOUND;
}

/* The rule of is_trusted, from the other side. `owner`: of the folder. */
static enum haul_status check_answered(int fd, uid_t owner, struct haul_error *error)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    uid_t own = geteuid();
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || own == 0 || own == peer.uid ||
        own == owner) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_IO, "connect", EACCES,
                   "the command (process %ld) does not answer user %ld", (long)peer.pid, (long)own);
    haul_error_hint(error, "run haul as user %ld, as the owner of the database, or as root",
                    (long)peer.uid);
    return HAUL_IO;
}

enum haul_status control_client_open(const char *database, int *fd, struct haul_error *error)
{
    int directory_fd = open_directory(database, false);
    if (directory_fd < 0) {
        return nobody(database, error);
    }
    struct sockaddr_un address = address_of(directory_fd);
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int result = connect(*fd, (const struct sockaddr *)&address, sizeof(address));
    int number = errno;
    struct stat directory = {.st_uid = 0};
    (void)fstat(directory_fd, &directory);
    (void)close(directory_fd);
    enum haul_status status = result == 0 ? check_answered(*fd, directory.st_uid, error) : HAUL_OK;
    if (result == 0 && status == HAUL_OK) {
        return HAUL_OK;
    }
    close_fd(fd);
    if (status != HAUL_OK) {
        return status;
    }
    return number == ENOENT || number == ECONNREFUSED
               ? nobody(database, error)
               : haul_error_set(error, HAUL_IO, "connect", number,
                                "cannot connect to the control socket");
}

static enum haul_status wait_readable(int fd, uint32_t timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int result = poll(&wait, 1, (int)timeout_ms);
    return result > 0 ? HAUL_OK : HAUL_TIMEOUT;
}

/* The process (or the kernel for it) has accepted the connection but does not answer: it is stopped
 * or hangs. */
static enum haul_status no_answer(int fd, struct haul_error *error)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) {
        haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "the command does not answer");
        haul_error_hint(error, "it is stopped, or waits for its disk: check its process");
        return HAUL_TIMEOUT;
    }
    haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "the command (process %ld) does not answer",
                   (long)peer.pid);
    haul_error_hint(error,
                    "it is stopped (`kill -CONT %ld`), or waits for its disk; `kill -9 %ld` ends "
                    "it, what has arrived is kept, and this command works on what is left",
                    (long)peer.pid, (long)peer.pid);
    return HAUL_TIMEOUT;
}

void control_client_wait_gone(int fd, uint32_t timeout_ms)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof(peer);
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
    int process_fd = known ? (int)syscall(SYS_pidfd_open, peer.pid, 0) : -1;
    if (process_fd >= 0) {
        (void)wait_readable(process_fd, timeout_ms);
        (void)close(process_fd);
    }
}

enum haul_status control_client_ask(int fd, const char *request,
                                    char answer[CONTROL_PACKET_BYTES_MAX], uint32_t timeout_ms,
                                    struct haul_error *error)
{
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        return haul_error_set(error, HAUL_CLOSED, "send", errno, "the command has just ended");
    }
    if (wait_readable(fd, timeout_ms) != HAUL_OK) {
        return no_answer(fd, error);
    }
    ssize_t size = recv(fd, answer, CONTROL_PACKET_BYTES_MAX - 1, 0);
    if (size <= 0) {
        return haul_error_set(error, HAUL_CLOSED, "recv", size < 0 ? errno : 0,
                              "the command has just ended");
    }
    answer[size] = '\0';
    return HAUL_OK;
}

/* Parse a packet of control_server_tell_end; its texts have no line breaks. */
static void take_end(char *packet, struct control_end *told)
{
    char *rest = packet;
    const char *number = strsep(&rest, "\n");
    const char *had_job = strsep(&rest, "\n");
    const char *text = strsep(&rest, "\n");
    const char *hint = strsep(&rest, "\n");
    const char *job = strsep(&rest, "\n");
    unsigned long status = strtoul(number, NULL, 10);
    if (hint != NULL && status < HAUL_STATUS_COUNT) {
        haul_error_set(&told->error, (enum haul_status)status, NULL, 0, "%s", text);
        haul_error_hint(&told->error, "%s", hint);
        told->had_job = strcmp(had_job, "1") == 0;
        (void)snprintf(told->job, sizeof(told->job), "%s", job == NULL ? "" : job);
    }
}

/* The command has ended: it has sent the end of the job before. */
static enum haul_status take_last(int fd, char packet[CONTROL_PACKET_BYTES_MAX])
{
    ssize_t size = recv(fd, packet, CONTROL_PACKET_BYTES_MAX - 1, MSG_DONTWAIT);
    packet[size > 0 ? size : 0] = '\0';
    return size > 0 ? HAUL_OK : HAUL_CLOSED;
}

enum haul_status control_client_wait_job(int fd, const char *job, uint32_t timeout_ms,
                                         struct control_end *told, struct haul_error *error)
{
    enum { PAUSE_MS = 50 };
    char request[CONTROL_REQUEST_BYTES_MAX];
    char packet[CONTROL_PACKET_BYTES_MAX];
    (void)snprintf(request, sizeof(request), "end %s", job);
    *told = (struct control_end){.error.status = HAUL_CANCELLED};
    for (uint32_t waited_ms = 0; waited_ms <= timeout_ms; waited_ms += PAUSE_MS) {
        enum haul_status status = control_client_ask(fd, request, packet, timeout_ms, error);
        if (status == HAUL_CLOSED) {
            status = take_last(fd, packet);
        }
        if (status != HAUL_OK) {
            return status;
        }
        if (strcmp(packet, "running") != 0) {
            if (strcmp(packet, "gone") != 0) {
                take_end(packet, told);
            }
            return HAUL_OK;
        }
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "the job has not ended yet");
}

enum haul_status control_client_wait_end(int fd, uint32_t timeout_ms, struct control_end *told)
{
    char packet[CONTROL_PACKET_BYTES_MAX];
    ssize_t size = 0;
    *told = (struct control_end){.error.status = HAUL_AGAIN, .had_job = true};
    do {
        if (wait_readable(fd, timeout_ms) != HAUL_OK) {
            return HAUL_TIMEOUT;
        }
        size = recv(fd, packet, sizeof(packet) - 1, 0);
        packet[size > 0 ? size : 0] = '\0';
        if (size > 0) {
            take_end(packet, told);
        }
    } while (size > 0);
    return HAUL_OK;
}
