/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_events.h — the events of the connection manager and the device for a verbs link.
 *
 * Thread: the link's owner. */
#ifndef HAUL_VERBS_EVENTS_H
#define HAUL_VERBS_EVENTS_H

#include "haul/status.h"
#include "verbs_life.h"

/* Start to resolve the peer, for the first time or again: RESOLVING_ADDRESS. As
 * verbs_endpoint_dial. */
enum haul_status verbs_events_dial(struct verbs_link *link,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* If a check is due, take the waiting events and make the steps that they cause. */
void verbs_events_look(struct verbs_link *link);

#endif
