/* SPDX-License-Identifier: Apache-2.0 */
/* control_socket.h — the local socket through which another shell controls a running `haul send` or
 * `haul recv`: `haul/control` below the database, present while the command runs.
 *
 * Only the owner can access the directory and the socket, and only the owner and root are answered.
 * One packet is a request, one packet is the answer:
 *
 *   status       a running job (running_job.h): all jobs of the command together
 *   jobs         the jobs that the command runs
 *   cancel       "ok": everything is cancelled
 *   cancel ID    "ok": the job with this id is cancelled, the others go on; or "none"
 *   end ID       "running", or how that job has ended, or "gone": it ended with nothing
 *
 * When its command has ended, the server sends the end to all clients that wait for it, of the
 * command or of one job, and closes all connections. */
#ifndef HAUL_CONTROL_SOCKET_H
#define HAUL_CONTROL_SOCKET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ended_jobs.h"
#include "haul/migration.h"
#include "haul/status.h"
#include "migration_list.h"

enum {
    CONTROL_CLIENT_COUNT_MAX = 8, /* one more evicts the one that is silent longest */
    CONTROL_POLL_COUNT = CONTROL_CLIENT_COUNT_MAX + 1,
    CONTROL_PACKET_BYTES_MAX = 8192,
    CONTROL_REQUEST_BYTES_MAX = 64,
};

struct control_client {
    int fd;             /* -1: the place is free */
    uint64_t number;    /* grows with each connection and request; the smallest is the oldest */
    bool waits_for_end; /* has requested a cancel */
    bool waits_for_job; /* of this job; otherwise of everything */
    uint8_t job[HAUL_JOB_BYTES];
};

struct control_server {
    const char *command; /* borrowed: "send" */
    int directory_fd;    /* -1: no server */
    int listen_fd;
    struct control_client clients[CONTROL_CLIENT_COUNT_MAX];
    uint64_t client_number;
    bool cancelled;           /* everything: also what has not begun */
    struct ended_jobs *ended; /* borrowed; NULL: none */
};

/* The caller has the database open, so an existing socket belongs to a dead process. Errors: IO,
 * LIMIT; the server is closed then. */
enum haul_status control_server_open(struct control_server *server, const char *database,
                                     const char *command, struct haul_error *error) HAUL_MUST_CHECK;
/* Remove the socket's name; existing connections stay until the close. The caller must still have
 * the database open: otherwise the next command may have made its own socket already. Errors: IO;
 * the socket then stays until the next command on this database removes it. */
enum haul_status control_server_hide(struct control_server *server,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void control_server_close(struct control_server *server);
/* Fill `waits` (CONTROL_POLL_COUNT) before poll(2); unused ones have a negative descriptor. */
void control_server_wait(const struct control_server *server, struct pollfd *waits);
/* Call after poll(2): accept clients and answer them. */
void control_server_serve(struct control_server *server, const struct pollfd *waits,
                          const struct migration_list *migrations);

/* How a command ended. */
struct control_end {
    struct haul_error error;          /* AGAIN: not reported */
    bool had_job;                     /* false: a receiver that waited for a job */
    char job[2 * HAUL_JOB_BYTES + 1]; /* its id, hexadecimal; "": unknown */
};
/* Send the end to the clients that wait for it; to one that waits for a job, that job's end if it
 * is known. */
void control_server_tell_end(const struct control_server *server, const struct control_end *end);

/* Connect to the command that runs on this database. Errors: NOT_FOUND (none runs), IO (also: it
 * does not answer this user). */
enum haul_status control_client_open(const char *database, int *fd,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Send a request, receive the answer (with a NUL). Errors: TIMEOUT, CLOSED (it is ending), IO. */
enum haul_status control_client_ask(int fd, const char *request,
                                    char answer[CONTROL_PACKET_BYTES_MAX], uint32_t timeout_ms,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Wait until this job of the command has ended. `told`: how; without `had_job`: it ended with
 * nothing. Errors: TIMEOUT, and those of control_client_ask. */
enum haul_status control_client_wait_job(int fd, const char *job, uint32_t timeout_ms,
                                         struct control_end *told,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Wait until the process of the other side is gone, and with it its lock on the database, if this
 * kernel can tell (5.3). */
void control_client_wait_gone(int fd, uint32_t timeout_ms);
/* Wait until the server closes. `told`: how the command ended. Errors: TIMEOUT. */
enum haul_status control_client_wait_end(int fd, uint32_t timeout_ms,
                                         struct control_end *told) HAUL_MUST_CHECK;

#endif
