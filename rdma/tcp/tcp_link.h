/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link.h — how the listener passes an accepted socket to the TCP backend. */
#ifndef HAUL_TCP_LINK_H
#define HAUL_TCP_LINK_H

#include "haul/status.h"
#include "link.h"

/* Create a receiving link from a connected socket whose preamble was read and not yet answered:
 * after success the caller answers OK at once. `config` has its defaults resolved.
 * Ownership: takes `fd` on OK. Errors: NO_MEMORY, LIMIT (descriptors), IO. */
enum haul_status tcp_link_adopt(int fd, const struct link_config *config, struct link **link,
                                struct haul_error *error) HAUL_MUST_CHECK;

#endif
