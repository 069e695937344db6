/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster_watch.c — what a round makes of the answers of nodes, and the words of commands. */
#include <stdlib.h>

#include "cluster_watch.h"
#include "facts_fixture.h"
#include "fake_node.h"

static struct fake_node node;
static struct cluster_watch *watch;
static struct haul_error error;
static const struct node_access access = {.timeout_ms = 2000};
static const struct run_move move = {.slots = {0, 99}, .from = ID_A, .to = ID_B};

/* A watch of the fixture's nodes, of which the first is a fake one. */
static void begin(void)
{
    struct node_facts_list list = fixture_facts();
    char line[256];
    fake_node_listen(&node);
    for (size_t i = 0; i < list.count; i++) {
        (void)snprintf(list.nodes[i].host, sizeof(list.nodes[i].host), "127.0.0.1");
        list.nodes[i].port = i == 0 ? node.port : 1; /* nobody listens there */
    }
    (void)snprintf(line, sizeof(line),
                   ID_A " 127.0.0.1:%u@1 myself,master - 1 2 5 connected 0-16383\n", node.port);
    fake_node_answer_text(&node, "CLUSTER NODES", line);
    fake_node_answer_text(&node, "CLUSTER INFO", "cluster_state:ok\r\n");
    check_status(cluster_watch_open(&list, &access, &watch, &error), HAUL_OK);
    node_facts_list_fini(&list);
}

static void ask(void)
{
    fake_node_start(&node);
    cluster_watch_ask(watch);
}

static void end(void)
{
    cluster_watch_close(watch);
    fake_node_stop(&node);
}

static void test_ask__a_node_and_silent_ones__told_apart(void)
{
    begin();
    ask();
    check_equal(watch->count, 4);
    check(watch->views[0].answers && watch->views[0].topology->version == 5);
    check_equal(watch->views[0].job, RUN_JOB_NONE);
    check(!watch->views[1].answers && !watch->views[2].answers && !watch->views[3].answers);
    check_text(watch->views[1].name, "127.0.0.1:6667");
    end();
}

static void test_ask__a_running_job__with_its_figures(void)
{
    begin();
    fake_node_answer_text(&node, "CLUSTER INFO",
                          "migrating_slot(s): 0-99\r\ndestination_node: " ID_B
                          "\r\nmigrating_state: start\r\nmigrate_phase: copying\r\n"
                          "migrate_percent: 47.2\r\nmigrate_bytes: 123\r\n"
                          "migrate_rate_mb: 13.5\r\nmigrate_eta_seconds: -1\r\n");
    ask();
    const struct run_view *view = &watch->views[0];
    check(view->job == RUN_JOB_START && view->job_slots.first == 0 && view->job_slots.last == 99);
    check_text(view->job_to, ID_B);
    check_text(watch->progress[0].phase, "copying");
    check(watch->progress[0].percent > 47 && watch->progress[0].percent < 48);
    check(watch->progress[0].bytes == 123 && watch->progress[0].eta_s == -1);
    end();
}

static void test_ask__a_failed_job__with_its_reason(void)
{
    begin();
    fake_node_answer_text(&node, "CLUSTER INFO",
                          "migrating_slot(s): 7\r\ndestination_node: " ID_B
                          "\r\nmigrating_state: fail\r\nimporting_slot(s): 1-2\r\n"
                          "import_state: start\r\n");
    fake_node_answer_text(&node, "INFO migration", "migrate_last_error:no \033[2Jspace\r\n");
    ask();
    check(watch->views[0].job == RUN_JOB_FAIL && watch->views[0].imports);
    check(watch->views[0].import_slots.first == 1 && watch->views[0].import_slots.last == 2);
    check_text(watch->views[0].failure, "no \\x1b[2Jspace");
    end();
}

