/* SPDX-License-Identifier: Apache-2.0 */
/* test_topology.c — real answers of nodes are read completely; any other text is refused. */
#include "topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "topology_texts.h"

static struct topology *parsed;

static struct topology *parse(const char *text)
{
    struct haul_error error;
    topology_destroy(parsed);
    parsed = NULL;
    check_or_stop(topology_parse(text, strlen(text), &parsed, &error) == HAUL_OK);
    return parsed;
}

static void test_parse__master_that_gives__nodes_slots_and_job(void)
{
    struct topology *topology = parse(NODES_OF_A);
    check_equal(topology->version, 2);
    check_equal(topology->node_count, 4);
    check_equal(topology->self, 3);
    const struct topology_node *a = topology_find(topology, ID_A);
    const struct topology_node *d = topology_find(topology, "127.0.0.1:10493");
    check_or_stop(a != NULL && d != NULL);
    check(a->is_master && a->slot_count == 5002 && a->port == 11461);
    check_text(a->host, "127.0.0.1");
    check(!d->is_master && d->slot_count == 0);
    check_text(d->master, ID_A);
    check_text(topology->nodes[topology->owners[9000]].id, ID_A);
    check_text(topology->nodes[topology->owners[9001]].id, ID_B);
    check_text(topology->nodes[topology->owners[16383]].id, ID_C);
    check(topology->migrating.runs && !topology->importing.runs);
    check(topology->migrating.slots.first == 0 && topology->migrating.slots.last == 5000);
    check_text(topology->migrating.peer, ID_B);
}

static void test_parse__master_that_takes__importing(void)
{
    struct topology *topology = parse(NODES_OF_B);
    check(!topology->migrating.runs && topology->importing.runs);
    check_text(topology->importing.peer, ID_A);
    check_equal(topology->self, 2);
}

static void test_parse__replica__is_self_and_has_no_slots(void)
{
    struct topology *topology = parse(NODES_OF_D);
    check_equal(topology->self, 0);
    check(!topology->nodes[0].is_master);
}

static void test_parse__ipv6_and_crlf_and_no_slots(void)
{
    struct topology *topology = parse(ID_A " fd00::7:6666@16666 master - 1 2 9 connected\r\n");
    char name[TOPOLOGY_NAME_BYTES_MAX];
    topology_node_name(&topology->nodes[0], name);
    check_text(name, "[fd00::7]:6666");
    check_equal(topology->self, 1);
    check_equal(topology->owners[0], TOPOLOGY_NO_OWNER);
    check(topology_find(topology, "[fd00::7]:6666") == &topology->nodes[0]);
    check(topology_find(topology, ID_B) == NULL);
}

static void test_parse__anything_else__protocol(void)
{
    static const char *const texts[] = {
        "",
        "\n",
        "CLUSTERDOWN The cluster is not initialized",
        "short 127.0.0.1:1@2 master - 1 2 3 connected\n",
        ID_A " 127.0.0.1@2 master - 1 2 3 connected\n",
        ID_A " :6666@2 master - 1 2 3 connected\n",
        ID_A " h:0@2 master - 1 2 3 connected\n",
        ID_A " h:65536@2 master - 1 2 3 connected\n",
        ID_A " h:1@2 master x 1 2 3 connected\n",
        ID_A " h:1@2 slave - 1 2 3 connected\n",
        ID_A " h:1@2 handshake - 1 2 3 connected\n",
        ID_A " h:1@2 master - 1 2 x connected\n",
        ID_A " h:1@2 master - 1 2 9999999999999999999 connected\n",
        ID_A " h:1@2 master - 1 2 3 connected 16384\n",
        ID_A " h:1@2 master - 1 2 3 connected 5-4\n",
        ID_A " h:1@2 master - 1 2 3 connected 5-\n",
        ID_A " h:1@2 master - 1 2 3 connected 1-5 5\n",
        ID_A " h:1@2 master - 1 2 3 connected [7]\n",
        ID_A " h:1@2 master - 1 2 3 connected [7->-short]\n",
        ID_A " h:1@2 master - 1 2 3 connected [x->-" ID_B "]\n",
        ID_A " h:1@2 slave " ID_B " 1 2 3 connected 7\n",
    };
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        struct topology *topology = NULL;
        struct haul_error error;
        check_error(topology_parse(texts[i], strlen(texts[i]), &topology, &error), HAUL_PROTOCOL,
                    error);
        check(topology == NULL);
    }
}

