/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster_check.c — a sound cluster has no finding; each fault has one, at its node, with a
 * remedy. */
#include "cluster_check.h"

#include "facts_fixture.h"

static struct node_facts_list list;
static struct finding_list findings;

static struct node_facts *set_up(size_t node)
{
    node_facts_list_fini(&list);
    list = fixture_facts();
    return &list.nodes[node];
}

/* The findings are exactly one: at this node ("": the cluster), of this level, with `part`. */
static bool only(const char *node, enum finding_level level, const char *part)
{
    struct haul_error error;
    memset(&findings, 0, sizeof(findings));
    check_status(cluster_check(&list, &findings, &error), HAUL_OK);
    const struct finding *finding = &findings.items[0];
    bool found = findings.count == 1 && strcmp(finding->node, node) == 0 &&
                 finding->level == level && strstr(finding->text, part) != NULL &&
                 finding->remedy[0] != '\0';
    for (size_t i = 0; !found && i < findings.count; i++) {
        (void)printf("%s: %s\n", findings.items[i].node, findings.items[i].text);
    }
    return found;
}

/* The number of findings. */
static size_t run(void)
{
    struct haul_error error;
    memset(&findings, 0, sizeof(findings));
    check_status(cluster_check(&list, &findings, &error), HAUL_OK);
    return findings.count;
}

static bool nothing(void)
{
    return run() == 0;
}

/* Is a finding about this node, with this text, among those of the last run? */
static bool finds(const char *node, const char *part)
{
    bool found = false;
    for (size_t i = 0; i < findings.count; i++) {
        const struct finding *finding = &findings.items[i];
        found |= strcmp(finding->node, node) == 0 && strstr(finding->text, part) != NULL;
    }
    return found;
}

static void put(char *member, const char *value)
{
    (void)snprintf(member, NODE_FACTS_VALUE_BYTES_MAX, "%s", value);
}

#define A "127.0.0.1:6666"
#define B "127.0.0.1:6667"
#define C "127.0.0.1:6668"

static void test_check__sound_cluster__no_finding(void)
{
    (void)set_up(0);
    check(nothing());
    check_equal(cluster_check_topology(&list)->version, 5);
}

static void test_check__node_that_does_not_answer__blocks(void)
{
    struct node_facts *facts = set_up(2);
    haul_error_set(&facts->error, HAUL_TIMEOUT, NULL, 0, "no answer within 5 ms");
    topology_destroy(facts->topology);
    facts->topology = NULL;
    check(only(C, FINDING_BLOCKS, "does not answer: no answer within 5 ms"));
    haul_error_set(&facts->error, HAUL_AUTH, NULL, 0, "NOAUTH");
    check(only(C, FINDING_BLOCKS, "NOAUTH"));
    check(strstr(findings.items[0].remedy, "--password-file") != NULL);
    facts->error.status = HAUL_OK;
    check(only(C, FINDING_BLOCKS, "knows no topology"));
}

static void test_check__jobs__block_until_published(void)
{
    struct node_facts *facts = set_up(0);
    put(facts->migrating.slots, "0-99");
    put(facts->migrating.state, "start");
    check(only(A, FINDING_BLOCKS, "gives slots 0-99"));
    put(facts->migrating.state, "success");
    check(only(A, FINDING_BLOCKS, "handed slots 0-99 over"));
    put(facts->migrating.slots, "9000-9001"); /* published: another node has them */
    put(facts->migrating.state, "fail");
    put(list.nodes[2].migrating.state, "start"); /* a replica shows its master's */
    check(nothing());
}

static bool remedy_has(const char *text)
{
    return findings.count == 1 && strstr(findings.items[0].remedy, text) != NULL;
}

