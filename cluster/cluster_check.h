/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_check.h — may a migration start in this cluster? */
#ifndef HAUL_CLUSTER_CLUSTER_CHECK_H
#define HAUL_CLUSTER_CLUSTER_CHECK_H

#include "finding.h"
#include "node_facts.h"

/* Append what the nodes' answers show: nodes that do not answer, topologies that differ, jobs that
 * run or are not published, missing haul, little log retention, little disk. A migration may start
 * if no finding blocks. Errors: NO_MEMORY. */
enum haul_status cluster_check(const struct node_facts_list *list, struct finding_list *findings,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* The newest topology of the list; NULL: no node has one. Borrowed from the list. */
const struct topology *cluster_check_topology(const struct node_facts_list *list);

#endif
