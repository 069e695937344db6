/* SPDX-License-Identifier: Apache-2.0 */
/* target_state.h — the states of a target session (target_session.h), and the phase that an
 * embedder sees for each. */
#ifndef HAUL_TARGET_STATE_H
#define HAUL_TARGET_STATE_H

#include "haul/migration.h"

/* In the order of a job's life, except for VERIFYING. */
#define TARGET_STATE_LIST(X)                                          \
    X(VERIFYING, CONNECTING, "a source compares; no job runs")        \
    X(WAITING, CONNECTING, "the channel is up, Hello awaited")        \
    X(LOOKING, CONNECTING, "the records of the job are being read")   \
    X(GREETED, CONNECTING, "Welcome was sent, Plan awaited")          \
    X(CHECKING, PLANNING, "the plan is checked against the store")    \
    X(RECEIVING, COPYING, "blocks are arriving")                      \
    X(FLUSHING, FROZEN, "everything is being made durable")           \
    X(RECORDING, FROZEN, "the PREPARED record is being written")      \
    X(PREPARED, FROZEN, "Prepared was sent; the source decides")      \
    X(OWNING, COMMITTING, "committed; the range is being taken over") \
    X(KEEPING, ABORTING, "what has arrived is being made durable")    \
    X(CLEARING, ABORTING, "what was copied is being removed")         \
    X(ENDED, ENDED, "nothing more happens")

enum target_state {
#define TARGET_STATE_ENUM(name, phase, sentence) TARGET_##name,
    TARGET_STATE_LIST(TARGET_STATE_ENUM)
#undef TARGET_STATE_ENUM
};

const char *target_state_name(enum target_state state);
/* As the embedder sees it. */
enum haul_phase target_state_phase(enum target_state state);

#endif
