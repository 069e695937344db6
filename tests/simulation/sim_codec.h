/* SPDX-License-Identifier: Apache-2.0 */
/* sim_codec.h — the compressor of a simulation is the real one, but for three things: its memory is
 * the simulated process's own (it can fail, leak, and goes with it), packing takes time, and both
 * directions are counted. */
#ifndef HAUL_SIM_CODEC_H
#define HAUL_SIM_CODEC_H

#include <stdint.h>

struct sim_random;

struct sim_codec_figures {
    uint64_t packed;   /* payloads that became smaller */
    uint64_t kept;     /* payloads that did not */
    uint64_t unpacked; /* on the other side */
};

extern struct sim_codec_figures sim_codec_figures;

/* `random` tells how long packing takes. */
void sim_codec_init(struct sim_random *random);

#endif
