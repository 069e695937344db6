/* SPDX-License-Identifier: Apache-2.0 */
/* lane_name.c — names of apply lanes. */
#include <string.h>

#include "haul/migration.h"

static const struct {
    enum haul_lane lane;
    const char *name;
} rows[] = {{HAUL_LANE_AUTO, "auto"},
#define ROW(name, number, text, prefix) {HAUL_LANE_##name, text},
            HAUL_LANES(ROW)
#undef ROW
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

const char *haul_lane_name(enum haul_lane lane)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].lane == lane) {
            return rows[i].name;
        }
    }
    return NULL;
}

enum haul_status haul_lane_parse(const char *text, enum haul_lane *lane)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, text) == 0) {
            *lane = rows[i].lane;
            return HAUL_OK;
        }
    }
    return HAUL_INVALID;
}
