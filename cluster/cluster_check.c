/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_check.c — one rule a function; each names the node and the way out. */
#include "cluster_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology_view.h"

enum {
    /* Between a kill and the next MIGRATE RocksDB decides what of the log stays. */
    LOG_TTL_S_MIN = 3600,
    DISK_FREE_PERCENT_WARN = 10,
    DISK_FREE_PERCENT_MIN = 2,
    PERCENT = 100,
};

/* --- one node --------------------------------------------------------------------------------- */

static void check_answers(const struct node_facts *facts, struct finding_list *findings)
{
    const struct haul_error *error = &facts->error;
    const char *remedy = error->hint[0] != '\0'        ? error->hint
                         : error->status == HAUL_AUTH  ? "give its password: --password-file, or "
                                                         "HAUL_CLUSTER_PASSWORD"
                         : error->status == HAUL_AGAIN ? "wait until it has loaded its database"
                                                       : "start it, or take it out of the topology";
    char line[FINDING_TEXT_BYTES_MAX];
    struct haul_error bare = *error;
    bare.hint[0] = '\0';
    haul_error_format(&bare, line, sizeof(line));
    if (error->status != HAUL_OK) {
        finding_add(findings, FINDING_BLOCKS, facts->name, remedy, "does not answer: %s", line);
    } else if (facts->topology == NULL) {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "send it the topology (CLUSTERX SETNODEID, SETNODES)", "knows no topology");
    }
}

/* Does the topology give the first of these slots to the node itself? Then they are not published,
 * or it has not given them. */
static bool owns_first(const struct node_facts *facts, const char *slots)
{
    struct slot_range range;
    const struct topology *topology = facts->topology;
    return slot_range_parse(slots, strlen(slots), &range) &&
           topology->owners[range.first] == topology->self;
}

static void check_migrating(const struct node_facts *facts, struct finding_list *findings)
{
    const struct node_job *job = &facts->migrating;
    char remedy[FINDING_TEXT_BYTES_MAX];
    if (strcmp(job->state, "start") == 0) {
        (void)snprintf(remedy, sizeof(remedy),
                       "wait for its end, or cancel it: HAUL CANCEL %s on this node", job->slots);
        finding_add(findings, FINDING_BLOCKS, facts->name, remedy, "gives slots %s to another node",
                    job->slots);
    } else if (strcmp(job->state, "success") == 0 && owns_first(facts, job->slots)) {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "publish their new owner (the controller, or CLUSTERX SETSLOT)",
                    "has handed slots %s over, and the topology does not say so", job->slots);
    }
}

/* Does the owner of the slots answer, and move other ones or none? */
static bool has_stopped_giving(const struct node_facts_list *list, const struct topology *topology,
                               const char *slots)
{
    struct slot_range range;
    uint16_t owner = slot_range_parse(slots, strlen(slots), &range) ? topology->owners[range.first]
                                                                    : TOPOLOGY_NO_OWNER;
    const struct node_facts *giver =
        owner == TOPOLOGY_NO_OWNER ? NULL : node_facts_find(list, topology->nodes[owner].id);
    return giver != NULL && giver->error.status == HAUL_OK &&
           (strcmp(giver->migrating.state, "start") != 0 ||
            strcmp(giver->migrating.slots, slots) != 0);
}

/* When its source breaks off, a node keeps what has arrived, and shows the import as before. */
static void check_importing(const struct node_facts_list *list, const struct node_facts *facts,
                            struct finding_list *findings)
{
    const struct node_job *job = &facts->importing;
    char remedy[FINDING_TEXT_BYTES_MAX];
    if (strcmp(job->state, "start") != 0) {
        return;
    }
    if (has_stopped_giving(list, facts->topology, job->slots)) {
        (void)snprintf(remedy, sizeof(remedy),
                       "continue it with the plan that has it, or the same CLUSTERX MIGRATE; or "
                       "drop it: CLUSTER IMPORT %s 2 on this node; else it ends after eleven "
                       "minutes",
                       job->slots);
        finding_add(findings, FINDING_BLOCKS, facts->name, remedy,
                    "keeps what has arrived of slots %s, whose migration broke off", job->slots);
    } else {
        (void)snprintf(remedy, sizeof(remedy),
                       "wait for its end, or cancel it: CLUSTER IMPORT %s 2 on this node",
                       job->slots);
        finding_add(findings, FINDING_BLOCKS, facts->name, remedy,
                    "takes slots %s from another node", job->slots);
    }
}

static void check_haul_state(const struct node_facts *facts, struct finding_list *findings)
{
    if (facts->is_unconfirmed) {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "see that the destination is up and reachable; it confirms by itself",
                    "has handed slots over that their destination has not confirmed");
    }
    if (facts->in_doubt[0] != '\0') {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "mend what the reason names; see server_patch/README.md, 'The log'",
                    "refuses writes, because it does not know who owns slots: %s", facts->in_doubt);
    }
    if (facts->queued[0] != '\0') {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "wait for them, or take each off the queue: HAUL CANCEL SLOTS on this node",
                    "has slots %s queued for migration", facts->queued);
    }
    if (facts->kept[0] != '\0') {
        finding_add(findings, FINDING_WARNS, facts->name,
                    "repeat the same CLUSTERX MIGRATE to continue it; else it ends after ten "
                    "minutes",
                    "keeps a migration of slots %s that broke off", facts->kept);
    }
}

