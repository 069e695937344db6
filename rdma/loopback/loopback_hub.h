/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_hub.h — the address space of in-memory links: one hub, listeners by port number. */
#ifndef HAUL_LOOPBACK_HUB_H
#define HAUL_LOOPBACK_HUB_H

#include "haul/status.h"

struct loopback_hub;

/* Errors: NO_MEMORY. Thread: any number of threads may use the hub. */
enum haul_status loopback_hub_create(struct loopback_hub **hub) HAUL_MUST_CHECK;
/* After all listeners and links of the hub are gone. */
void loopback_hub_destroy(struct loopback_hub *hub);

#endif
