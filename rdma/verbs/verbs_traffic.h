/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_traffic.h — completions of a verbs link, and the events they become.
 *
 * Thread: the link's owner. */
#ifndef HAUL_VERBS_TRAFFIC_H
#define HAUL_VERBS_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>

#include "link.h"
#include "verbs_life.h"

/* The work of one poll while OPEN or CLOSING, for either side. Returns the number of events. */
size_t verbs_traffic_send(struct verbs_link *link, struct link_event *events, size_t capacity);
size_t verbs_traffic_receive(struct verbs_link *link, struct link_event *events, size_t capacity);
/* For a receiver that is closing: a block that still arrives was in flight before, and ends the
 * link. Returns 0. */
size_t verbs_traffic_receive_end(struct verbs_link *link);

/* DRAINING: take completions. True: nothing is outstanding, or no more will come. */
bool verbs_traffic_drain(struct verbs_link *link);

/* Make the next completion wake us. False: there is one to poll. */
bool verbs_traffic_arm(struct verbs_link *link);

#endif