static void check_haul_support(const struct node_facts *facts, struct finding_list *findings)
{
    if (!facts->has_haul) {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "install Kvrocks with the patch: server_patch/README.md, 'Rolling upgrade'",
                    "does not know haul");
        return;
    }
    if (!facts->uses_haul) {
        finding_add(findings, FINDING_WARNS, facts->name, "CONFIG SET migrate-transport haul",
                    "has migrate-transport redis: it would give slots by Kvrocks' own migration");
    }
    if (facts->replicates_by_tls) {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "use migrate-transport redis there, or tls-replication no in a protected "
                    "network",
                    "has tls-replication, which haul refuses");
    }
}

/* A limit of 0 is none: then the other one decides, and if both are 0 nothing is kept. */
static void check_log(const struct node_facts *facts, struct finding_list *findings)
{
    if (facts->log_ttl_s == NODE_FACTS_UNKNOWN || facts->log_size_mb == NODE_FACTS_UNKNOWN) {
        return;
    }
    bool keeps_by_size = facts->log_ttl_s == 0 && facts->log_size_mb > 0;
    if (!keeps_by_size && facts->log_ttl_s < LOG_TTL_S_MIN) {
        finding_add(findings, FINDING_WARNS, facts->name,
                    "set rocksdb.wal_ttl_seconds to the length of a migration, and restart it",
                    "keeps its log for %" PRIu64 " s: a migration that breaks off starts over",
                    facts->log_ttl_s);
    }
}

static void check_disk(const struct node_facts *facts, struct finding_list *findings)
{
    uint64_t free_bytes = node_facts_free_bytes(facts);
    if (free_bytes == NODE_FACTS_UNKNOWN || facts->disk_bytes == 0) {
        return;
    }
    uint64_t percent = free_bytes / (facts->disk_bytes / PERCENT + 1);
    if (percent < DISK_FREE_PERCENT_WARN) {
        finding_add(
            findings, percent < DISK_FREE_PERCENT_MIN ? FINDING_BLOCKS : FINDING_WARNS, facts->name,
            "free some disk: a migration needs up to three times the bytes that it moves",
            "has %" PRIu64 " %% of its disk free, %" PRIu64 " MB", percent, free_bytes / 1000000);
    }
}

static void check_persistence(const struct node_facts *facts, struct finding_list *findings)
{
    if (facts->forgets_topology) {
        finding_add(findings, FINDING_WARNS, facts->name,
                    "CONFIG SET persist-cluster-nodes-enabled yes, and CONFIG REWRITE",
                    "forgets the topology when it restarts");
    }
}

static void check_role(const struct node_facts *facts, struct finding_list *findings)
{
    const struct topology *topology = facts->topology;
    bool wanted =
        topology->self < topology->node_count && topology->nodes[topology->self].is_master;
    if (topology->self < topology->node_count && wanted == facts->is_replica) {
        finding_add(findings, FINDING_BLOCKS, facts->name,
                    "send it the topology again (CLUSTERX SETNODES), and see its log",
                    "is a %s of the topology, and works as a %s", wanted ? "master" : "replica",
                    wanted ? "replica" : "master");
    }
    if (facts->is_replica && !facts->link_is_up) {
        finding_add(findings, FINDING_WARNS, facts->name,
                    "see its log; until it follows, a failover loses what it lacks",
                    "does not follow its master");
    }
}

static void check_node(const struct node_facts_list *list, const struct node_facts *facts,
                       struct finding_list *findings)
{
    check_answers(facts, findings);
    if (facts->error.status != HAUL_OK || facts->topology == NULL) {
        return;
    }
    check_role(facts, findings);
    check_haul_state(facts, findings);
    check_disk(facts, findings);
    check_persistence(facts, findings);
    if (facts->is_replica && !facts->has_haul) {
        finding_add(findings, FINDING_WARNS, facts->name,
                    "install Kvrocks with the patch there, too",
                    "does not know haul: promoted, it would not know which slots have moved");
    }
    if (!facts->is_replica) {
        check_migrating(facts, findings);
        check_importing(list, facts, findings);
        check_haul_support(facts, findings);
        check_log(facts, findings);
    }
}

/* --- all nodes -------------------------------------------------------------------------------- */

static void check_releases(const struct node_facts_list *list, struct finding_list *findings)
{
    const struct node_facts *first = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct node_facts *facts = &list->nodes[i];
        if (facts->error.status != HAUL_OK) {
            continue;
        }
        first = first == NULL ? facts : first;
        if (strcmp(facts->release, first->release) != 0) {
            finding_add(findings, FINDING_WARNS, facts->name,
                        "complete the upgrade before the migration", "runs Kvrocks %s, %s runs %s",
                        facts->release, first->name, first->release);
        }
    }
}

/* The views of the nodes that have a topology; NULL: no memory. */
static struct topology_view *views_of(const struct node_facts_list *list, size_t *count)
{
    struct topology_view *views = calloc(list->count + 1, sizeof(*views));
    *count = 0;
    for (size_t i = 0; views != NULL && i < list->count; i++) {
        const struct node_facts *facts = &list->nodes[i];
        if (facts->topology != NULL) {
            views[(*count)++] = (struct topology_view){facts->name, facts->topology};
        }
    }
    return views;
}

const struct topology *cluster_check_topology(const struct node_facts_list *list)
{
    const struct topology *newest = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct topology *topology = list->nodes[i].topology;
        if (topology != NULL && (newest == NULL || topology->version > newest->version)) {
            newest = topology;
        }
    }
    return newest;
}

enum haul_status cluster_check(const struct node_facts_list *list, struct finding_list *findings,
                               struct haul_error *error)
{
    size_t count = 0;
    struct topology_view *views = views_of(list, &count);
    if (views == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the check");
    }
    for (size_t i = 0; i < list->count; i++) {
        check_node(list, &list->nodes[i], findings);
    }
    check_releases(list, findings);
    topology_view_compare(views, count, findings);
    free(views);
    return HAUL_OK;
}
