/* SPDX-License-Identifier: Apache-2.0 */
/* pack_choice.h — decides whether to compress payloads: only while the links are what the job waits
 * for, and only as far as it makes the job faster.
 *
 *   WATCHING --the links are the limit, twice in a row--> TRYING --it pays--> PACKING
 *   TRYING, PACKING --it does not pay--> RESTING --many blocks later--> WATCHING
 *   PACKING --the links have long not been the limit--> WATCHING
 *
 * The links are the limit of a window of time if for most of it the sender has no slot to fill, and
 * if for PACK_STARVED_PERCENT of it at least the target has applied all that arrived and waits for
 * more. A target that is slow, or has too few processors, has something to do, and then nothing is
 * compressed. Compressing pays when
 *   - it makes payloads smaller by a tenth,
 *   - the readers compress faster than the links took the plain bytes, by a quarter,
 *   - and more bytes of records leave than left plainly, by a tenth.
 * A trial that fails doubles the blocks until the next one, up to PACK_REST_DOUBLINGS times.
 * Pure arithmetic. Thread: the loop's. */
#ifndef HAUL_PACK_CHOICE_H
#define HAUL_PACK_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

enum pack_state { PACK_OFF, PACK_ALWAYS, PACK_WATCHING, PACK_TRYING, PACK_PACKING, PACK_RESTING };

enum {
    PACK_WAITED_PERCENT = 75,  /* of a window, without a free slot at the sender */
    PACK_STARVED_PERCENT = 40, /* of a window, with nothing to do at the target */
    PACK_REST_DOUBLINGS = 4,
};

/* Totals since the job began, up to now. Those of the target are as it last reported them, and
 * begin anew with each session. */
struct pack_totals {
    uint64_t raw_bytes; /* what all readers together have tried to pack */
    uint64_t packed_bytes;
    uint64_t pack_ns;    /* time of all readers */
    uint64_t waited_ns;  /* the sender had no slot to fill */
    uint64_t starved_us; /* the target had applied all that had arrived, and slept */
    uint64_t target_us;  /* over this time */
};

/* A block that went to a link. */
struct pack_block {
    uint32_t bytes; /* of its payload */
    uint32_t raw_bytes;
    bool packed;
};

struct pack_choice {
    enum pack_state state;
    uint32_t reader_count;
    bool target_reports; /* its totals; without them `waited_ns` alone counts */
    uint32_t blocks;     /* in this window */
    uint32_t packed_blocks;
    uint64_t bytes; /* of these blocks */
    uint64_t raw_bytes;
    uint64_t since_ns;
    struct pack_totals before; /* at the beginning of the window */
    uint64_t bytes_per_s;      /* what the links take */
    uint32_t windows;          /* in a row: limited by the links (WATCHING), or not (PACKING) */
    uint32_t failed_count;     /* trials in a row */
    bool settled; /* PACKING: what was submitted in the last window was packed from the start */
};

/* `state`: PACK_OFF, PACK_ALWAYS or, to let it decide, PACK_WATCHING. */
void pack_choice_init(struct pack_choice *choice, enum pack_state state, uint32_t reader_count,
                      bool target_reports);
/* A block went to a link. */
void pack_choice_note(struct pack_choice *choice, const struct pack_block *block,
                      const struct pack_totals *totals, uint64_t now_ns);
/* Should the readers compress the blocks that they fill from now on? */
bool pack_choice_packs(const struct pack_choice *choice);

#endif
