/* SPDX-License-Identifier: Apache-2.0 */
/* sim_codec.h — the compressor of a simulation: the real one, except that its memory belongs to the
 * simulated process (it can fail, leak, and ends with the process), packing takes time, and both
 * directions are counted. */
#ifndef HAUL_SIM_CODEC_H
#define HAUL_SIM_CODEC_H

#include <stdint.h>

struct sim_random;

struct sim_codec_figures {
    uint64_t packed;   /* payloads that packing made smaller */
    uint64_t kept;     /* payloads that it did not */
    uint64_t unpacked; /* on the receiving side */
};

extern struct sim_codec_figures sim_codec_figures;

/* `random` draws how long packing takes. */
void sim_codec_init(struct sim_random *random);

#endif
