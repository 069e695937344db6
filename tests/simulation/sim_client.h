/* SPDX-License-Identifier: Apache-2.0 */
/* sim_client.h — clients of both databases, and what they know: the model that everything is held
 * against.
 *
 * A write to the ranges goes to whoever accepts it. Up to the hand-over the source's database is
 * the truth; from then on it is the model here. */
#ifndef HAUL_SIM_CLIENT_H
#define HAUL_SIM_CLIENT_H

#include "sim_host.h"
#include "sim_versions.h"

struct sim_client {
    const struct sim_options *options;
    struct sim_random *random;
    struct sim_host *hosts;    /* SIM_HOST_COUNT of them */
    struct sim_versions model; /* of the ranges, with family numbers 0.. in place of ids */
    bool model_valid;
    uint64_t model_sequence;
    uint64_t writes;
};

void sim_client_init(struct sim_client *client, const struct sim_options *options,
                     struct sim_random *random, struct sim_host *hosts);
/* What both databases begin with. */
void sim_client_fill(struct sim_client *client);
/* One batch to one of the hosts that are up. */
void sim_client_write(struct sim_client *client);

/* The target takes over: from here on the model is the truth. */
void sim_client_hand_over(struct sim_client *client);
/* Are the ranges on the target, all of it durable, what they are on the source? */
void sim_client_check_copy(const struct sim_client *client, const char *when);
/* And what the model says? */
void sim_client_check_model(const struct sim_client *client);

/* A record that the target's process writes: belongs to the job? */
void sim_client_check_record(const struct sim_client *client, uint32_t family_id,
                             struct haul_slice begin, struct haul_slice end);

#endif
