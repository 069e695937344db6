/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_link.h — how the listener passes a pipe to the in-memory backend. */
#ifndef HAUL_LOOPBACK_LINK_H
#define HAUL_LOOPBACK_LINK_H

#include "haul/status.h"
#include "link.h"
#include "loopback_pipe.h"

/* Create the receiving end of a pipe that is not yet answered, ring included; after success the
 * caller answers OK at once. `config` has its defaults resolved.
 * Ownership: takes one reference of the pipe on OK. Errors: NO_MEMORY. */
enum haul_status loopback_link_adopt(struct loopback_pipe *pipe, const struct link_config *config,
                                     struct link **link, struct haul_error *error) HAUL_MUST_CHECK;

#endif