static void test_ask__a_replica__has_no_job_of_its_own(void)
{
    begin();
    fake_node_answer_text(&node, "CLUSTER NODES",
                          ID_A " 127.0.0.1:1@1 myself,slave " ID_B " 1 2 5 connected\n" ID_B
                               " 127.0.0.1:2@2 master - 1 2 5 connected 0-16383\n");
    fake_node_answer_text(&node, "CLUSTER INFO",
                          "migrating_slot(s): 0-99\r\ndestination_node: " ID_C
                          "\r\nmigrating_state: start\r\n");
    ask();
    check(watch->views[0].answers && watch->views[0].job == RUN_JOB_NONE);
    end();
}

/* Another process may have taken the address. */
static void test_ask__another_id_or_nonsense__no_answer(void)
{
    begin();
    fake_node_answer_text(&node, "CLUSTER NODES",
                          ID_B " 127.0.0.1:1@1 myself,master - 1 2 5 connected 0-16383\n");
    ask();
    check(!watch->views[0].answers);
    end();
    begin();
    fake_node_answer_text(&node, "CLUSTER NODES", "nonsense");
    ask();
    check(!watch->views[0].answers);
    end();
}

static void check_words(enum run_command_kind kind, const char *expected)
{
    struct run_command command = {kind, 0, kind == RUN_SETNODES ? SIZE_MAX : 0, 6};
    struct topology *topology = fixture_topology(ID_A);
    struct watch_words words;
    char text[512] = "";
    check_status(cluster_watch_words(&command, &move, topology, &words, &error), HAUL_OK);
    for (size_t i = 0; i < words.count; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%s", i == 0 ? "" : " ",
                       words.words[i] == words.text ? "TEXT" : words.words[i]);
    }
    check_text(text, expected);
    free(words.text);
    topology_destroy(topology);
}

static void test_words__each_command(void)
{
    check_words(RUN_MIGRATE, "CLUSTERX MIGRATE 0-99 " ID_B " ASYNC");
    check_words(RUN_CANCEL, "HAUL CANCEL 0-99");
    check_words(RUN_SETSLOT, "CLUSTERX SETSLOT 0-99 NODE " ID_B " 6");
    check_words(RUN_SETNODES, "CLUSTERX SETNODES TEXT 6");
}

static void test_send__refused__with_the_node_s_words(void)
{
    struct run_command command = {RUN_MIGRATE, 0, 0, 0};
    begin();
    fake_node_answer(&node, "CLUSTERX MIGRATE 0-99 " ID_B " ASYNC", "-ERR not now\r\n");
    ask();
    check_error(cluster_watch_send(watch, &command, &move, NULL, &error), HAUL_REFUSED, error);
    check(strstr(error.text, "not now") != NULL);
    end();
}

static void test_limit__the_same_again__nothing_sent(void)
{
    begin();
    fake_node_answer(&node, "CONFIG SET migrate-rdma-rate-limit-mb 5", "+OK\r\n");
    fake_node_start(&node);
    check_status(cluster_watch_limit(watch, 0, 5, &error), HAUL_OK);
    check_error(cluster_watch_limit(watch, 0, 6, &error), HAUL_REFUSED, error);
    check_status(cluster_watch_limit(watch, 0, 5, &error), HAUL_OK);
    end();
}

/* A restart forgets what CONFIG SET has set. */
static void test_limit__the_connection_was_lost__sent_again(void)
{
    const char *const set = "CONFIG SET migrate-rdma-rate-limit-mb 5";
    struct run_command command = {RUN_MIGRATE, 0, 0, 0};
    begin();
    fake_node_answer(&node, set, "+OK\r\n");
    fake_node_answer(&node, "CLUSTERX MIGRATE 0-99 " ID_B " ASYNC", FAKE_NODE_HANG_UP);
    fake_node_start(&node);
    check_status(cluster_watch_limit(watch, 0, 5, &error), HAUL_OK);
    check_status(cluster_watch_limit(watch, 0, 5, &error), HAUL_OK);
    check_equal(fake_node_count(&node, set), 1);
    check(cluster_watch_send(watch, &command, &move, NULL, &error) != HAUL_OK);
    check_status(cluster_watch_limit(watch, 0, 5, &error), HAUL_OK);
    check_equal(fake_node_count(&node, set), 2);
    end();
}

