/* SPDX-License-Identifier: Apache-2.0 */
/* source_state.c — names and phases of the states. */
#include "source_state.h"

const char *source_state_name(enum source_state state)
{
    static const char *const names[] = {
#define SOURCE_STATE_NAME(name, phase, sentence) #name,
        SOURCE_STATE_LIST(SOURCE_STATE_NAME)
#undef SOURCE_STATE_NAME
    };
    return names[state];
}

enum haul_phase source_state_phase(enum source_state state)
{
    static const enum haul_phase phases[] = {
#define SOURCE_STATE_PHASE(name, phase, sentence) HAUL_PHASE_##phase,
        SOURCE_STATE_LIST(SOURCE_STATE_PHASE)
#undef SOURCE_STATE_PHASE
    };
    return phases[state];
}
