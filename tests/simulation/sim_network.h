/* SPDX-License-Identifier: Apache-2.0 */
/* sim_network.h — TCP between the hosts of a simulation: bytes take their time, connections are cut
 * at any byte, fall silent, and may bring a flipped bit.
 *
 * What a killed process had sent still arrives. A host whose power failed says nothing more; its
 * peer finds out by itself. */
#ifndef HAUL_SIM_NETWORK_H
#define HAUL_SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

struct sim_descriptor;
struct sockaddr_in;

/* Faults of the network, as a seed draws them; parts are of ten thousand for each connection. */
struct sim_network_options {
    uint32_t latency_us_max;
    uint32_t jitter_us_max;
    uint32_t buffer_bytes; /* of a direction */
    uint32_t cut_parts;    /* reset at some byte of one direction */
    uint32_t cut_bytes_max;
    uint32_t silence_parts; /* falls silent at some byte */
    uint32_t refuse_parts;
    uint32_t flip_parts;   /* one bit of one byte is another one */
    uint32_t replay_parts; /* what was sent here is sent again by a stranger, later */
};

struct sim_network_figures {
    uint64_t connections, cuts, silences, refusals, flips, replays;
};

extern struct sim_network_options sim_network_options;
extern struct sim_network_figures sim_network_figures;

void sim_network_init(void);
/* What is due arrives. */
void sim_network_deliver(void);
uint64_t sim_network_next_ns(void);

/* Cut every connection of a host (-1: of all) / let each fall silent, now. */
void sim_network_cut(int host);
void sim_network_silence(int host);
/* The power of a host failed: nothing of its connections is heard any more. Before its processes
 * are killed. */
void sim_network_power_failure(int host);
/* From here on connections have no faults. Old ones keep theirs. */
void sim_network_heal(void);

/* The number of the host that has the address. */
int sim_network_host_at(const struct sockaddr_in *address);

/* For sim_descriptor.c. */
uint32_t sim_network_events(const struct sim_descriptor *descriptor);
void sim_network_close(struct sim_descriptor *descriptor);

#endif
