/* SPDX-License-Identifier: Apache-2.0 */
/* link_ends.h — links for tests that treat both ends alike, or one as the other. */
#ifndef HAUL_TESTS_LINK_ENDS_H
#define HAUL_TESTS_LINK_ENDS_H

#include "link.h"

static inline enum haul_status connect_end(enum haul_transport transport,
                                           const struct link_address *address,
                                           const struct link_ticket *ticket,
                                           const struct link_config *config, struct link **link,
                                           struct haul_error *error)
{
    struct link_tx tx = {*link};
    enum haul_status status = link_connect(transport, address, ticket, config, &tx, error);
    *link = tx.base;
    return status;
}

static inline enum haul_status accept_end(struct listener *listener, struct link_incoming *incoming,
                                          const struct link_config *config, struct link **link,
                                          struct haul_error *error)
{
    struct link_rx rx = {*link};
    enum haul_status status = listener_accept(listener, incoming, config, &rx, error);
    *link = rx.base;
    return status;
}

#endif
