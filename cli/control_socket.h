/* SPDX-License-Identifier: Apache-2.0 */
/* control_socket.h — how another shell talks to a running `haul send` or `haul recv`: a local
 * socket `haul/control` below the database, there while the command runs.
 *
 * The directory and the socket are the owner's alone, and only the owner and root are answered.
 * One packet a request ("status", "cancel"), one packet an answer. The server closes all
 * connections when its job has ended: who waits for that reads until the end, and is told first how
 * the job has ended. */
#ifndef HAUL_CONTROL_SOCKET_H
#define HAUL_CONTROL_SOCKET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"

enum {
    CONTROL_CLIENT_COUNT_MAX = 8, /* the next one takes the place of the longest silent */
    CONTROL_POLL_COUNT = CONTROL_CLIENT_COUNT_MAX + 1,
    CONTROL_PACKET_BYTES_MAX = 2048,
};

struct control_client {
    int fd;             /* -1: the place is free */
    uint64_t number;    /* grows with each connection and request: the smallest is the oldest */
    bool waits_for_end; /* has asked for a cancel */
};

struct control_server {
    const char *command; /* borrowed: "send" */
    int directory_fd;    /* -1: there is no server */
    int listen_fd;
    struct control_client clients[CONTROL_CLIENT_COUNT_MAX];
    uint64_t client_number;
    bool cancelled; /* somebody has asked for it while there was no migration */
};

/* The caller has the database open, so a socket that is there was left by a dead process.
 * Errors: IO, LIMIT; the server is closed then. */
enum haul_status control_server_open(struct control_server *server, const char *database,
                                     const char *command, struct haul_error *error) HAUL_MUST_CHECK;
/* Nobody finds the server any more; who has a connection keeps it until the close. The caller still
 * has the database open: the next command may have made its own socket otherwise. Errors: IO, and
 * the socket stays until the next command on this database removes it. */
enum haul_status control_server_hide(struct control_server *server,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void control_server_close(struct control_server *server);
/* Fill `waits` (CONTROL_POLL_COUNT) before poll(2); unused ones have a negative descriptor. */
void control_server_wait(const struct control_server *server, struct pollfd *waits);
/* After it: take in clients, answer them. `migration` NULL: there is none yet. */
void control_server_serve(struct control_server *server, const struct pollfd *waits,
                          struct haul_migration *migration);

/* How a command has ended. */
struct control_end {
    struct haul_error error; /* AGAIN: it has not said so */
    bool had_job;            /* a receiver may have waited for its first, or for the next one */
    char job[2 * HAUL_JOB_BYTES + 1]; /* its id, hexadecimal; "": not known */
};
/* Tell those that wait for the end. */
void control_server_tell_end(const struct control_server *server, const struct control_end *end);

/* Connect to the command that runs on this database. Errors: NOT_FOUND (none runs), IO. */
enum haul_status control_client_open(const char *database, int *fd,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Ask, and take the answer (with a NUL). Errors: TIMEOUT, CLOSED, IO. */
enum haul_status control_client_ask(int fd, const char *request,
                                    char answer[CONTROL_PACKET_BYTES_MAX], uint32_t timeout_ms,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Wait until the other end has closed. `told`: how it has ended. Errors: TIMEOUT. */
enum haul_status control_client_wait_end(int fd, uint32_t timeout_ms,
                                         struct control_end *told) HAUL_MUST_CHECK;

#endif
