/* SPDX-License-Identifier: Apache-2.0 */
/* conformance_tcp.c — the link suite on TCP. */
#include "link_conformance.h"

static bool any_port(struct link_address *address)
{
    return link_address_parse("127.0.0.1:0", address, NULL) == HAUL_OK;
}

static const struct conformance_backend backend = {
    .suite = "conformance_tcp",
    .transport = HAUL_TRANSPORT_TCP,
    .limits = {.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_DEFAULT,
               .block_count = 3000,
               .peer_timeout_ms = 3000,
               .peers_are_processes = true},
    .address = any_port,
};

int main(int argc, char **argv)
{
    return conformance_main(&backend, argc, argv);
}
