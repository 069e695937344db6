/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_link.h — creates verbs links over a given call table: for verbs_listener.c, and for tests
 * with fakes in the table. All other code uses verbs_link_ops. */
#ifndef HAUL_VERBS_LINK_H
#define HAUL_VERBS_LINK_H

#include "link.h"
#include "verbs_api.h"

/* The peer's address and the ticket for it. Both are copied. */
struct verbs_target {
    const struct link_address *address;
    const struct link_ticket *ticket;
};

/* As link_ops.connect. */
enum haul_status verbs_link_connect(const struct verbs_api *api, const struct verbs_target *target,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Create a receiving link from a request; `config` has its defaults resolved. After an error the
 * peer has been refused. Ownership: takes `id` in any case.
 * Errors: LIMIT, UNSUPPORTED, NO_MEMORY, IO. */
enum haul_status verbs_link_accept(const struct verbs_api *api, struct rdma_cm_id *id,
                                   const struct link_config *config, struct link **link,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
