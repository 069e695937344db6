/* SPDX-License-Identifier: Apache-2.0 */
/* byte_gate.h — limits the bytes that are inside at a time. A caller without room waits. Waiting
 * callers enter in the order of their arrival, so small ones never pass a large one for ever.
 *
 * Thread: any, except for init and fini. */
#ifndef HAUL_BYTE_GATE_H
#define HAUL_BYTE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "haul/status.h"

struct byte_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t bytes_max;
    uint64_t bytes; /* inside */
    uint64_t next_turn;
    uint64_t turn; /* the turn that enters next */
    bool closed;
};

void byte_gate_init(struct byte_gate *gate, uint64_t bytes_max);
void byte_gate_fini(struct byte_gate *gate);

/* Enter with this many bytes, at most `bytes_max`; waits for room. Errors: CLOSED. */
enum haul_status byte_gate_enter(struct byte_gate *gate, uint64_t bytes) HAUL_MUST_CHECK;
void byte_gate_leave(struct byte_gate *gate, uint64_t bytes);
/* Wake all waiting callers with CLOSED; later calls return CLOSED. */
void byte_gate_close(struct byte_gate *gate);

#endif
