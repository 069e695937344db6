/* SPDX-License-Identifier: Apache-2.0 */
/* topology_view.h — what each node of a cluster knows of it, and where they disagree. */
#ifndef HAUL_CLUSTER_TOPOLOGY_VIEW_H
#define HAUL_CLUSTER_TOPOLOGY_VIEW_H

#include <stddef.h>

#include "finding.h"
#include "topology.h"

/* What one node knows. */
struct topology_view {
    const char *name; /* "host:port" of the node that answered */
    const struct topology *topology;
};

/* The view with the highest version, by which the others are judged; the first of equals. NULL:
 * there is none. */
const struct topology *topology_view_newest(const struct topology_view *views, size_t count);

/* Append what a migration must not start with: versions, nodes or owners that differ between the
 * views, slots without an owner, replicas without a master, an address of two
 * nodes or of another one, a view without the node that gave it. */
void topology_view_compare(const struct topology_view *views, size_t count,
                           struct finding_list *findings);

#endif
