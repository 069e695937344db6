/* SPDX-License-Identifier: Apache-2.0 */
/* source_state.h — the states of a source session (source_session.h), and the phase that an
 * embedder sees for each. */
#ifndef HAUL_SOURCE_STATE_H
#define HAUL_SOURCE_STATE_H

#include "haul/migration.h"

#define SOURCE_STATE_LIST(X)                                                  \
    X(CONNECTING, CONNECTING, "the control channel is being opened")          \
    X(GREETING, CONNECTING, "Hello was sent, Welcome awaited")                \
    X(BINDING, PLANNING, "the target's identity is being recorded")           \
    X(PLANNING, PLANNING, "Plan was sent, PlanAccepted awaited")              \
    X(LINKING, PLANNING, "the data links are being opened")                   \
    X(COPYING, COPYING, "the snapshot is being sent")                         \
    X(CATCHING_UP, CATCHING_UP, "rounds over the write-ahead log")            \
    X(FREEZING, FROZEN, "the freeze hook is being called")                    \
    X(DRAINING, FROZEN, "frozen; the rest of the log is being sent")          \
    X(PREPARING, FROZEN, "frozen; Prepare was sent, Prepared awaited")        \
    X(DECIDING, FROZEN, "frozen; the decision record is being written")       \
    X(COMMITTING, COMMITTING, "released; Commit was sent, Committed awaited") \
    X(RETRYING, RETRYING, "the path was lost; waiting to connect again")      \
    X(ABORTING, ABORTING, "Abort was sent, Aborted awaited")                  \
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
