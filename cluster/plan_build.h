/* SPDX-License-Identifier: Apache-2.0 */
/* plan_build.h — turns what an operator wants of a discovered cluster into a plan. */
#ifndef HAUL_CLUSTER_PLAN_BUILD_H
#define HAUL_CLUSTER_PLAN_BUILD_H

#include <stddef.h>

#include "haul/status.h"
#include "node_facts.h"
#include "plan_file.h"
#include "planner.h"

/* Names of nodes are "HOST:PORT" or an id. */
struct name_span {
    const char *const *names;
    size_t count;
};

/* What is wanted: a balance, or, with `from`, ranges that move. Texts are borrowed. */
struct plan_goal {
    struct name_span weights; /* "NODE=W": the part of a node; the others have 1 */
    struct name_span added;   /* masters without slots that shall get some */
    struct name_span drained; /* nodes that shall keep none */
    const char *from;         /* NULL: balance */
    const char *to;
    const char *slots; /* "0-99,200" */
    enum planner_measure measure;
    struct planner_limits limits;
};

/* The plan for the newest topology of `list`. A slot counts as its node tells (`slot_bytes`), or
 * else as an equal part of the node's database. Masters without slots get none unless they are
 * added or have a weight.
 * Ownership: `*plan` is the caller's (plan_file_destroy).
 * Errors: INVALID (no such node or slots, goals that exclude each other, no bytes to balance),
 * NOT_FOUND (no topology), NO_SPACE (names the node), NO_MEMORY. */
enum haul_status plan_build(const struct node_facts_list *list, const struct plan_goal *goal,
                            struct cluster_plan **plan, struct haul_error *error) HAUL_MUST_CHECK;

#endif
