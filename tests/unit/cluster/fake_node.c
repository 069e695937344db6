/* SPDX-License-Identifier: Apache-2.0 */
/* fake_node.c — parses commands with hiredis, as the tool formats them. */
#include "fake_node.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

void fake_node_listen(struct fake_node *node)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    memset(node, 0, sizeof(*node));
    node->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_or_stop(node->listener >= 0);
    check_or_stop(bind(node->listener, (struct sockaddr *)&address, size) == 0);
    check_or_stop(listen(node->listener, 8) == 0);
    check_or_stop(getsockname(node->listener, (struct sockaddr *)&address, &size) == 0);
    node->port = ntohs(address.sin_port);
}

static struct fake_answer *find(struct fake_node *node, const char *command)
{
    for (size_t i = 0; i < node->answer_count; i++) {
        if (strcmp(node->answers[i].command, command) == 0) {
            return &node->answers[i];
        }
    }
    return NULL;
}

void fake_node_answer(struct fake_node *node, const char *command, const char *reply)
{
    struct fake_answer *answer = find(node, command);
    if (answer == NULL) {
        check_or_stop(node->answer_count < FAKE_NODE_ANSWER_COUNT_MAX);
        answer = &node->answers[node->answer_count++];
        answer->command = command;
    }
    (void)snprintf(answer->reply, sizeof(answer->reply), "%s", reply);
}

void fake_node_answer_text(struct fake_node *node, const char *command, const char *text)
{
    char reply[FAKE_NODE_BYTES_MAX];
    (void)snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(text), text);
    fake_node_answer(node, command, reply);
}

unsigned fake_node_count(struct fake_node *node, const char *command)
{
    struct fake_answer *answer = find(node, command);
    return answer == NULL ? 0 : atomic_load(&answer->count);
}

static void send_reply(const struct fake_node *node, int fd, const char *reply)
{
    size_t left = strlen(reply);
    while (left > 0) {
        size_t size = node->piece_bytes == 0 || node->piece_bytes > left ? left : node->piece_bytes;
        (void)poll(NULL, 0, node->piece_ms);
        if (send(fd, reply, size, MSG_NOSIGNAL) != (ssize_t)size) {
            return;
        }
        reply += size;
        left -= size;
    }
}

static void answer(struct fake_node *node, int fd, const redisReply *command)
{
    char words[256] = "";
    size_t size = 0;
    for (size_t i = 0; i < command->elements && size < sizeof(words); i++) {
        size += (size_t)snprintf(words + size, sizeof(words) - size, "%s%s", i == 0 ? "" : " ",
                                 command->element[i]->str);
    }
    struct fake_answer *found = find(node, words);
    if (found != NULL) {
        atomic_fetch_add(&found->count, 1);
    }
    if (found != NULL && strcmp(found->reply, FAKE_NODE_HANG_UP) == 0) {
        (void)shutdown(fd, SHUT_RDWR);
        return;
    }
    send_reply(node, fd, found == NULL ? "-ERR unknown command\r\n" : found->reply);
}

/* Until the client closes. */
static void serve(struct fake_node *node, int fd)
{
    redisReader *reader = redisReaderCreate();
    int one = 1;
    char data[1024];
    ssize_t size = 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* pieces stay pieces */
    while ((size = recv(fd, data, sizeof(data), 0)) > 0) {
        void *command = NULL;
        (void)redisReaderFeed(reader, data, (size_t)size);
        while (redisReaderGetReply(reader, &command) == REDIS_OK && command != NULL) {
            answer(node, fd, command);
            freeReplyObject(command);
        }
    }
    redisReaderFree(reader);
}

static void *run(void *context)
{
    struct fake_node *node = context;
    for (;;) {
        int fd = accept(node->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        serve(node, fd);
        (void)close(fd);
    }
}

void fake_node_start(struct fake_node *node)
{
    check_or_stop(pthread_create(&node->thread, NULL, run, node) == 0);
}

void fake_node_stop(struct fake_node *node)
{
    (void)shutdown(node->listener, SHUT_RDWR);
    (void)pthread_join(node->thread, NULL);
    (void)close(node->listener);
}
