/* SPDX-License-Identifier: Apache-2.0 */
/* apply_lane.c — the table of lanes; chooses the lane of a job and of a stream. */
#include "apply_lane.h"

#include "assertion.h"

#define TABLE(name, number, text, prefix) extern const struct apply_lane_ops prefix##_lane_ops;
HAUL_LANES(TABLE)
#undef TABLE

/* In the order that `auto` tries; the last one takes every stream. */
static const struct apply_lane_ops *const tables[] = {
#define ROW(name, number, text, prefix) &prefix##_lane_ops,
    HAUL_LANES(ROW)
#undef ROW
};

enum { LANE_COUNT = sizeof(tables) / sizeof(tables[0]) };

const struct apply_lane_ops *apply_lane_table(enum haul_lane lane)
{
    for (size_t i = 0; i < LANE_COUNT; i++) {
        if (tables[i]->lane == lane) {
            return tables[i];
        }
    }
    return NULL;
}

enum haul_status apply_lane_choose(const struct haul_store *store, enum haul_lane wanted,
                                   enum haul_lane *lane, struct haul_error *error)
{
    const char *why = "this receiver has no such lane";
    for (size_t i = 0; i < LANE_COUNT; i++) {
        bool asked = wanted == HAUL_LANE_AUTO || tables[i]->lane == wanted;
        if (asked && tables[i]->suits_store(store, &why)) {
            *lane = tables[i]->lane;
            return HAUL_OK;
        }
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "%s", why);
    haul_error_hint(error, "use --lane auto or writebatch");
    return HAUL_UNSUPPORTED;
}

const struct apply_lane_ops *apply_lane_for_stream(enum haul_lane lane,
                                                   const struct plan_family *family,
                                                   const struct plan_stream *stream)
{
    const struct apply_lane_ops *ops = apply_lane_table(lane);
    haul_assert(ops != NULL);
    /* Search from the end: the store may not allow a lane before the job's. */
    for (size_t i = LANE_COUNT; !ops->suits_stream(family, stream) && i-- > 0;) {
        ops = tables[i];
    }
    return ops;
}
