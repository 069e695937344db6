/* SPDX-License-Identifier: Apache-2.0 */
/* send_plan.h — the file of `haul send --plan`: which ranges go where. People and programs write
 * it; docs/COMMANDS.md describes it. */
#ifndef HAUL_SEND_PLAN_H
#define HAUL_SEND_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/status.h"
#include "option_value.h"
#include "range_option.h"

enum {
    SEND_PLAN_VERSION = 1,
    SEND_PLAN_BYTES_MAX = 4 << 20,
    SEND_PLAN_MOVES_MAX = 1024,
    SEND_PLAN_MOVE_TEXT_BYTES_MAX = 192,
};

/* What the options of the same names are to a single send. Names are borrowed from the plan. */
struct send_move {
    const char *to;
    struct name_list families; /* none: all */
    struct name_list metadata_families;
    struct range_list ranges; /* none: everything */
    bool overwrite;
    bool overwrite_given; /* otherwise the command line's holds */
};

struct send_plan {
    struct send_move *moves;
    size_t count;
    void *document; /* the names are in it */
};

/* Read and check a file: no two moves have a key in common. Ownership: `*plan` is the caller's
 * (send_plan_fini), and empty after an error.
 * Errors: NOT_FOUND, INVALID (what is wrong, and where), VERSION (of a later release), LIMIT (more
 * than SEND_PLAN_BYTES_MAX), NO_MEMORY, IO. */
enum haul_status send_plan_read(const char *path, struct send_plan *plan,
                                struct haul_error *error) HAUL_MUST_CHECK;
/* The same for a text; `name` is for messages. */
enum haul_status send_plan_parse(const char *text, size_t size, const char *name,
                                 struct send_plan *plan, struct haul_error *error) HAUL_MUST_CHECK;
void send_plan_fini(struct send_plan *plan);

/* "moves[0] (default, user\::user;)": its place in the file, and what it moves, cut if needed. */
void send_plan_describe(const struct send_plan *plan, size_t index,
                        char text[SEND_PLAN_MOVE_TEXT_BYTES_MAX]);

#endif
