/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_report.h — findings and plans of a cluster, for people. */
#ifndef HAUL_CLUSTER_REPORT_H
#define HAUL_CLUSTER_REPORT_H

#include <stdint.h>

#include "finding.h"
#include "node_facts.h"
#include "plan_file.h"

/* A line a finding: "blocks NODE: what: what to do". */
void cluster_report_findings(const struct finding_list *findings);

/* The last line of a check. */
void cluster_report_nodes(const struct node_facts_list *list, const struct finding_list *findings);

/* Tables of moves and nodes, and a sum with the time at `rate` bytes a second for each move (0: not
 * known). */
void cluster_report_plan(const struct cluster_plan *plan, uint64_t rate);

/* Seconds that the moves take at `rate`, wave after wave; 0: not known. */
double cluster_report_seconds(const struct cluster_plan *plan, uint64_t rate);

#endif
