/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_listener.h — the listening slots of loopback_link_ops (contracts in link.h), and the
 * door that the connecting side knocks at. */
#ifndef HAUL_LOOPBACK_LISTENER_H
#define HAUL_LOOPBACK_LISTENER_H

#include <stdint.h>

#include "haul/status.h"
#include "link.h"
#include "loopback_pipe.h"

/* Queue the pipe at the listener of `address`; its second reference goes along on OK.
 * Errors: REFUSED (nobody listens there, or too many wait). Thread: any. */
enum haul_status loopback_knock(struct loopback_hub *hub, const struct link_address *address,
                                struct loopback_pipe *pipe,
                                struct haul_error *error) HAUL_MUST_CHECK;

enum haul_status loopback_listen(const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void loopback_listen_address(const struct listener *listener, struct link_address *address);
enum haul_status loopback_listen_poll(struct listener *listener,
                                      struct link_incoming *incoming) HAUL_MUST_CHECK;
enum haul_status loopback_listen_accept(struct listener *listener, struct link_incoming *incoming,
                                        const struct link_config *config, struct link **link,
                                        struct haul_error *error) HAUL_MUST_CHECK;
void loopback_listen_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status reason);
int loopback_listen_fd(const struct listener *listener);
uint64_t loopback_listen_deadline_ns(const struct listener *listener);
void loopback_listen_destroy(struct listener *listener);

#endif
