/* SPDX-License-Identifier: Apache-2.0 */
/* seeming_peer.h — connections that seem to come from another host. Wraps getpeername. */
#ifndef HAUL_TESTS_SEEMING_PEER_H
#define HAUL_TESTS_SEEMING_PEER_H

#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "link.h"

static const char *seeming_peer; /* whom connections seem to come from; NULL: from where they do */

int __real_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size);

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    struct link_address parsed;
    if (seeming_peer == NULL) {
        return __real_getpeername(fd, address, size);
    }
    check_or_stop(link_address_parse(seeming_peer, &parsed, NULL) == HAUL_OK &&
                  parsed.size <= *size);
    memcpy(address, parsed.storage, parsed.size);
    *size = parsed.size;
    return 0;
}

#endif
