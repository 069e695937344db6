/* SPDX-License-Identifier: Apache-2.0 */
/* conformance_verbs.c — the link suite on verbs, on the RDMA device of the rig (ci/rxe):
 * `ci/rxe/run.sh -- build/tests/conformance_verbs`. */
#include <stdio.h>
#include <stdlib.h>

#include "link_conformance.h"

static const char *missing_device(void)
{
    return getenv("HAUL_RIG_ADDRESS") == NULL
               ? "HAUL_RIG_ADDRESS is not set: no RDMA device to run on (see ci/rxe/README.md)"
               : NULL;
}

static bool rig_address(struct link_address *address)
{
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    (void)snprintf(text, sizeof(text), "%s:0", getenv("HAUL_RIG_ADDRESS"));
    return link_address_parse(text, address, NULL) == HAUL_OK;
}

/* One slow processor for both sides: moderate sizes, long timeouts. */
static const struct conformance_backend backend = {
    .suite = "conformance_verbs",
    .transport = HAUL_TRANSPORT_VERBS,
    .limits = {.slot_size_bytes = 64 << 10,
               .block_count = 500,
               .peer_timeout_ms = 5000,
               .peers_are_processes = true},
    .missing = missing_device,
    .address = rig_address,
};

int main(int argc, char **argv)
{
    return conformance_main(&backend, argc, argv);
}
