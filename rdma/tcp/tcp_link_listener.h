/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link_listener.h — the listening slots of tcp_link_ops; contracts in link.h (listener_*).
 *
 * Control connections are refused with UNSUPPORTED here; who wants both uses tcp_listener.h. */
#ifndef HAUL_TCP_LINK_LISTENER_H
#define HAUL_TCP_LINK_LISTENER_H

#include <stdint.h>

#include "haul/status.h"
#include "link.h"

enum haul_status tcp_link_listen(const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void tcp_link_listen_address(const struct listener *listener, struct link_address *address);
enum haul_status tcp_link_listen_poll(struct listener *listener,
                                      struct link_incoming *incoming) HAUL_MUST_CHECK;
enum haul_status tcp_link_listen_accept(struct listener *listener, struct link_incoming *incoming,
                                        const struct link_config *config, struct link **link,
                                        struct haul_error *error) HAUL_MUST_CHECK;
void tcp_link_listen_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status reason);
int tcp_link_listen_fd(const struct listener *listener);
uint64_t tcp_link_listen_deadline_ns(const struct listener *listener);
void tcp_link_listen_destroy(struct listener *listener);

#endif
