/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_run_bug.h — bugs that are planted in the run of a plan on purpose, to prove that its
 * simulation finds them. RUN_BUG(name) is the constant 0 in every build but that of the test, which
 * is compiled with RUN_BUGS and has one bug at a time. */
#ifndef HAUL_CLUSTER_CLUSTER_RUN_BUG_H
#define HAUL_CLUSTER_CLUSTER_RUN_BUG_H

#ifdef RUN_BUGS

/* Name, and what the bug does. */
#define RUN_BUG_LIST(X)                                                              \
    X(NONE, "nothing")                                                               \
    X(PUBLISH_EARLY, "slots are published while they are being moved")               \
    X(PUBLISH_SOURCE, "the source learns of the new owner before the destination")   \
    X(OTHERS_FIRST, "the other nodes learn of a new owner together with the source") \
    X(FORGET_RUNNING, "a job that runs already is begun again")                      \
    X(BUSY_NODE, "a node gets a second job")                                         \
    X(KEPT_BLOCKS, "a copy that broke off keeps its own move from going on")         \
    X(PARALLEL, "more moves run than may")                                           \
    X(VERSION_TWICE, "a version is made again that a silent destination may have")   \
    X(PUBLISH_EVER, "a node that refuses the topology gets it without end")          \
    X(UNSTORED, "a node that could not store the topology does not stop the run")    \
    X(NO_SPREAD, "a node that missed a version keeps its old one")                   \
    X(FOREIGN_VERSION, "a version of somebody else is taken for one of the run")     \
    X(FOREIGN_OWNER, "an owner that somebody else made is overwritten")              \
    X(BEGIN_STOPPED, "moves begin although the run is to stop")                      \
    X(BEGIN_PAUSED, "moves begin although the run is paused")                        \
    X(ABORT_LEAVES, "an abort leaves running jobs alone")                            \
    X(ABORT_UNPUBLISHED, "an abort does not publish what was handed over")           \
    X(ABORT_IN_THE_DARK, "an abort ends while a silent node may be moving slots")    \
    X(END_EARLY, "the run ends before every node has the last version")              \
    X(LOST_WAITS, "the run waits for ever for a node that is lost")                  \
    X(RETRY_EVER, "a move that fails is repeated without end")                       \
    X(CONTROLLED_STOPS, "a version of the controller stops a run that uses it")      \
    X(CONTROLLED_PUBLISHES, "a run that uses a controller publishes")                \
    X(MISFIT, "a move whose slots a third node owns is begun")

enum run_bug {
#define RUN_BUG_ENUM(name, sentence) RUN_BUG_##name,
    RUN_BUG_LIST(RUN_BUG_ENUM)
#undef RUN_BUG_ENUM
};

extern enum run_bug run_bug;
#define RUN_BUG(name) (run_bug == RUN_BUG_##name)

#else
#define RUN_BUG(name) 0
#endif

#endif
