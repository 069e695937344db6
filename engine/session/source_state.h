/* SPDX-License-Identifier: Apache-2.0 */
/* source_state.h — the states of a source session (source_session.h), and what an embedder sees of
 * each. */
#ifndef HAUL_SOURCE_STATE_H
#define HAUL_SOURCE_STATE_H

#include "haul/migration.h"

#define SOURCE_STATE_LIST(X)                                                \
    X(CONNECTING, CONNECTING, "the control channel is being opened")        \
    X(GREETING, CONNECTING, "Hello is out, Welcome awaited")                \
    X(BINDING, PLANNING, "the target's identity is being recorded")         \
    X(PLANNING, PLANNING, "Plan is out, PlanAccepted awaited")              \
    X(LINKING, PLANNING, "the data links are being opened")                 \
    X(COPYING, COPYING, "the snapshot is on its way")                       \
    X(CATCHING_UP, CATCHING_UP, "rounds over the write-ahead log")          \
    X(FREEZING, FROZEN, "the owner was asked to refuse writes")             \
    X(DRAINING, FROZEN, "frozen; the last of the log is on its way")        \
    X(PREPARING, FROZEN, "frozen; Prepare is out, Prepared awaited")        \
    X(DECIDING, FROZEN, "frozen; the decision record is being written")     \
    X(COMMITTING, COMMITTING, "released; Commit is out, Committed awaited") \
    X(RETRYING, RETRYING, "the path was lost; waiting to connect again")    \
    X(ABORTING, ABORTING, "Abort is out, Aborted awaited")                  \
    X(ENDED, ENDED, "nothing more happens")

enum source_state {
#define SOURCE_STATE_ENUM(name, phase, sentence) SOURCE_##name,
    SOURCE_STATE_LIST(SOURCE_STATE_ENUM)
#undef SOURCE_STATE_ENUM
};

/* "COPYING" */
const char *source_state_name(enum source_state state);
enum haul_phase source_state_phase(enum source_state state);

#endif
