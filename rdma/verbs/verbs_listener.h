/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_listener.h — listening for RDMA connections; the contract is that of listener_create. */
#ifndef HAUL_VERBS_LISTENER_H
#define HAUL_VERBS_LISTENER_H

#include "haul/status.h"
#include "link.h"
#include "verbs_api.h"

enum {
    /* Peers that were handed out and not answered; further ones get BUSY. */
    VERBS_LISTENER_PENDING_MAX = 64,
    /* The most addresses of this host that one listener listens on one by one. */
    VERBS_LISTENER_ADDRESSES_MAX = 32,
};

/* As verbs_listen, over a given call table. */
enum haul_status verbs_listener_create(const struct verbs_api *api,
                                       const struct link_address *address,
                                       const struct link_config *config, struct listener **listener,
                                       struct haul_error *error) HAUL_MUST_CHECK;

enum haul_status verbs_listen(const struct link_address *address, const struct link_config *config,
                              struct listener **listener, struct haul_error *error) HAUL_MUST_CHECK;

#endif
