/* SPDX-License-Identifier: Apache-2.0 */
/* sim_network.h — TCP between simulated hosts: bytes arrive with a delay; connections break at any
 * byte, fall silent, and may flip a bit.
 *
 * What a killed process had sent still arrives. A host whose power failed sends nothing more; its
 * peer must find out by itself. */
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
    uint32_t buffer_bytes; /* of one direction */
    uint32_t cut_parts;    /* reset at some byte of one direction */
    uint32_t cut_bytes_max;
    uint32_t silence_parts; /* falls silent at some byte */
    uint32_t refuse_parts;
    uint32_t flip_parts;   /* one bit of one byte flips */
    uint32_t replay_parts; /* a stranger later replays what was sent here */
};

struct sim_network_figures {
    uint64_t connections, cuts, silences, refusals, flips, replays;
};

extern struct sim_network_options sim_network_options;
extern struct sim_network_figures sim_network_figures;

void sim_network_init(void);
/* Deliver what is due. */
void sim_network_deliver(void);
uint64_t sim_network_next_ns(void);

/* Cut every connection of a host (-1: of all) / let each fall silent, now. */
void sim_network_cut(int host);
void sim_network_silence(int host);
/* The power of a host failed: its connections send nothing more. Call before its processes are
 * killed. */
void sim_network_power_failure(int host);
/* New connections have no faults from here on. Old ones keep theirs. */
void sim_network_heal(void);

/* The number of the host with this address. */
int sim_network_host_at(const struct sockaddr_in *address);

/* For sim_descriptor.c. */
uint32_t sim_network_events(const struct sim_descriptor *descriptor);
void sim_network_close(struct sim_descriptor *descriptor);

#endif
