/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_listener.h — listening within this process (the contract is that of listener_create),
 * and how the connecting side reaches a listener. */
#ifndef HAUL_LOOPBACK_LISTENER_H
#define HAUL_LOOPBACK_LISTENER_H

#include "haul/status.h"
#include "link.h"
#include "loopback_pipe.h"

/* Queue the pipe at the listener of `address`; on OK its second reference goes to the queue.
 * Errors: REFUSED (nobody listens there, or too many wait). Thread: any. */
enum haul_status loopback_knock(struct loopback_hub *hub, const struct link_address *address,
                                struct loopback_pipe *pipe,
                                struct haul_error *error) HAUL_MUST_CHECK;

enum haul_status loopback_listen(const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#endif
