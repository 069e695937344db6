/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_events.h — the events of the connection manager and the device for a verbs link.
 *
 * Thread: the link's owner. */
#ifndef HAUL_VERBS_EVENTS_H
#define HAUL_VERBS_EVENTS_H

#include "haul/status.h"
#include "verbs_life.h"

/* Set out for the peer, for the first time or again: RESOLVING_ADDRESS. As verbs_endpoint_dial. */
enum haul_status verbs_events_dial(struct verbs_link *link,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Take the events that wait, if it is time to look, and make the steps they cause. */
void verbs_events_look(struct verbs_link *link);

#endif
