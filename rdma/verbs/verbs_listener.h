/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_listener.h — the listening slots of verbs_link_ops; contracts in link.h (listener_*). */
#ifndef HAUL_VERBS_LISTENER_H
#define HAUL_VERBS_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"
#include "link.h"
#include "verbs_api.h"

enum {
    /* Peers that were handed out and not answered yet; more are told BUSY. */
    VERBS_LISTENER_PENDING_MAX = 64,
    /* Addresses of this host that one listener listens on one by one. */
    VERBS_LISTENER_ADDRESSES_MAX = 32,
};

/* As verbs_listen, over a given call table. */
enum haul_status verbs_listener_create(const struct verbs_api *api,
                                       const struct link_address *address,
                                       const struct link_config *config, struct listener **listener,
                                       struct haul_error *error) HAUL_MUST_CHECK;

enum haul_status verbs_listen(const struct link_address *address, const struct link_config *config,
                              struct listener **listener, struct haul_error *error) HAUL_MUST_CHECK;
void verbs_listen_address(const struct listener *listener, struct link_address *address);
enum haul_status verbs_listen_poll(struct listener *listener,
                                   struct link_incoming *incoming) HAUL_MUST_CHECK;
enum haul_status verbs_listen_accept(struct listener *listener, struct link_incoming *incoming,
                                     const struct link_config *config, struct link **link,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void verbs_listen_reject(struct listener *listener, struct link_incoming *incoming,
                         enum haul_status reason);
bool verbs_listen_is_open(const struct listener *listener, struct haul_error *error);
int verbs_listen_fd(const struct listener *listener);
uint64_t verbs_listen_deadline_ns(const struct listener *listener);
void verbs_listen_destroy(struct listener *listener);

#endif
