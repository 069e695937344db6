/* SPDX-License-Identifier: Apache-2.0 */
/* test_topology_view.c — equal views have no finding; each kind of disagreement names the node that
 * is behind. */
#include "topology_view.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "topology_texts.h"

enum { VIEW_COUNT_MAX = 3 };

static struct topology *topologies[VIEW_COUNT_MAX];
static struct topology_view views[VIEW_COUNT_MAX];
static struct finding_list findings;

/* Compare up to three answers; those that are NULL do not count. */
static void compare(const char *first, const char *second, const char *third)
{
    const char *texts[VIEW_COUNT_MAX] = {first, second, third};
    static const char *const names[VIEW_COUNT_MAX] = {"first:1", "second:2", "third:3"};
    size_t count = 0;
    for (size_t i = 0; i < VIEW_COUNT_MAX; i++) {
        struct haul_error error;
        topology_destroy(topologies[i]);
        topologies[i] = NULL;
        if (texts[i] != NULL) {
            check_or_stop(topology_parse(texts[i], strlen(texts[i]), &topologies[i], &error) ==
                          HAUL_OK);
            views[count++] = (struct topology_view){names[i], topologies[i]};
        }
    }
    memset(&findings, 0, sizeof(findings));
    topology_view_compare(views, count, &findings);
}

/* Is there a finding about `node` whose text has `part`? It must block, and have a remedy. */
static bool found(const char *node, const char *part)
{
    for (size_t i = 0; i < findings.count; i++) {
        const struct finding *finding = &findings.items[i];
        if (strcmp(finding->node, node) == 0 && strstr(finding->text, part) != NULL) {
            return finding->level == FINDING_BLOCKS && finding->remedy[0] != '\0';
        }
    }
    return false;
}

static void test_compare__views_of_one_version__nothing(void)
{
    compare(NODES_OF_A, NODES_OF_B, NODES_OF_D);
    check_equal(findings.count, 0);
    check(topology_view_newest(views, 3) == topologies[0]);
    check(topology_view_newest(views, 0) == NULL);
}

#define LINE_A(version, slots) ID_A " h:1@2 myself,master - 1 2 " version " connected " slots "\n"
#define LINE_B(version, slots) ID_B " h:3@4 master - 1 2 " version " connected " slots "\n"
#define ASKED_B(version, slots) ID_B " h:3@4 myself,master - 1 2 " version " connected " slots "\n"
#define OTHER_A(version, slots) ID_A " h:1@2 master - 1 2 " version " connected " slots "\n"

static void test_compare__older_version__named_whatever_the_order(void)
{
    compare(LINE_A("3", "0-99") LINE_B("3", "100-16383"),
            OTHER_A("4", "0-100") ASKED_B("4", "101-16383"), NULL);
    check(found("first:1", "has version 3 of the topology, second:2 has 4"));
    check(found("first:1", "disagrees with second:2 on the owner of 1 slot, the first is 100"));
    check_equal(findings.count, 2);
    check_equal(findings.blocks_count, 2);
}

static void test_compare__other_nodes__named(void)
{
    compare(LINE_A("3", "0-16383") LINE_B("3", ""),
            ID_C " h:5@6 myself,master - 1 2 3 connected\n" OTHER_A("3", "0-16383"), NULL);
    check(found("second:2", "does not know node " ID_B));
    check(found("second:2", "knows node " ID_C ", which first:1 does not know"));
    compare(LINE_A("3", "0-16383") LINE_B("3", ""),
            OTHER_A("3", "0-16383") ID_B " h:33@4 myself,master - 1 2 3 connected\n", NULL);
    check(found("second:2", "another address or role for node " ID_B));
}

static void test_compare__slots_without_owner__counted(void)
{
    compare(LINE_A("3", "0-99 200-16382"), NULL, NULL);
    check(found("", "101 slots without an owner, the first: 100-199"));
}

static void test_compare__replica_of_nobody__named(void)
{
    compare(LINE_A("3", "0-16383") ID_B " h:3@4 slave " ID_C " 1 2 3 connected\n", NULL, NULL);
    check(found("h:3", "replica of " ID_C));
    compare(LINE_A("3", "0-16383") ID_B " h:3@4 slave " ID_B " 1 2 3 connected\n", NULL, NULL);
    check(found("h:3", "not a master"));
}

static void test_compare__no_self_or_the_same_self__named(void)
{
    compare(OTHER_A("3", "0-16383"), NULL, NULL);
    check(found("first:1", "is not in the topology that it has"));
    compare(LINE_A("3", "0-16383"), LINE_A("3", "0-16383"), NULL);
    check(found("second:2", "has the id of first:1"));
}

static void test_compare__one_address_for_two_nodes__named(void)
{
    compare(LINE_A("5", "0-16383") ID_B " h:1@4 master - 1 2 5 connected\n", NULL, NULL);
    check(found("h:1", "is the address of two nodes"));
}

static void test_compare__the_address_of_another_node__named(void)
{
    compare(ID_A " first:2@4 myself,master - 1 2 5 connected 0-16383\n" ID_B
                 " first:1@4 master - 1 2 5 connected\n",
            NULL, NULL);
    check(found("first:1", "its address in the topology"));
    compare(ID_A " first:1@4 myself,master - 1 2 5 connected 0-16383\n" ID_B
                 " first:2@4 master - 1 2 5 connected\n",
            NULL, NULL);
    check_equal(findings.count, 0);
}

static void test_findings__more_than_the_list_holds__counted(void)
{
    memset(&findings, 0, sizeof(findings));
    for (int i = 0; i < FINDING_COUNT_MAX + 5; i++) {
        finding_add(&findings, FINDING_BLOCKS, "h:1", "do it", "number %d\n", i);
    }
    check_equal(findings.count, FINDING_COUNT_MAX);
    check_equal(findings.omitted, 5);
    check_equal(findings.blocks_count, FINDING_COUNT_MAX + 5);
    check(strchr(findings.items[7].text, '\n') == NULL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_compare__views_of_one_version__nothing),
    CHECK_TEST(test_compare__older_version__named_whatever_the_order),
    CHECK_TEST(test_compare__other_nodes__named),
    CHECK_TEST(test_compare__slots_without_owner__counted),
    CHECK_TEST(test_compare__replica_of_nobody__named),
    CHECK_TEST(test_compare__no_self_or_the_same_self__named),
    CHECK_TEST(test_compare__one_address_for_two_nodes__named),
    CHECK_TEST(test_compare__the_address_of_another_node__named),
    CHECK_TEST(test_findings__more_than_the_list_holds__counted),
};

int main(int argc, char **argv)
{
    int result = check_main("topology_view", tests, CHECK_COUNT(tests), argc, argv);
    for (size_t i = 0; i < VIEW_COUNT_MAX; i++) {
        topology_destroy(topologies[i]);
    }
    return result;
}
