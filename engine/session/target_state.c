/* SPDX-License-Identifier: Apache-2.0 */
/* target_state.c — names and phases of the states. */
#include "target_state.h"

const char *target_state_name(enum target_state state)
{
    static const char *const names[] = {
#define TARGET_STATE_NAME(name, phase, sentence) #name,
        TARGET_STATE_LIST(TARGET_STATE_NAME)
#undef TARGET_STATE_NAME
    };
    return names[state];
}

enum haul_phase target_state_phase(enum target_state state)
{
    static const enum haul_phase phases[] = {
#define TARGET_STATE_PHASE(name, phase, sentence) HAUL_PHASE_##phase,
        TARGET_STATE_LIST(TARGET_STATE_PHASE)
#undef TARGET_STATE_PHASE
    };
    return phases[state];
}
