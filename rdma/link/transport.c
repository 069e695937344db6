/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c — names of transports and modes. */
#include "haul/transport.h"

#include <string.h>

const char *haul_transport_name(enum haul_transport transport)
{
    switch (transport) {
    case HAUL_TRANSPORT_NONE:
        return "none";
    case HAUL_TRANSPORT_VERBS:
        return "rdma";
    case HAUL_TRANSPORT_TCP:
        return "tcp";
    case HAUL_TRANSPORT_LOOPBACK:
        return "loopback";
    }
    return "none";
}

enum haul_status haul_transport_mode_parse(const char *text, enum haul_transport_mode *mode)
{
    static const char *const names[] = {"auto", "rdma", "tcp"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *mode = (enum haul_transport_mode)i;
            return HAUL_OK;
        }
    }
    return HAUL_INVALID;
}
