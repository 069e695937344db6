/* SPDX-License-Identifier: Apache-2.0 */
/* byte_gate.c — turns are numbers; each leave wakes all waiting callers, and at most one enters. */
#include "byte_gate.h"

#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "condition.h"

void byte_gate_init(struct byte_gate *gate, uint64_t bytes_max)
{
    memset(gate, 0, sizeof(*gate));
    (void)pthread_mutex_init(&gate->lock, NULL);
    condition_init(&gate->changed);
    gate->bytes_max = bytes_max;
}

void byte_gate_fini(struct byte_gate *gate)
{
    (void)pthread_cond_destroy(&gate->changed);
    (void)pthread_mutex_destroy(&gate->lock);
}

enum haul_status byte_gate_enter(struct byte_gate *gate, uint64_t bytes)
{
    haul_assert(bytes <= gate->bytes_max);
    (void)pthread_mutex_lock(&gate->lock);
    uint64_t turn = gate->next_turn++;
    while (!gate->closed && (gate->turn != turn || bytes > gate->bytes_max - gate->bytes)) {
        (void)condition_wait(&gate->changed, &gate->lock, CLOCK_NEVER);
    }
    bool closed = gate->closed;
    if (!closed) {
        gate->turn++;
        gate->bytes += bytes;
        (void)pthread_cond_broadcast(&gate->changed);
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return closed ? HAUL_CLOSED : HAUL_OK;
}

void byte_gate_leave(struct byte_gate *gate, uint64_t bytes)
{
    (void)pthread_mutex_lock(&gate->lock);
    haul_assert(bytes <= gate->bytes);
    gate->bytes -= bytes;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->lock);
}

void byte_gate_close(struct byte_gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->closed = true;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->lock);
}
