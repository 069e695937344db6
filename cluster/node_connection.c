/* SPDX-License-Identifier: Apache-2.0 */
/* node_connection.c — hiredis formats a command and parses its answer; the bytes go through
 * node_stream, because hiredis' own connections have no TLS in the releases that we support. */
#include "node_connection.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 16384 };

struct node_connection {
    struct node_stream *stream;
    redisReader *reader;
};

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a connection");
}

void node_connection_close(struct node_connection *connection)
{
    if (connection != NULL) {
        if (connection->reader != NULL) {
            redisReaderFree(connection->reader);
        }
        node_stream_close(connection->stream);
        free(connection);
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static enum haul_status status_of(const char *text)
{
    if (strncmp(text, "NOAUTH", 6) == 0 || strncmp(text, "WRONGPASS", 9) == 0 ||
        strcasestr(text, "invalid password") != NULL ||
        strstr(text, "no password is set") != NULL) {
        return HAUL_AUTH;
    }
    return strncmp(text, "LOADING", 7) == 0 ? HAUL_AGAIN : HAUL_REFUSED;
}

static enum haul_status copy_text(const char *text, size_t size, struct node_answer *answer,
                                  struct haul_error *error)
{
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return no_memory(error);
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    *answer = (struct node_answer){copy, size};
    return HAUL_OK;
}

static enum haul_status unexpected(struct haul_error *error)
{
    return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "an answer of an unexpected type");
}

static enum haul_status take_reply(const redisReply *reply, struct node_answer *answer,
                                   struct haul_error *error)
{
    *answer = (struct node_answer){NULL, 0};
    if (reply->type == REDIS_REPLY_ERROR) {
        return haul_error_set(error, status_of(reply->str), NULL, 0, "%s", reply->str);
    }
    if (reply->type == REDIS_REPLY_ARRAY) {
        const redisReply *last = reply->elements == 0 ? NULL : reply->element[reply->elements - 1];
        if (last == NULL || last->type == REDIS_REPLY_NIL) {
            return HAUL_OK;
        }
        return last->type == REDIS_REPLY_ARRAY ? copy_text("", 0, answer, error)
                                               : take_reply(last, answer, error);
    }
    if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) {
        return copy_text(reply->str, (size_t)reply->len, answer, error);
    }
    return reply->type == REDIS_REPLY_NIL ? HAUL_OK : unexpected(error);
}

static enum haul_status take_numbers(const redisReply *reply, uint64_t *numbers, size_t count,
                                     struct haul_error *error)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        return haul_error_set(error, status_of(reply->str), NULL, 0, "%s", reply->str);
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count) {
        return unexpected(error);
    }
    for (size_t i = 0; i < count; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER || reply->element[i]->integer < 0) {
            return unexpected(error);
        }
        numbers[i] = (uint64_t)reply->element[i]->integer;
    }
    return HAUL_OK;
}

/* Read until one answer is complete. */
static enum haul_status read_reply(struct node_connection *connection, void **reply,
                                   struct haul_error *error)
{
    size_t total = 0;
    *reply = NULL;
    while (*reply == NULL) {
        char data[READ_BYTES];
        size_t size = 0;
        enum haul_status status =
            node_stream_read(connection->stream, data, sizeof(data), &size, error);
        if (status != HAUL_OK) {
            return status;
        }
        total += size;
        if (total > NODE_ANSWER_BYTES_MAX) {
            return haul_error_set(error, HAUL_LIMIT, NULL, 0, "an answer of more than %d bytes",
                                  NODE_ANSWER_BYTES_MAX);
        }
        if (redisReaderFeed(connection->reader, data, size) != REDIS_OK ||
            redisReaderGetReply(connection->reader, reply) != REDIS_OK) {
            return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "no answer of a Kvrocks node: %s",
                                  connection->reader->errstr);
        }
    }
    return HAUL_OK;
}

/* Ownership: `*reply` is the caller's (freeReplyObject). */
static enum haul_status exchange(struct node_connection *connection, const char *const *words,
                                 size_t count, void **reply, struct haul_error *error)
{
    const char *copies[NODE_WORD_COUNT_MAX]; /* hiredis wants an array that it could change */
    char *command = NULL;
    if (count > NODE_WORD_COUNT_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a command of %zu words", count);
    }
    memcpy(copies, words, count * sizeof(copies[0]));
    int size = redisFormatCommandArgv(&command, (int)count, copies, NULL);
    if (size < 0) {
        return no_memory(error);
    }
    enum haul_status status = node_stream_write(connection->stream, command, (size_t)size, error);
    explicit_bzero(command, (size_t)size); /* it may have the password */
    redisFreeCommand(command);
    return status == HAUL_OK ? read_reply(connection, reply, error) : status;
}

enum haul_status node_connection_call(struct node_connection *connection, const char *const *words,
                                      size_t count, struct node_answer *answer,
                                      struct haul_error *error)
{
    void *reply = NULL;
    enum haul_status status = exchange(connection, words, count, &reply, error);
    if (status == HAUL_OK) {
        status = take_reply(reply, answer, error);
        freeReplyObject(reply);
    }
    return status;
}

enum haul_status node_connection_numbers(struct node_connection *connection,
                                         const char *const *words, size_t count, uint64_t *numbers,
                                         size_t number_count, struct haul_error *error)
{
    void *reply = NULL;
    enum haul_status status = exchange(connection, words, count, &reply, error);
    if (status == HAUL_OK) {
        status = take_numbers(reply, numbers, number_count, error);
        freeReplyObject(reply);
    }
    return status;
}

static enum haul_status authenticate(struct node_connection *connection, const char *password,
                                     struct haul_error *error)
{
    const char *words[] = {"AUTH", password};
    struct node_answer answer = {NULL, 0};
    enum haul_status status = node_connection_call(connection, words, 2, &answer, error);
    free(answer.text);
    if (status == HAUL_AUTH) {
        haul_error_hint(error, "correct the password (--password-file, HAUL_CLUSTER_PASSWORD), or "
                               "leave it out");
    }
    return status;
}

enum haul_status node_connection_open(const char *host, uint16_t port,
                                      const struct node_access *access,
                                      struct node_connection **connection, struct haul_error *error)
{
    struct node_connection *opened = calloc(1, sizeof(*opened));
    if (opened == NULL) {
        return no_memory(error);
    }
    opened->reader = redisReaderCreate();
    enum haul_status status = opened->reader == NULL
                                  ? no_memory(error)
                                  : node_stream_open(host, port, access, &opened->stream, error);
    if (status == HAUL_OK && access->password != NULL) {
        status = authenticate(opened, access->password, error);
    }
    if (status != HAUL_OK) {
        node_connection_close(opened);
        return status;
    }
    *connection = opened;
    return HAUL_OK;
}
