/* SPDX-License-Identifier: Apache-2.0 */
/* conformance_loopback.c — the link suite on the in-memory transport. */
#include "link_conformance.h"
#include "loopback_hub.h"

static struct loopback_hub *hub;

static const char *missing_hub(void)
{
    return loopback_hub_create(&hub) == HAUL_OK ? NULL : "no memory for a hub";
}

static bool any_port(struct link_address *address)
{
    return link_address_parse("127.0.0.1:0", address, NULL) == HAUL_OK;
}

static void set_hub(struct link_config *config)
{
    config->hub = hub;
}

static const struct conformance_backend backend = {
    .suite = "conformance_loopback",
    .transport = HAUL_TRANSPORT_LOOPBACK,
    .limits = {.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_DEFAULT,
               .block_count = 3000,
               .peer_timeout_ms = 3000,
               .peers_are_processes = false},
    .missing = missing_hub,
    .address = any_port,
    .prepare = set_hub,
};

int main(int argc, char **argv)
{
    int result = conformance_main(&backend, argc, argv);
    loopback_hub_destroy(hub);
    return result;
}
