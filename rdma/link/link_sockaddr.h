/* SPDX-License-Identifier: Apache-2.0 */
/* link_sockaddr.h — the socket address in a link_address, for calls to the kernel. */
#ifndef HAUL_LINK_SOCKADDR_H
#define HAUL_LINK_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "link.h"

/* Both views are of the same bytes, which are suitably aligned. */
static inline struct sockaddr_storage *link_sockaddr(struct link_address *address)
{
    return (struct sockaddr_storage *)(void *)address->storage;
}

static inline const struct sockaddr_storage *link_sockaddr_of(const struct link_address *address)
{
    return (const struct sockaddr_storage *)(const void *)address->storage;
}

#endif