/* The fixture's second node owns slots 8192 to 16383. */
static void test_check__an_import__told_from_one_that_broke_off(void)
{
    struct node_facts *facts = set_up(0);
    struct node_facts *owner = &list.nodes[1];
    put(facts->importing.slots, "9000-9001");
    put(facts->importing.state, "start");
    check(only(A, FINDING_BLOCKS, "keeps what has arrived of slots 9000-9001"));
    check(remedy_has("CLUSTER IMPORT 9000-9001 2"));
    put(owner->migrating.state, "fail");
    put(owner->migrating.slots, "9000-9001");
    check(only(A, FINDING_BLOCKS, "broke off"));
    put(owner->migrating.state, "start");
    check(run() == 2 && finds(A, "takes slots 9000-9001") && finds(B, "gives slots 9000-9001"));
    put(owner->migrating.slots, "9005");
    check(run() == 2 && finds(A, "broke off") && finds(B, "gives slots 9005"));
    haul_error_set(&owner->error, HAUL_TIMEOUT, NULL, 0, "no answer"); /* nobody knows */
    check(run() == 2 && finds(A, "takes slots 9000-9001") && finds(B, "no answer"));
    owner->error.status = HAUL_OK;
    put(owner->migrating.state, "fail");
    put(facts->importing.state, "success");
    check(nothing());
}

static void test_check__what_haul_reports__blocks_or_warns(void)
{
    set_up(0)->is_unconfirmed = true;
    check(only(A, FINDING_BLOCKS, "not confirmed"));
    put(set_up(0)->in_doubt, "0-9: no record");
    check(only(A, FINDING_BLOCKS, "0-9: no record"));
    put(set_up(0)->queued, "1-2");
    check(only(A, FINDING_BLOCKS, "queued"));
    put(set_up(0)->kept, "1-2");
    check(only(A, FINDING_WARNS, "broke off"));
    set_up(0)->has_haul = false;
    check(only(A, FINDING_BLOCKS, "does not know haul"));
    set_up(0)->uses_haul = false;
    check(only(A, FINDING_WARNS, "migrate-transport redis"));
    set_up(0)->replicates_by_tls = true;
    check(only(A, FINDING_BLOCKS, "tls-replication"));
    set_up(2)->has_haul = false; /* a replica takes part in no migration, until it is promoted */
    check(only(C, FINDING_WARNS, "does not know haul"));
    set_up(1)->forgets_topology = true;
    check(only("127.0.0.1:6667", FINDING_WARNS, "forgets the topology"));
}

static void test_check__log_and_disk__by_their_limits(void)
{
    set_up(0)->log_ttl_s = 60;
    check(only(A, FINDING_WARNS, "keeps its log for 60 s"));
    set_up(0)->log_ttl_s = 0; /* kept by size */
    check(nothing());
    list.nodes[0].log_size_mb = 0;
    check(only(A, FINDING_WARNS, "keeps its log for 0 s"));
    set_up(0)->disk_used_bytes = 950000000;
    check(only(A, FINDING_WARNS, "disk free"));
    list.nodes[0].disk_used_bytes = 995000000;
    check(only(A, FINDING_BLOCKS, "disk free"));
    list.nodes[0].disk_bytes = NODE_FACTS_UNKNOWN;
    list.nodes[0].log_ttl_s = NODE_FACTS_UNKNOWN;
    check_equal(node_facts_free_bytes(&list.nodes[0]), NODE_FACTS_UNKNOWN);
    check(nothing());
}

static void test_check__roles_and_releases__compared(void)
{
    set_up(0)->is_replica = true;
    check(only(A, FINDING_BLOCKS, "is a master of the topology, and works as a replica"));
    set_up(2)->link_is_up = false;
    check(only(C, FINDING_WARNS, "does not follow its master"));
    put(set_up(2)->release, "other");
    check(only(C, FINDING_WARNS, "runs Kvrocks other"));
}

static void test_check__views_that_differ__block(void)
{
    set_up(1)->topology->version = 4;
    check(only("127.0.0.1:6667", FINDING_BLOCKS, "has version 4"));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_check__sound_cluster__no_finding),
    CHECK_TEST(test_check__node_that_does_not_answer__blocks),
    CHECK_TEST(test_check__jobs__block_until_published),
    CHECK_TEST(test_check__an_import__told_from_one_that_broke_off),
    CHECK_TEST(test_check__what_haul_reports__blocks_or_warns),
    CHECK_TEST(test_check__log_and_disk__by_their_limits),
    CHECK_TEST(test_check__roles_and_releases__compared),
    CHECK_TEST(test_check__views_that_differ__block),
};

int main(int argc, char **argv)
{
    int result = check_main("cluster_check", tests, CHECK_COUNT(tests), argc, argv);
    node_facts_list_fini(&list);
    return result;
}
