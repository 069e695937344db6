/* SPDX-License-Identifier: Apache-2.0 */
/* topology_change.h — compares topologies, changes owners, and writes one for CLUSTERX SETNODES. */
#ifndef HAUL_CLUSTER_TOPOLOGY_CHANGE_H
#define HAUL_CLUSTER_TOPOLOGY_CHANGE_H

#include <stdbool.h>

#include "topology.h"

/* Have both the same nodes, with the same addresses and roles, in whatever order? */
bool topology_same_nodes(const struct topology *a, const struct topology *b);

/* The first slot from `first` on with another owner in `b`; CLUSTER_SLOT_COUNT: none. Both have the
 * same nodes. */
uint32_t topology_next_difference(const struct topology *a, const struct topology *b,
                                  uint32_t first);

/* The one owner of all these slots, an id; NULL: they have none, or several. */
const char *topology_owner_of(const struct topology *topology, struct slot_range slots);

/* A copy for topology_destroy; NULL: no memory. */
struct topology *topology_copy(const struct topology *topology);

/* Give slots to the node `id`, which the topology has. */
void topology_give(struct topology *topology, struct slot_range slots, const char *id);

/* The text for CLUSTERX SETNODES, for free(); NULL: no memory. */
char *topology_setnodes_text(const struct topology *topology);

#endif
