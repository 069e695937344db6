/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link.h — how the listener hands an accepted socket to the TCP backend. */
#ifndef HAUL_TCP_LINK_H
#define HAUL_TCP_LINK_H

#include "haul/status.h"
#include "link.h"

/* Make a receiving link of a connected socket whose preamble is read and not yet answered: the
 * caller answers OK at once after success. `config` has its defaults resolved.
 * Ownership: takes `fd` on OK. Errors: NO_MEMORY, LIMIT (descriptors), IO. */
enum haul_status tcp_link_adopt(int fd, const struct link_config *config, struct link **link,
                                struct haul_error *error) HAUL_MUST_CHECK;

#endif
