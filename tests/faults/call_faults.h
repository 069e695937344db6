/* SPDX-License-Identifier: Apache-2.0 */
/* call_faults.h — a library to preload: counts the calls that `haul` makes, and fails, shortens or
 * kills at the n-th. The environment has the rule:
 *
 *   HAUL_FAULT=WHICH:N[+]:HARM   the N-th such call suffers HARM; with +, all from there on
 *   HAUL_FAULT=WHICH:0:trace     nothing fails; reports every new site, and last "total 0xN"
 *   HAUL_FAULT_MARK=FILE         gets "CALL 0xSITE" at the first harm, or for each new site
 *   HAUL_FAULT_SCOPE=all         counts calls of libraries, too (otherwise only those of
 *                                the program and of its JSON library)
 *
 * WHICH is a call, a group (memory, file, socket, thread, verbs), `any`, or 0xSITE: the place in
 * the program that makes the call. HARM is one of
 *   the name of an errno (ENOSPC), `short` (half of it is written), `kill`, `stop` (the process
 *     stops there until it is continued)
 *   of completions: `drop`, `twice`, `wc=STATUS`, `qp` (moves the queue pair to the error state; of
 *     ibv_modify_qp: after the step)
 *   of ibv_post_send, as from a hostile peer: `rkey`, `beyond` the ring, `sequence` and `type` of
 *     the immediate, `rewrite` (writes the slot once more), `flood` (more than credits allow)
 *
 * Programs other than `haul` are left alone. Thread: any. */
#ifndef HAUL_TESTS_CALL_FAULTS_H
#define HAUL_TESTS_CALL_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* Found without the loader, which may not have bound this library yet. */
#pragma GCC visibility push(hidden)

enum call_group { GROUP_MEMORY, GROUP_FILE, GROUP_SOCKET, GROUP_THREAD, GROUP_VERBS };

/* The library's own call of this name. */
void *call_faults_real(const char *name);

/* Whether this call must fail; errno is set then. Kills the process if the rule requires that. */
bool call_faults_fails(const char *name, enum call_group group, const void *caller);

/* Whether the rule shortens this call; `size` is what it was to move. Returns the size to move. */
size_t call_faults_shorten(const char *name, size_t size, const void *caller);

/* Apply the rule to this completion (`ibv_poll_cq`), to a queue pair after a step
 * (`ibv_modify_qp`), or to a write (`ibv_post_send`). */
enum wire_harm {
    WIRE_SOUND,
    WIRE_DROP,
    WIRE_TWICE,
    WIRE_STATUS,
    WIRE_QUEUE_ERROR,
    WIRE_RKEY,
    WIRE_BEYOND,
    WIRE_SEQUENCE,
    WIRE_TYPE,
    WIRE_REWRITE,
    WIRE_FLOOD
};
enum wire_harm call_faults_wire(const char *name, unsigned *status);

#pragma GCC visibility pop

#endif
