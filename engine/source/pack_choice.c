/* SPDX-License-Identifier: Apache-2.0 */
/* pack_choice.c — the arithmetic of compressing. */
#include "pack_choice.h"

#include <string.h>

#include "clock.h"

enum {
    WATCH_BLOCKS = 24, /* more than a ring: the first blocks always find room */
    TRY_BLOCKS = 8,    /* packed ones, without the blocks queued before them */
    RECHECK_BLOCKS = 64,
    REST_BLOCKS = 1024,
};

/* No reader packs faster than this. Links that do are not worth a try, which costs some time. */
#define PACK_BYTES_PER_S_MAX UINT64_C(400000000)

void pack_choice_init(struct pack_choice *choice, enum pack_state state, uint32_t reader_count)
{
    memset(choice, 0, sizeof(*choice));
    choice->state = state;
    choice->reader_count = reader_count == 0 ? 1 : reader_count;
}

static void enter(struct pack_choice *choice, enum pack_state state,
                  const struct pack_figures *figures, uint64_t now_ns)
{
    choice->state = state;
    choice->blocks = 0;
    choice->behind = 0;
    choice->bytes = 0;
    choice->since_ns = now_ns;
    choice->before = *figures;
}

static void watch(struct pack_choice *choice, const struct pack_figures *figures, uint64_t now_ns)
{
    if (choice->blocks < WATCH_BLOCKS || now_ns <= choice->since_ns) {
        return;
    }
    double seconds = (double)(now_ns - choice->since_ns) / (double)NS_PER_S;
    choice->bytes_per_s = (uint64_t)((double)choice->bytes / seconds);
    bool links_are_slow = choice->behind >= choice->blocks - choice->blocks / 4;
    bool hopeless = choice->bytes_per_s > PACK_BYTES_PER_S_MAX * choice->reader_count;
    enter(choice, links_are_slow && !hopeless ? PACK_TRYING : PACK_RESTING, figures, now_ns);
}

/* Figures since the state was entered. */
static bool pays(const struct pack_choice *choice, const struct pack_figures *figures)
{
    double raw = (double)(figures->raw_bytes - choice->before.raw_bytes);
    double packed = (double)(figures->packed_bytes - choice->before.packed_bytes);
    double seconds = (double)(figures->ns - choice->before.ns) / (double)NS_PER_S;
    double speed = raw * choice->reader_count / (seconds + 1e-9);
    return packed * 10 <= raw * 9 && speed >= (double)choice->bytes_per_s * 1.25;
}

void pack_choice_note(struct pack_choice *choice, uint32_t bytes, bool behind,
                      const struct pack_figures *figures, uint64_t now_ns)
{
    if (choice->since_ns == 0) {
        choice->since_ns = now_ns;
    }
    choice->blocks++;
    choice->behind += behind ? 1 : 0;
    choice->bytes += bytes;
    switch (choice->state) {
    case PACK_OFF:
    case PACK_ALWAYS:
        return;
    case PACK_WATCHING:
        watch(choice, figures, now_ns);
        return;
    case PACK_TRYING:
    case PACK_PACKING:
        if (figures->raw_bytes == choice->before.raw_bytes ||
            choice->blocks < (choice->state == PACK_TRYING ? TRY_BLOCKS : RECHECK_BLOCKS)) {
            return;
        }
        enter(choice, pays(choice, figures) ? PACK_PACKING : PACK_RESTING, figures, now_ns);
        return;
    case PACK_RESTING:
        if (choice->blocks >= REST_BLOCKS) {
            enter(choice, PACK_WATCHING, figures, now_ns);
        }
        return;
    }
}

bool pack_choice_packs(const struct pack_choice *choice)
{
    return choice->state == PACK_ALWAYS || choice->state == PACK_TRYING ||
           choice->state == PACK_PACKING;
}