static void test_share__the_smaller_limit_counts(void)
{
    check_equal(cluster_watch_share_mb(0, 0, 3), 0);
    check_equal(cluster_watch_share_mb(50, 0, 3), 50);
    check_equal(cluster_watch_share_mb(0, 90, 3), 30);
    check_equal(cluster_watch_share_mb(20, 90, 3), 20);
    check_equal(cluster_watch_share_mb(50, 90, 3), 30);
    check_equal(cluster_watch_share_mb(50, 2, 3), 1);
    check_equal(cluster_watch_share_mb(UINT64_MAX, 0, 1), INT32_MAX);
}

static void check_probe(const char *reply, enum haul_status status)
{
    struct watch_line line;
    begin();
    fake_node_answer(&node, "HAUL PROBE " ID_B " 5", reply);
    fake_node_start(&node);
    check_status(cluster_watch_probe(watch, 0, ID_B, 5, &line, &error), status);
    end();
}

static void test_probe__measuring_and_measured__told_apart(void)
{
    struct watch_line line;
    begin();
    fake_node_answer(&node, "HAUL PROBE " ID_B " 0", "+haul 50123 112000000\r\n");
    fake_node_answer(&node, "HAUL PROBE " ID_C " 0", "+haul measuring\r\n");
    fake_node_start(&node);
    check_status(cluster_watch_probe(watch, 0, ID_B, 0, &line, &error), HAUL_OK);
    check(line.measured && line.round_trip_us == 50123 && line.rate == 112000000);
    check_status(cluster_watch_probe(watch, 0, ID_C, 0, &line, &error), HAUL_OK);
    check(!line.measured);
    end();
}

static void test_probe__another_answer__named(void)
{
    check_probe("-ERR HAUL: unknown subcommand\r\n", HAUL_REFUSED);
    check_probe("+OK\r\n", HAUL_PROTOCOL);
    check_probe("+haul\r\n", HAUL_PROTOCOL);
    check_probe("+haul 5\r\n", HAUL_PROTOCOL);
    check_probe("+haul 5 \r\n", HAUL_PROTOCOL);
    check_probe("+haul 5 x\r\n", HAUL_PROTOCOL);
    check_probe("+haul 5 6 7\r\n", HAUL_PROTOCOL);
    check_probe("$-1\r\n", HAUL_PROTOCOL);
}

static void test_setting__a_number_and_anything_else__told_apart(void)
{
    uint64_t value = 0;
    begin();
    fake_node_answer(&node, "CONFIG GET number", "*2\r\n$6\r\nnumber\r\n$3\r\n500\r\n");
    fake_node_answer(&node, "CONFIG GET text", "*2\r\n$4\r\ntext\r\n$3\r\n5 m\r\n");
    fake_node_answer(&node, "CONFIG GET none", "*0\r\n");
    fake_node_start(&node);
    check_status(cluster_watch_setting(watch, 0, "number", &value, &error), HAUL_OK);
    check_equal(value, 500);
    check_error(cluster_watch_setting(watch, 0, "text", &value, &error), HAUL_NOT_FOUND, error);
    check_error(cluster_watch_setting(watch, 0, "none", &value, &error), HAUL_NOT_FOUND, error);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_ask__a_node_and_silent_ones__told_apart),
    CHECK_TEST(test_ask__a_running_job__with_its_figures),
    CHECK_TEST(test_ask__a_failed_job__with_its_reason),
    CHECK_TEST(test_ask__a_replica__has_no_job_of_its_own),
    CHECK_TEST(test_ask__another_id_or_nonsense__no_answer),
    CHECK_TEST(test_words__each_command),
    CHECK_TEST(test_send__refused__with_the_node_s_words),
    CHECK_TEST(test_limit__the_same_again__nothing_sent),
    CHECK_TEST(test_limit__the_connection_was_lost__sent_again),
    CHECK_TEST(test_probe__measuring_and_measured__told_apart),
    CHECK_TEST(test_probe__another_answer__named),
    CHECK_TEST(test_setting__a_number_and_anything_else__told_apart),
    CHECK_TEST(test_share__the_smaller_limit_counts),
};

CHECK_MAIN("cluster_watch", tests)
