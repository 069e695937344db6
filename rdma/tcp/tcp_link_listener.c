/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link_listener.c — the listening slots of the TCP backend, on top of tcp_listener.h. */
#include "tcp_link_listener.h"

#include <stdlib.h>

#include "link_ops.h"
#include "tcp_listener.h"

struct tcp_link_listener {
    struct listener base;
    struct tcp_listener *tcp;
};

static struct tcp_listener *tcp_of(const struct listener *base)
{
    return ((const struct tcp_link_listener *)base)->tcp;
}

enum haul_status tcp_link_listen(const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error)
{
    struct tcp_link_listener *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a listener");
    }
    made->base.ops = &tcp_link_ops;
    made->base.config = *config;
    enum haul_status status = tcp_listener_create(address, config, &made->tcp, error);
    if (status != HAUL_OK) {
        free(made);
        return status;
    }
    *listener = &made->base;
    return HAUL_OK;
}

void tcp_link_listen_address(const struct listener *listener, struct link_address *address)
{
    tcp_listener_address(tcp_of(listener), address);
}

/* Only data links are wanted here; whoever takes control connections uses tcp_listener.h. */
enum haul_status tcp_link_listen_poll(struct listener *listener, struct link_incoming *incoming)
{
    for (;;) {
        enum tcp_purpose purpose;
        enum haul_status status = tcp_listener_poll(tcp_of(listener), &purpose, incoming);
        if (status != HAUL_OK || purpose == TCP_DATA) {
            return status;
        }
        tcp_listener_reject(tcp_of(listener), incoming, HAUL_UNSUPPORTED);
    }
}

enum haul_status tcp_link_listen_accept(struct listener *listener, struct link_incoming *incoming,
                                        const struct link_config *config, struct link **link,
                                        struct haul_error *error)
{
    return tcp_listener_accept_link(tcp_of(listener), incoming, config, link, error);
}

void tcp_link_listen_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status reason)
{
    tcp_listener_reject(tcp_of(listener), incoming, reason);
}

int tcp_link_listen_fd(const struct listener *listener)
{
    return tcp_listener_fd(tcp_of(listener));
}

uint64_t tcp_link_listen_deadline_ns(const struct listener *listener)
{
    return tcp_listener_deadline_ns(tcp_of(listener));
}

void tcp_link_listen_destroy(struct listener *listener)
{
    tcp_listener_destroy(tcp_of(listener));
    free(listener);
}
