/* SPDX-License-Identifier: Apache-2.0 */
/* test_discovery.c — every node is asked once, whatever its names; one that fails is in the
 * list. */
#include "discovery.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fake_node.h"
#include "topology_texts.h"

enum { NODE_COUNT = 2, TIMEOUT_MS = 200, LONG_MS = 20000 };

static struct fake_node nodes[NODE_COUNT];
static struct node_facts_list list;
static struct haul_error error;

/* Two masters in containers: the same process number, port and file. */
static void set_up(void)
{
    static const char *const ids[NODE_COUNT] = {ID_A, ID_B};
    for (size_t i = 0; i < NODE_COUNT; i++) {
        fake_node_listen(&nodes[i]);
    }
    for (size_t self = 0; self < NODE_COUNT; self++) {
        struct fake_node *node = &nodes[self];
        char text[1024];
        size_t size = 0;
        for (size_t i = 0; i < NODE_COUNT; i++) {
            size += (size_t)snprintf(text + size, sizeof(text) - size,
                                     "%s 127.0.0.1:%u@1 %smaster - 1 2 7 connected %s\n", ids[i],
                                     nodes[i].port, i == self ? "myself," : "",
                                     i == 0 ? "0-8191" : "8192-16383");
        }
        fake_node_answer_text(node, "CLUSTERX VERSION", "7");
        fake_node_answer_text(node, "CLUSTER NODES", text);
        fake_node_answer_text(node, "CLUSTER INFO",
                              "migrating_slot(s): 1-2\r\nmigrating_state: fail\r\n");
        fake_node_answer_text(node, "INFO migration",
                              "migrate_unconfirmed:0\r\nmigrate_queued:\r\n");
        fake_node_answer_text(node, "INFO replication", "role:master\r\n");
        fake_node_answer_text(node, "INFO server",
                              "git_sha1:589b0189\r\nprocess_id:1\r\ntcp_port:6666\r\n"
                              "config_file:/kvrocks.conf\r\n");
        fake_node_answer_text(node, "INFO keyspace",
                              "used_db_size:100\r\ndisk_capacity:1000\r\nused_disk_size:400\r\n");
        fake_node_answer(node, "CONFIG GET migrate-transport",
                         "*2\r\n$17\r\nmigrate-transport\r\n$4\r\nhaul\r\n");
        fake_node_answer(node, "CONFIG GET rocksdb.wal_ttl_seconds",
                         "*2\r\n$23\r\nrocksdb.wal_ttl_seconds\r\n$5\r\n10800\r\n");
    }
}

static enum haul_status run(const char *format, uint32_t timeout_ms)
{
    char seeds[128];
    struct node_access access = {.timeout_ms = timeout_ms};
    (void)snprintf(seeds, sizeof(seeds), format, nodes[0].port, nodes[0].port);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        fake_node_start(&nodes[i]);
    }
    return discovery_run(seeds, &access, &list, &error);
}

static void tear_down(void)
{
    node_facts_list_fini(&list);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        fake_node_stop(&nodes[i]);
    }
}

static void test_run__one_seed__all_nodes_with_their_facts(void)
{
    set_up();
    check_status(run("127.0.0.1:%u", LONG_MS), HAUL_OK);
    check_or_stop(list.count == 2); /* though their processes look alike */
    const struct node_facts *facts = node_facts_find(&list, ID_B);
    check_or_stop(facts != NULL);
    check_status(facts->error.status, HAUL_OK);
    check(facts->port == nodes[1].port && facts->version == 7 && !facts->is_replica);
    check(facts->has_haul && facts->uses_haul && !facts->is_unconfirmed);
    check_text(facts->migrating.slots, "1-2");
    check_text(facts->migrating.state, "fail");
    check_equal(facts->log_ttl_s, 10800);
    check_equal(facts->log_size_mb, NODE_FACTS_UNKNOWN); /* no answer to this question */
    check_equal(node_facts_free_bytes(facts), 600);
    check_equal(facts->database_bytes, 100);
    tear_down();
}

static void test_run__two_names_of_one_node__once(void)
{
    set_up();
    check_status(run("localhost:%u,127.0.0.1:%u", LONG_MS), HAUL_OK);
    check_equal(list.count, 2);
    tear_down();
}

static void test_run__nodes_that_fail__in_the_list_with_their_error(void)
{
    set_up();
    fake_node_answer(&nodes[1], "CLUSTER INFO", "");
    check_status(run("127.0.0.1:%u", TIMEOUT_MS), HAUL_OK);
    check_or_stop(list.count == 2);
    check_status(list.nodes[0].error.status, HAUL_OK);
    check_status(list.nodes[1].error.status, HAUL_TIMEOUT);
    tear_down();
    set_up();
    fake_node_answer_text(&nodes[1], "CLUSTER NODES", "nonsense");
    fake_node_answer(&nodes[0], "CLUSTERX VERSION", "-NOAUTH Authentication required.\r\n");
    check_status(run("127.0.0.1:%u", LONG_MS), HAUL_OK);
    check_equal(list.count, 1); /* the seed names nobody */
    check_status(list.nodes[0].error.status, HAUL_AUTH);
    tear_down();
}

