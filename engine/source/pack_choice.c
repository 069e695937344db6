/* SPDX-License-Identifier: Apache-2.0 */
/* pack_choice.c — the arithmetic of compressing. */
#include "pack_choice.h"

#include <string.h>

#include "clock.h"

enum {
    WATCH_BLOCKS = 24, /* more than a ring: the first blocks always find room */
    CONFIRM_BLOCKS = 8,
    WATCH_WINDOWS = 2,
    WATCH_MS = 100, /* at least; a target reports every 50 ms */
    TRY_BLOCKS = 8, /* at least, and as many must have been packed */
    PACK_BLOCKS = 64,
    PACK_WINDOWS = 16, /* in which the links are not the limit, before the plain speed counts */
    REST_BLOCKS = 1024,
};

/* No reader packs faster than this. Links that do are not worth a try, which costs some time. */
#define PACK_BYTES_PER_S_MAX UINT64_C(400000000)

void pack_choice_init(struct pack_choice *choice, enum pack_state state, uint32_t reader_count,
                      bool target_reports)
{
    memset(choice, 0, sizeof(*choice));
    choice->target_reports = target_reports;
    choice->state = state;
    choice->reader_count = reader_count == 0 ? 1 : reader_count;
}

static void begin_window(struct pack_choice *choice, const struct pack_totals *totals,
                         uint64_t now_ns)
{
    choice->blocks = 0;
    choice->packed_blocks = 0;
    choice->bytes = 0;
    choice->raw_bytes = 0;
    choice->since_ns = now_ns;
    choice->before = *totals;
}

static void enter(struct pack_choice *choice, enum pack_state state,
                  const struct pack_totals *totals, uint64_t now_ns)
{
    choice->state = state;
    choice->windows = 0;
    choice->settled = false;
    begin_window(choice, totals, now_ns);
}

static void give_up(struct pack_choice *choice, const struct pack_totals *totals, uint64_t now_ns)
{
    choice->failed_count += choice->failed_count < PACK_REST_DOUBLINGS ? 1 : 0;
    enter(choice, PACK_RESTING, totals, now_ns);
}

/* --- a window --------------------------------------------------------------------------------- */

static bool is_over(const struct pack_choice *choice, uint32_t blocks,
                    const struct pack_totals *totals, uint64_t now_ns)
{
    const uint64_t span_us = (uint64_t)WATCH_MS * 1000;
    bool reported =
        !choice->target_reports || totals->target_us >= choice->before.target_us + span_us;
    return choice->blocks >= blocks && now_ns - choice->since_ns >= span_us * NS_PER_US && reported;
}

static uint64_t per_second(uint64_t count, uint64_t span_ns)
{
    return span_ns == 0 ? 0 : (uint64_t)((double)count * (double)NS_PER_S / (double)span_ns);
}

/* Were the links the limit of this window? */
static bool links_limit(const struct pack_choice *choice, const struct pack_totals *totals,
                        uint64_t now_ns)
{
    const struct pack_totals *before = &choice->before;
    uint64_t waited_ns = totals->waited_ns - before->waited_ns;
    uint64_t target_us = totals->target_us - before->target_us;
    uint64_t starved_us = totals->starved_us - before->starved_us;
    return waited_ns * 100 >= (now_ns - choice->since_ns) * PACK_WAITED_PERCENT &&
           (!choice->target_reports || starved_us * 100 >= target_us * PACK_STARVED_PERCENT);
}

/* Does packing shrink the payloads, and is it faster than the links took the plain bytes? */
static bool pays(const struct pack_choice *choice, const struct pack_totals *totals)
{
    double raw = (double)(totals->raw_bytes - choice->before.raw_bytes);
    double packed = (double)(totals->packed_bytes - choice->before.packed_bytes);
    double seconds = (double)(totals->pack_ns - choice->before.pack_ns) / (double)NS_PER_S;
    double speed = raw * choice->reader_count / (seconds + 1e-9);
    return packed * 10 <= raw * 9 && speed >= (double)choice->bytes_per_s * 1.25;
}

