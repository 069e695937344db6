/* SPDX-License-Identifier: Apache-2.0 */
/* facts_fixture.h — what the nodes of a sound cluster answer: two masters, a replica, and a master
 * without slots. */
#ifndef HAUL_TESTS_FACTS_FIXTURE_H
#define HAUL_TESTS_FACTS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "node_facts.h"
#include "topology_texts.h"

enum { FIXTURE_NODE_COUNT = 4 };

/* The line of node `id`, asked of the node `self`. */
static inline int fixture_line(char *text, size_t size, const char *id, const char *self, int port,
                               const char *rest)
{
    return snprintf(text, size, "%s 127.0.0.1:%d@%d %s%s\n", id, port, port + 10000,
                    strcmp(id, self) == 0 ? "myself," : "", rest);
}

static inline struct topology *fixture_topology(const char *self)
{
    static const char *const ids[FIXTURE_NODE_COUNT] = {ID_A, ID_B, ID_C, ID_D};
    static const char *const rests[FIXTURE_NODE_COUNT] = {
        "master - 1 2 5 connected 0-8191", "master - 1 2 5 connected 8192-16383",
        "slave " ID_A " 1 2 5 connected", "master - 1 2 5 connected"};
    char text[1024];
    size_t size = 0;
    struct topology *topology = NULL;
    struct haul_error error;
    for (int i = 0; i < FIXTURE_NODE_COUNT; i++) {
        size += (size_t)fixture_line(text + size, sizeof(text) - size, ids[i], self, 6666 + i,
                                     rests[i]);
    }
    check_or_stop(topology_parse(text, size, &topology, &error) == HAUL_OK);
    return topology;
}

static inline struct node_facts_list fixture_facts(void)
{
    static const char *const ids[FIXTURE_NODE_COUNT] = {ID_A, ID_B, ID_C, ID_D};
    struct node_facts_list list = {calloc(FIXTURE_NODE_COUNT, sizeof(struct node_facts)),
                                   FIXTURE_NODE_COUNT};
    check_or_stop(list.nodes != NULL);
    for (int i = 0; i < FIXTURE_NODE_COUNT; i++) {
        struct node_facts *facts = &list.nodes[i];
        (void)snprintf(facts->name, sizeof(facts->name), "127.0.0.1:%d", 6666 + i);
        (void)snprintf(facts->release, sizeof(facts->release), "589b0189");
        facts->version = 5;
        facts->topology = fixture_topology(ids[i]);
        facts->is_replica = i == 2;
        facts->link_is_up = true;
        facts->has_haul = true;
        facts->uses_haul = true;
        facts->log_ttl_s = 10800;
        facts->log_size_mb = 16384;
        facts->disk_bytes = 1000000000;
        facts->disk_used_bytes = 500000000;
        facts->database_bytes = i == 0 ? 81920000 : i == 1 ? 40960000 : 0;
    }
    return list;
}

#endif
