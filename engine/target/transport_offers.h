/* SPDX-License-Identifier: Apache-2.0 */
/* transport_offers.h — what a target offers a source: the transports of links, the best first, and
 * why one of them is not accepted at present.
 * Thread: the loop's. */
#ifndef HAUL_TRANSPORT_OFFERS_H
#define HAUL_TRANSPORT_OFFERS_H

#include "haul/migration.h"
#include "message.h"

/* Why links over `used` are not of the best of the `wanted` transports; "": they are. */
const char *transport_offers_refusal(const haul_control_TransportOffer *offers, size_t count,
                                     const struct haul_transport_list *wanted,
                                     enum haul_transport used);

#endif