/* --- states ----------------------------------------------------------------------------------- */

static void watch(struct pack_choice *choice, const struct pack_totals *totals, uint64_t now_ns)
{
    uint32_t blocks = choice->windows == 0 ? WATCH_BLOCKS : CONFIRM_BLOCKS;
    if (!is_over(choice, blocks, totals, now_ns)) {
        return;
    }
    choice->bytes_per_s = per_second(choice->raw_bytes, now_ns - choice->since_ns);
    bool hopeless = choice->bytes_per_s > PACK_BYTES_PER_S_MAX * choice->reader_count;
    bool wanted = !hopeless && choice->packed_blocks == 0 && links_limit(choice, totals, now_ns);
    choice->windows = wanted ? choice->windows + 1 : 0;
    if (choice->windows >= WATCH_WINDOWS) {
        enter(choice, PACK_TRYING, totals, now_ns);
    } else {
        begin_window(choice, totals, now_ns);
    }
}

static void try_packing(struct pack_choice *choice, const struct pack_totals *totals,
                        uint64_t now_ns)
{
    uint64_t tried = totals->raw_bytes - choice->before.raw_bytes;
    bool enough = tried * choice->blocks >= TRY_BLOCKS * choice->raw_bytes;
    if (choice->blocks < (enough ? TRY_BLOCKS : PACK_BLOCKS)) {
        return;
    }
    if (pays(choice, totals)) {
        enter(choice, PACK_PACKING, totals, now_ns);
    } else {
        give_up(choice, totals, now_ns);
    }
}

static void go_on_packing(struct pack_choice *choice, const struct pack_totals *totals,
                          uint64_t now_ns)
{
    if (!is_over(choice, PACK_BLOCKS, totals, now_ns)) {
        return;
    }
    uint64_t span_ns = now_ns - choice->since_ns;
    uint64_t raw_per_s = per_second(choice->raw_bytes, span_ns);
    bool gains = !choice->settled || raw_per_s * 10 >= choice->bytes_per_s * 11;
    if (!gains || !pays(choice, totals)) {
        give_up(choice, totals, now_ns);
        return;
    }
    choice->failed_count = choice->settled ? 0 : choice->failed_count;
    if (choice->settled && links_limit(choice, totals, now_ns)) {
        choice->bytes_per_s = per_second(choice->bytes, span_ns);
        choice->windows = 0;
    } else if (++choice->windows >= PACK_WINDOWS) {
        enter(choice, PACK_WATCHING, totals, now_ns);
        return;
    }
    choice->settled = true;
    begin_window(choice, totals, now_ns);
}

void pack_choice_note(struct pack_choice *choice, const struct pack_block *block,
                      const struct pack_totals *totals, uint64_t now_ns)
{
    if (choice->since_ns == 0 || totals->target_us < choice->before.target_us) {
        begin_window(choice, totals, now_ns); /* the first block; the target has begun anew */
    }
    choice->blocks++;
    choice->packed_blocks += block->packed ? 1 : 0;
    choice->bytes += block->bytes;
    choice->raw_bytes += block->raw_bytes;
    switch (choice->state) {
    case PACK_OFF:
    case PACK_ALWAYS:
        return;
    case PACK_WATCHING:
        watch(choice, totals, now_ns);
        return;
    case PACK_TRYING:
        try_packing(choice, totals, now_ns);
        return;
    case PACK_PACKING:
        go_on_packing(choice, totals, now_ns);
        return;
    case PACK_RESTING:
        if (choice->blocks >= (uint32_t)REST_BLOCKS << (choice->failed_count - 1)) {
            enter(choice, PACK_WATCHING, totals, now_ns);
        }
        return;
    }
}

bool pack_choice_packs(const struct pack_choice *choice)
{
    return choice->state == PACK_ALWAYS || choice->state == PACK_TRYING ||
           choice->state == PACK_PACKING;
}