static void test_run__no_topology_or_no_cluster__told_apart(void)
{
    set_up();
    fake_node_answer_text(&nodes[0], "CLUSTERX VERSION", "-1");
    check_status(run("127.0.0.1:%u", LONG_MS), HAUL_OK);
    check(list.count == 1 && list.nodes[0].error.status == HAUL_OK);
    check(list.nodes[0].topology == NULL && list.nodes[0].version == -1);
    tear_down();
    set_up();
    fake_node_answer(&nodes[0], "CLUSTERX VERSION", "-ERR Cluster mode is not enabled\r\n");
    check_status(run("127.0.0.1:%u", LONG_MS), HAUL_OK);
    check(list.count == 1 && list.nodes[0].error.status == HAUL_UNSUPPORTED);
    tear_down();
}

/* A topology of four slots, for a short command. All slots have `all` together. */
static void set_up_sizes(const char *reply, const char *all)
{
    char text[256];
    set_up();
    (void)snprintf(text, sizeof(text),
                   ID_A " 127.0.0.1:%u@1 myself,master - 1 2 7 connected 0-2 16383\n",
                   nodes[0].port);
    fake_node_answer_text(&nodes[0], "CLUSTER NODES", text);
    fake_node_answer(&nodes[0], "HAUL SIZES 0 1 2 16383", reply);
    fake_node_answer(&nodes[0], "HAUL SIZES 0-16383", all);
    check_status(run("127.0.0.1:%u", LONG_MS), HAUL_OK);
    check_or_stop(list.count == 1);
    const struct node_access access = {.timeout_ms = LONG_MS};
    check_status(discovery_sizes(&access, &list, &error), HAUL_OK);
}

static void test_sizes__of_the_slots_that_it_owns(void)
{
    set_up_sizes("*4\r\n:10\r\n:0\r\n:9000000000\r\n:7\r\n", "*1\r\n:9000000000\r\n");
    const uint64_t *sizes = list.nodes[0].slot_bytes;
    check_or_stop(sizes != NULL);
    check(sizes[0] == 10 && sizes[1] == 0 && sizes[2] == 9000000000 && sizes[3] == 0);
    check_equal(sizes[16383], 7);
    tear_down();
}

static void test_sizes__a_node_that_cannot_tell__none(void)
{
    static const char *const replies[] = {
        "-ERR HAUL: unknown subcommand\r\n",
        "*1\r\n:1\r\n",
        "*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n",
        "*4\r\n:1\r\n:2\r\n:3\r\n:-1\r\n",
        "*4\r\n:1\r\n:2\r\n:3\r\n$1\r\n4\r\n",
        "*4\r\n:1\r\n:2\r\n:3\r\n$-1\r\n",
        "*4\r\n:9223372036854775807\r\n:9223372036854775807\r\n:2\r\n:0\r\n",
        "*-1\r\n",
        ":4\r\n",
        "nonsense\r\n",
    };
    for (size_t i = 0; i < CHECK_COUNT(replies); i++) {
        set_up_sizes(replies[i], "*1\r\n:9223372036854775807\r\n");
        check(list.nodes[0].slot_bytes == NULL);
        tear_down();
    }
}

static void test_sizes__more_than_all_together__none(void)
{
    static const char *const alls[] = {"*1\r\n:60000\r\n", "*1\r\n:0\r\n", "*0\r\n", "-ERR\r\n"};
    for (size_t i = 0; i < CHECK_COUNT(alls); i++) {
        set_up_sizes("*4\r\n:60000\r\n:60000\r\n:60000\r\n:0\r\n", alls[i]);
        check(list.nodes[0].slot_bytes == NULL);
        tear_down();
    }
}

static void test_run__seeds__host_and_port(void)
{
    static const char *const bad[] = {
        "",       "host", ":1",        "host:", "host:0", "host:65536",
        "host:x", "a:1,", "fd00::7:1", "[]:1",  "host:1x"};
    struct node_access access = {.timeout_ms = 1};
    for (size_t i = 0; i < CHECK_COUNT(bad); i++) {
        check_error(discovery_run(bad[i], &access, &list, &error), HAUL_INVALID, error);
    }
    check_status(discovery_run("[::1]:1", &access, &list, &error), HAUL_OK);
    check_text(list.nodes[0].host, "::1");
    check_text(list.nodes[0].name, "[::1]:1");
    node_facts_list_fini(&list);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_run__one_seed__all_nodes_with_their_facts),
    CHECK_TEST(test_run__two_names_of_one_node__once),
    CHECK_TEST(test_run__nodes_that_fail__in_the_list_with_their_error),
    CHECK_TEST(test_run__no_topology_or_no_cluster__told_apart),
    CHECK_TEST(test_sizes__of_the_slots_that_it_owns),
    CHECK_TEST(test_sizes__a_node_that_cannot_tell__none),
    CHECK_TEST(test_sizes__more_than_all_together__none),
    CHECK_TEST(test_run__seeds__host_and_port),
};

CHECK_MAIN("discovery", tests)
