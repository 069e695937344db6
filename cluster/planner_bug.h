/* SPDX-License-Identifier: Apache-2.0 */
/* planner_bug.h — bugs that are planted in the planner on purpose, to prove that its simulation
 * finds them. PLANNER_BUG(name) is the constant 0 in every build but that of the test, which is
 * compiled with PLANNER_BUGS and has one bug at a time. */
#ifndef HAUL_CLUSTER_PLANNER_BUG_H
#define HAUL_CLUSTER_PLANNER_BUG_H

#ifdef PLANNER_BUGS

/* Name, and what the bug does. */
#define PLANNER_BUG_LIST(X)                                                          \
    X(NONE, "nothing")                                                               \
    X(ROUND_DOWN, "shares are rounded down, and what is left stays where it is")     \
    X(OVERSHOOT, "a receiver takes all that a giver has too much")                   \
    X(CUT_LONG, "a piece has one slot more than its limit")                          \
    X(CUT_SHORT, "a piece ends one slot early")                                      \
    X(SMALLEST_FIRST, "givers hand out their shortest runs first")                   \
    X(DRAIN_REST, "slots that fit nowhere stay at a drained node")                   \
    X(NO_RELIEF, "what whole slots leave over stays where it is")                    \
    X(FREE_DISK, "free disk is not checked")                                         \
    X(INGEST_DISK, "free disk is checked without what the receiver needs meanwhile") \
    X(JOBS, "a node gets one job more than it takes")                                \
    X(PARALLEL, "waves are not brought down to --parallel")                          \
    X(WAVES_FIRST_FIT, "no wave is rearranged to make place")                        \
    X(JOIN_ANY, "neighbouring moves are joined whatever node gives them")            \
    X(NO_TOLERANCE, "the tolerance is ignored")

enum planner_bug {
#define PLANNER_BUG_ENUM(name, sentence) PLANNER_BUG_##name,
    PLANNER_BUG_LIST(PLANNER_BUG_ENUM)
#undef PLANNER_BUG_ENUM
};

extern enum planner_bug planner_bug;
#define PLANNER_BUG(name) (planner_bug == PLANNER_BUG_##name)

#else
#define PLANNER_BUG(name) 0
#endif

#endif
