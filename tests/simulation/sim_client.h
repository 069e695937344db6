/* SPDX-License-Identifier: Apache-2.0 */
/* sim_client.h — the clients of all databases: they write to whoever accepts it. */
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
/* The families of a host that begins, with ids of its own; some lack the last one. */
void sim_client_make_families(struct sim_client *client, struct sim_host *host, bool all);
/* About `count` records of these cells. */
void sim_client_fill(struct sim_client *client, struct sim_host *host, uint32_t cells,
                     uint32_t count);
/* Records of these cells that are there no more; the log that says so may not be durable. */
void sim_client_unfill(struct sim_client *client, struct sim_host *host, uint32_t cells,
                       uint32_t count);
/* One batch to one of the hosts that accept something. */
void sim_client_write(struct sim_client *client);

#endif
