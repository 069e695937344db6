/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.h — asks every node of a cluster about itself, replicas too, beginning with some. */
#ifndef HAUL_CLUSTER_DISCOVERY_H
#define HAUL_CLUSTER_DISCOVERY_H

#include "haul/status.h"
#include "node_facts.h"
#include "node_stream.h"

/* Ask the nodes of `seeds`, "HOST:PORT,..." with brackets around IPv6 addresses, and all that the
 * topologies of those name, one after the other; `access->timeout_ms` bounds each wait. A node
 * that does not answer is in the list, with its error.
 * Ownership: `*list` is the caller's (node_facts_list_fini).
 * Errors: INVALID (`seeds`), LIMIT (more than NODE_FACTS_COUNT_MAX nodes), NO_MEMORY, UNSUPPORTED
 * (this build has no hiredis). */
enum haul_status discovery_run(const char *seeds, const struct node_access *access,
                               struct node_facts_list *list,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* Ask each master with haul how large its slots are. One that cannot tell (an earlier build), does
 * not answer, or answers what cannot be has no `slot_bytes` afterwards. Errors: NO_MEMORY. */
enum haul_status discovery_sizes(const struct node_access *access, struct node_facts_list *list,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#endif
