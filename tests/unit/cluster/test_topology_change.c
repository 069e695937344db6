/* SPDX-License-Identifier: Apache-2.0 */
/* test_topology_change.c — topologies compared, changed and written, whatever the order of
 * nodes. */
#include <stdlib.h>

#include "facts_fixture.h"
#include "topology_change.h"

static struct topology *a;
static struct topology *b;

static void begin(void)
{
    topology_destroy(a);
    topology_destroy(b);
    a = fixture_topology(ID_A);
    b = topology_copy(a);
    check_or_stop(b != NULL);
}

/* As another node may list them. */
static void swap_nodes(struct topology *topology)
{
    struct topology_node first = topology->nodes[0];
    topology->nodes[0] = topology->nodes[1];
    topology->nodes[1] = first;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        topology->owners[slot] = topology->owners[slot] == 0 ? 1 : 0;
    }
}

static void test_compare__another_order_of_nodes__equal(void)
{
    begin();
    swap_nodes(b);
    check(topology_same_nodes(a, b));
    check_equal(topology_next_difference(a, b, 0), CLUSTER_SLOT_COUNT);
}

static void test_same_nodes__address_role_or_number__differ(void)
{
    begin();
    b->nodes[2].port++;
    check(!topology_same_nodes(a, b));
    begin();
    b->nodes[3].is_master = false;
    check(!topology_same_nodes(a, b));
    begin();
    memcpy(b->nodes[2].master, ID_B, sizeof(b->nodes[2].master));
    check(!topology_same_nodes(a, b));
    begin();
    b->node_count--;
    check(!topology_same_nodes(a, b));
    check(!topology_same_nodes(b, a));
}

static void test_give__a_range__is_the_only_difference(void)
{
    begin();
    swap_nodes(b);
    topology_give(b, (struct slot_range){100, 199}, ID_D);
    check_equal(topology_next_difference(a, b, 0), 100);
    check_equal(topology_next_difference(a, b, 150), 150);
    check_equal(topology_next_difference(a, b, 200), CLUSTER_SLOT_COUNT);
    check_text(topology_owner_of(b, (struct slot_range){100, 199}), ID_D);
    check_text(topology_owner_of(a, (struct slot_range){100, 199}), ID_A);
    check(topology_owner_of(b, (struct slot_range){100, 200}) == NULL);
    b->owners[0] = TOPOLOGY_NO_OWNER;
    check_equal(topology_next_difference(a, b, 0), 0);
    check(topology_owner_of(b, (struct slot_range){0, 0}) == NULL);
}

static void test_setnodes_text__roles_and_ranges(void)
{
    begin();
    topology_give(b, (struct slot_range){5, 5}, ID_B);
    char *text = topology_setnodes_text(b);
    check_text(text, ID_A " 127.0.0.1 6666 master - 0-4 6-8191\n" ID_B
                          " 127.0.0.1 6667 master - 5 8192-16383\n" ID_C
                          " 127.0.0.1 6668 slave " ID_A "\n" ID_D " 127.0.0.1 6669 master -");
    free(text);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_compare__another_order_of_nodes__equal),
    CHECK_TEST(test_same_nodes__address_role_or_number__differ),
    CHECK_TEST(test_give__a_range__is_the_only_difference),
    CHECK_TEST(test_setnodes_text__roles_and_ranges),
};

CHECK_MAIN("topology_change", tests)
