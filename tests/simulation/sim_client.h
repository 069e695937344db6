/* SPDX-License-Identifier: Apache-2.0 */
/* sim_client.h — the clients of all databases, which write to every host that accepts writes. */
#ifndef HAUL_SIM_CLIENT_H
#define HAUL_SIM_CLIENT_H

#include "sim_host.h"

struct sim_client {
    const struct sim_options *options;
    struct sim_random *random;
    struct sim_host *hosts; /* SIM_HOST_COUNT_MAX of them */
    uint64_t writes;
};

void sim_client_init(struct sim_client *client, const struct sim_options *options,
                     struct sim_random *random, struct sim_host *hosts);
/* The families of a new host, with ids of its own; some hosts lack the last one. */
void sim_client_make_families(struct sim_client *client, struct sim_host *host, bool all);
/* Write about `count` records of these cells. */
void sim_client_fill(struct sim_client *client, struct sim_host *host, uint32_t cells,
                     uint32_t count);
/* Delete records of these cells; the log of the deletions may not be durable. */
void sim_client_unfill(struct sim_client *client, struct sim_host *host, uint32_t cells,
                       uint32_t count);
/* Write one batch to one of the hosts that accept writes. */
void sim_client_write(struct sim_client *client);

#endif
