/* SPDX-License-Identifier: Apache-2.0 */
/* test_node_connection.c — each kind of answer, in one piece and byte by byte, and none. */
#include "node_connection.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_node.h"

enum { TIMEOUT_MS = 100, LONG_MS = 20000 };

static struct fake_node node;
static struct node_connection *connection;
static struct haul_error error;

static enum haul_status open_with(const char *password, uint32_t timeout_ms)
{
    struct node_access access = {.password = password, .timeout_ms = timeout_ms};
    fake_node_start(&node);
    connection = NULL;
    return node_connection_open("127.0.0.1", node.port, &access, &connection, &error);
}

static void tear_down(void)
{
    node_connection_close(connection);
    fake_node_stop(&node);
}

/* The answer to GET x, for free(). */
static enum haul_status get(char **text)
{
    static const char *const words[] = {"GET", "x"};
    struct node_answer answer = {NULL, 0};
    enum haul_status status = node_connection_call(connection, words, 2, &answer, &error);
    *text = answer.text;
    return status;
}

static void expect(const char *reply, enum haul_status wanted, const char *wanted_text)
{
    for (size_t piece = 0; piece < 3; piece++) {
        char *text = NULL;
        fake_node_listen(&node);
        node.piece_bytes = piece;
        fake_node_answer(&node, "GET x", reply);
        check_status(open_with(NULL, LONG_MS), HAUL_OK);
        check_status(get(&text), wanted);
        check((text == NULL) == (wanted_text == NULL));
        if (text != NULL && wanted_text != NULL) {
            check_text(text, wanted_text);
        }
        free(text);
        tear_down();
    }
}

static void test_call__every_kind_of_answer__text_or_nothing(void)
{
    expect("$5\r\na\r\nbc\r\n", HAUL_OK, "a\r\nbc");
    expect("+OK\r\n", HAUL_OK, "OK");
    expect("$-1\r\n", HAUL_OK, NULL);
    expect("*0\r\n", HAUL_OK, NULL);
    expect("*2\r\n$1\r\na\r\n$5\r\nvalue\r\n", HAUL_OK, "value");
    expect("*1\r\n$-1\r\n", HAUL_OK, NULL);
    expect("*1\r\n*1\r\n$1\r\na\r\n", HAUL_OK, "");
}

static void test_call__error_answers__by_their_words(void)
{
    expect("-NOAUTH Authentication required.\r\n", HAUL_AUTH, NULL);
    expect("-ERR invalid password\r\n", HAUL_AUTH, NULL);
    expect("-LOADING kvrocks is restoring the db from backup\r\n", HAUL_AGAIN, NULL);
    expect("-ERR unknown command\r\n", HAUL_REFUSED, NULL);
    check(strstr(error.text, "unknown command") != NULL);
    expect("hello\r\n", HAUL_PROTOCOL, NULL);
    expect(":7\r\n", HAUL_PROTOCOL, NULL);
}

static void test_call__no_or_half_an_answer__timeout(void)
{
    static const char *const replies[] = {"", "$5\r\nab"};
    for (size_t i = 0; i < CHECK_COUNT(replies); i++) {
        char *text = NULL;
        fake_node_listen(&node);
        fake_node_answer(&node, "GET x", replies[i]);
        check_status(open_with(NULL, TIMEOUT_MS), HAUL_OK);
        check_error(get(&text), HAUL_TIMEOUT, error);
        check(text == NULL);
        tear_down();
    }
}

/* Each byte is in time, the answer is not. */
static void test_call__an_answer_that_drips__timeout(void)
{
    char *text = NULL;
    fake_node_listen(&node);
    node.piece_bytes = 1;
    node.piece_ms = TIMEOUT_MS / 4;
    fake_node_answer(&node, "GET x", "$10\r\n0123456789\r\n");
    check_status(open_with(NULL, TIMEOUT_MS), HAUL_OK);
    check_error(get(&text), HAUL_TIMEOUT, error);
    check(text == NULL);
    tear_down();
    node.piece_ms = 0;
}

static void test_open__password__sent_first_or_refused(void)
{
    fake_node_listen(&node);
    fake_node_answer(&node, "AUTH secret", "+OK\r\n");
    check_status(open_with("secret", LONG_MS), HAUL_OK);
    tear_down();
    fake_node_listen(&node);
    fake_node_answer(&node, "AUTH wrong", "-ERR invalid password\r\n");
    check_error(open_with("wrong", LONG_MS), HAUL_AUTH, error);
    check(connection == NULL);
    tear_down();
}

static void test_open__nobody_listens_or_no_such_host__said(void)
{
    struct node_access access = {.timeout_ms = LONG_MS};
    fake_node_listen(&node);
    fake_node_start(&node);
    fake_node_stop(&node);
    check_error(node_connection_open("127.0.0.1", node.port, &access, &connection, &error),
                HAUL_REFUSED, error);
    check_error(node_connection_open("not a host", 1, &access, &connection, &error),
                HAUL_UNREACHABLE, error);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_call__every_kind_of_answer__text_or_nothing),
    CHECK_TEST(test_call__error_answers__by_their_words),
    CHECK_TEST(test_call__no_or_half_an_answer__timeout),
    CHECK_TEST(test_call__an_answer_that_drips__timeout),
    CHECK_TEST(test_open__password__sent_first_or_refused),
    CHECK_TEST(test_open__nobody_listens_or_no_such_host__said),
};

CHECK_MAIN("node_connection", tests)
