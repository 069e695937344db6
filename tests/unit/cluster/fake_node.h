/* SPDX-License-Identifier: Apache-2.0 */
/* fake_node.h — a server on the loopback device that answers commands from a table. */
#ifndef HAUL_TESTS_FAKE_NODE_H
#define HAUL_TESTS_FAKE_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_NODE_ANSWER_COUNT_MAX = 16, FAKE_NODE_BYTES_MAX = 2048 };

/* As a reply: the connection ends instead. */
#define FAKE_NODE_HANG_UP "!"

struct fake_answer {
    const char *command;             /* the words, separated by spaces */
    char reply[FAKE_NODE_BYTES_MAX]; /* the bytes of the protocol; "": none comes */
    atomic_uint count;               /* how often it was asked for */
};

struct fake_node {
    uint16_t port;
    struct fake_answer answers[FAKE_NODE_ANSWER_COUNT_MAX];
    size_t answer_count;
    size_t piece_bytes; /* a reply comes in pieces of so many bytes; 0: at once */
    int piece_ms;       /* before each piece */
    int listener;
    pthread_t thread;
};

/* Listen. Commands that are not in the table get an error. */
void fake_node_listen(struct fake_node *node);

/* Add an answer, or replace it: `reply` as it is, or as a bulk string. Not while it serves. */
void fake_node_answer(struct fake_node *node, const char *command, const char *reply);
void fake_node_answer_text(struct fake_node *node, const char *command, const char *text);

/* How often a command of the table has come. */
unsigned fake_node_count(struct fake_node *node, const char *command);

/* Serve one connection after the other, until stopped. */
void fake_node_start(struct fake_node *node);
void fake_node_stop(struct fake_node *node);

#endif
