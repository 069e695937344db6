/* SPDX-License-Identifier: Apache-2.0 */
/* pack_choice.h — decides whether to compress payloads. Watches the first blocks, tries compression
 * when the links are the bottleneck, and keeps it if it makes the job faster.
 *
 *   WATCHING --the links were behind most of the time--> TRYING --faster--> PACKING
 *   WATCHING --they were not----------------------------> RESTING
 *   TRYING, PACKING --it does not pay-------------------> RESTING --many blocks later--> WATCHING
 *
 * It pays when the readers compress faster than the links took the plain bytes, with some margin,
 * and the blocks become smaller. Pure arithmetic. Thread: the loop's. */
#ifndef HAUL_PACK_CHOICE_H
#define HAUL_PACK_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

enum pack_state { PACK_OFF, PACK_ALWAYS, PACK_WATCHING, PACK_TRYING, PACK_PACKING, PACK_RESTING };

/* What all readers together have packed so far. */
struct pack_figures {
    uint64_t raw_bytes;
    uint64_t packed_bytes;
    uint64_t ns; /* time of all readers */
};

struct pack_choice {
    enum pack_state state;
    uint32_t reader_count;
    uint32_t blocks; /* in this state */
    uint32_t behind; /* those of them that found the links behind */
    uint64_t bytes;  /* of these blocks */
    uint64_t since_ns;
    uint64_t bytes_per_s;       /* with plain payloads */
    struct pack_figures before; /* when the state was entered */
};

/* `state`: PACK_OFF, PACK_ALWAYS or, to let it decide, PACK_WATCHING. */
void pack_choice_init(struct pack_choice *choice, enum pack_state state, uint32_t reader_count);
/* A block of `bytes` went to a link; `behind`: earlier blocks still waited there. `figures`: totals
 * up to now. */
void pack_choice_note(struct pack_choice *choice, uint32_t bytes, bool behind,
                      const struct pack_figures *figures, uint64_t now_ns);
/* Should the readers compress the blocks that they fill from now on? */
bool pack_choice_packs(const struct pack_choice *choice);

#endif
