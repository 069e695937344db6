/* SPDX-License-Identifier: Apache-2.0 */
/* test_controller.c — answers of kvrocks-controller and of what is none, from a server of this
 * test's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "controller.h"
#include "topology_texts.h"

#define CLUSTER                                                               \
    "{\"data\":{\"cluster\":{\"name\":\"c\",\"version\":7,\"shards\":["       \
    "{\"nodes\":[{\"id\":\"" ID_A "\",\"addr\":\"h:1\",\"role\":\"master\"}," \
    "{\"id\":\"" ID_C "\",\"addr\":\"h:3\",\"role\":\"slave\"}]},"            \
    "{\"nodes\":[{\"id\":\"" ID_B "\",\"addr\":\"h:2\",\"role\":\"master\"}]}]}}}"

static struct haul_error error;
static struct controller *controller;
static int listener = -1;
static pthread_t thread;
static const char *reply; /* the whole answer to the one request */
static char seen[1024];   /* the request */

static void *serve(void *context)
{
    (void)context;
    int fd = accept(listener, NULL, NULL);
    size_t size = 0;
    ssize_t part = 1;
    seen[0] = '\0';
    /* A POST's body ends with a brace. */
    while (part > 0 && size + 1 < sizeof(seen) &&
           (strstr(seen, "\r\n\r\n") == NULL ||
            (strncmp(seen, "POST", 4) == 0 && strchr(seen, '}') == NULL))) {
        part = recv(fd, seen + size, sizeof(seen) - 1 - size, 0);
        size += part > 0 ? (size_t)part : 0;
        seen[size] = '\0';
    }
    (void)send(fd, reply, strlen(reply), MSG_NOSIGNAL);
    (void)close(fd);
    return NULL;
}

static void begin(const char *status, const char *body)
{
    static char text[2048];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char url[128];
    (void)snprintf(text, sizeof(text), "%s%s", status, body);
    reply = text;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_or_stop(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 &&
                  listen(listener, 1) == 0 &&
                  getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    check_or_stop(pthread_create(&thread, NULL, serve, NULL) == 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/api/v1/namespaces/n/clusters/c",
                   ntohs(address.sin_port));
    check_status(controller_open(url, 2000, &controller, &error), HAUL_OK);
}

static void end(void)
{
    controller_close(controller);
    (void)pthread_join(thread, NULL);
    (void)close(listener);
}

#define OK_200 "HTTP/1.0 200 OK\r\n\r\n"

static void test_find_shard__by_its_master(void)
{
    int shard = -1;
    begin(OK_200, CLUSTER);
    check_status(controller_find_shard(controller, ID_B, &shard, &error), HAUL_OK);
    check_equal(shard, 1);
    check(strncmp(seen, "GET /api/v1/namespaces/n/clusters/c HTTP", 40) == 0);
    end();
}

static void test_find_shard__a_replica_or_an_unknown_node__not_found(void)
{
    static const char *const ids[] = {ID_C, ID_D};
    for (size_t i = 0; i < CHECK_COUNT(ids); i++) {
        int shard = -1;
        begin(OK_200, CLUSTER);
        check_error(controller_find_shard(controller, ids[i], &shard, &error), HAUL_NOT_FOUND,
                    error);
        check_equal(shard, -1);
        end();
    }
}

static void test_find_shard__no_controller__told_apart(void)
{
    static const struct {
        const char *status;
        const char *body;
        enum haul_status expected;
    } answers[] = {
        {"", "", HAUL_UNREACHABLE},
        {OK_200, "<html>", HAUL_PROTOCOL},
        {OK_200, "{}", HAUL_PROTOCOL},
        {OK_200, "{\"data\":{\"cluster\":{\"shards\":7}}}", HAUL_PROTOCOL},
        {"HTTP/1.0 404 Not Found\r\n\r\n", "404 page not found", HAUL_NOT_FOUND},
        {"HTTP/1.0 500 Error\r\n\r\n", "{\"error\":{\"message\":\"no leader\"}}", HAUL_REFUSED},
    };
    for (size_t i = 0; i < CHECK_COUNT(answers); i++) {
        int shard = -1;
        begin(answers[i].status, answers[i].body);
        check_error(controller_find_shard(controller, ID_A, &shard, &error), answers[i].expected,
                    error);
        end();
    }
    check(strstr(error.text, "no leader") != NULL);
}

static void test_migrate__request_and_refusal(void)
{
    begin(OK_200, CLUSTER);
    check_status(controller_migrate(controller, (struct slot_range){5, 9}, 1, &error), HAUL_OK);
    check(strncmp(seen, "POST /api/v1/namespaces/n/clusters/c/migrate HTTP", 49) == 0);
    check(strstr(seen, "Content-Type: application/json") != NULL);
    check(strstr(seen, "{\"target\": 1, \"slot\": \"5-9\", \"slot_only\": false}") != NULL);
    end();
    begin("HTTP/1.0 409 Conflict\r\n\r\n", "{\"error\":{\"message\":\"the shard is migrating\"}}");
    check_error(controller_migrate(controller, (struct slot_range){5, 9}, 1, &error), HAUL_REFUSED,
                error);
    check(strstr(error.text, "the shard is migrating") != NULL);
    end();
}

static void test_open__no_url_of_a_cluster__invalid(void)
{
    static const char *const urls[] = {"", "10.0.0.7:9379", "ftp://h/clusters/c", "http://h:9379",
                                       "file:///clusters/c"};
    for (size_t i = 0; i < CHECK_COUNT(urls); i++) {
        check_error(controller_open(urls[i], 100, &controller, &error), HAUL_INVALID, error);
        check(strstr(error.hint, "--controller http://") != NULL);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_find_shard__by_its_master),
    CHECK_TEST(test_find_shard__a_replica_or_an_unknown_node__not_found),
    CHECK_TEST(test_find_shard__no_controller__told_apart),
    CHECK_TEST(test_migrate__request_and_refusal),
    CHECK_TEST(test_open__no_url_of_a_cluster__invalid),
};

CHECK_MAIN("controller", tests)