/* Whatever is cut off or changed, no byte outside the text is read (run with a sanitizer). */
static void test_parse__every_prefix_and_changed_byte__no_crash(void)
{
    size_t size = strlen(NODES_OF_A);
    for (size_t cut = 0; cut < size; cut++) {
        struct topology *topology = NULL;
        struct haul_error error;
        char *copy = malloc(size);
        check_or_stop(copy != NULL);
        memcpy(copy, NODES_OF_A, size);
        copy[cut] = (char)(copy[cut] ^ 0x11);
        if (topology_parse(copy, size, &topology, &error) == HAUL_OK) {
            topology_destroy(topology);
        }
        char *prefix = malloc(cut + 1);
        check_or_stop(prefix != NULL);
        memcpy(prefix, NODES_OF_A, cut);
        topology = NULL;
        if (topology_parse(prefix, cut, &topology, &error) == HAUL_OK) {
            topology_destroy(topology);
        }
        free(prefix);
        free(copy);
    }
}

static void test_parse__too_many_nodes__limit(void)
{
    enum { LINE_BYTES = 80 };
    size_t size = 0;
    char *text = malloc((size_t)LINE_BYTES * (TOPOLOGY_NODE_COUNT_MAX + 1));
    check_or_stop(text != NULL);
    struct haul_error error;
    for (int i = 0; i <= TOPOLOGY_NODE_COUNT_MAX; i++) {
        size +=
            (size_t)snprintf(text + size, LINE_BYTES, "%040d h:1@2 master - 1 2 3 connected\n", i);
    }
    struct topology *topology = NULL;
    check_error(topology_parse(text, size, &topology, &error), HAUL_LIMIT, error);
    free(text);
}

static void test_version__number_or_none__anything_else_protocol(void)
{
    int64_t version = 0;
    struct haul_error error;
    check_status(topology_parse_version("2", 1, &version, &error), HAUL_OK);
    check_equal(version, 2);
    check_status(topology_parse_version("-1", 2, &version, &error), HAUL_OK);
    check_equal(version, -1);
    check_error(topology_parse_version("", 0, &version, &error), HAUL_PROTOCOL, error);
    check_error(topology_parse_version("-2", 2, &version, &error), HAUL_PROTOCOL, error);
    check_error(topology_parse_version("2x", 2, &version, &error), HAUL_PROTOCOL, error);
}

static void test_range__format_and_run(void)
{
    char text[TOPOLOGY_RANGE_BYTES_MAX];
    struct topology *topology = parse(NODES_OF_A);
    slot_range_format(topology_run(topology->owners, 9000), text);
    check_text(text, "9000");
    slot_range_format(topology_run(topology->owners, 9001), text);
    check_text(text, "9001-10922");
    check_equal(topology_run(topology->owners, 10923).last, 16383);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_parse__master_that_gives__nodes_slots_and_job),
    CHECK_TEST(test_parse__master_that_takes__importing),
    CHECK_TEST(test_parse__replica__is_self_and_has_no_slots),
    CHECK_TEST(test_parse__ipv6_and_crlf_and_no_slots),
    CHECK_TEST(test_parse__anything_else__protocol),
    CHECK_TEST(test_parse__every_prefix_and_changed_byte__no_crash),
    CHECK_TEST(test_parse__too_many_nodes__limit),
    CHECK_TEST(test_version__number_or_none__anything_else_protocol),
    CHECK_TEST(test_range__format_and_run),
};

int main(int argc, char **argv)
{
    int result = check_main("topology", tests, CHECK_COUNT(tests), argc, argv);
    topology_destroy(parsed);
    return result;
}
