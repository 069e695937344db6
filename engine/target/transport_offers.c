/* SPDX-License-Identifier: Apache-2.0 */
/* transport_offers.c — finds the offer that was not taken. */
#include "transport_offers.h"

#include "link.h"

const char *transport_offers_refusal(const haul_control_TransportOffer *offers, size_t count,
                                     const struct haul_transport_list *wanted,
                                     enum haul_transport used)
{
    const struct haul_transport_list list = transport_list_resolve(wanted);
    size_t at = 0;
    while (at < count && !transport_list_has(&list, (enum haul_transport)offers[at].transport)) {
        at++;
    }
    return at < count && offers[at].transport != (uint32_t)used ? offers[at].refusal : "";
}
