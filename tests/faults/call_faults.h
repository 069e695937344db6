/* SPDX-License-Identifier: Apache-2.0 */
/* call_faults.h — a library to preload: counts the calls that `haul` makes, and fails, shortens or
 * kills at the n-th. The rule comes in the environment:
 *
 *   HAUL_FAULT=WHICH:N[+]:HARM   at the N-th such call, with + from there on; HARM is the name of
 * an errno (ENOSPC), `short` (half of it is written), `kill`, `stop` (the process goes on from
 * there when it is told to), and of completions `drop`, `twice`, `wc=STATUS`, `qp` (its queue pair
 * is put into the error state; of ibv_modify_qp: behind the step); of ibv_post_send, as of a
 * hostile peer: `rkey`, `beyond` the ring, `sequence` and `type` of the immediate, `rewrite` (the
 * slot is written again behind it), `flood` (more than credits allow) HAUL_FAULT=WHICH:0:trace
 * nothing fails; every new site is told, and in the end "total 0xN" HAUL_FAULT_MARK=FILE "CALL
 * 0xSITE" is added at the first harm, or for each new site HAUL_FAULT_SCOPE=all         calls of
 * libraries count as well (else those of the program and of its JSON library do) WHICH is a call, a
 * group (memory, file, socket, thread, verbs), `any`, or 0xSITE: the place in the program from
 * which it is called.
 *
 * Other programs than `haul` are left alone. Thread: any. */
#ifndef HAUL_TESTS_CALL_FAULTS_H
#define HAUL_TESTS_CALL_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* Found without the loader's help, which may not have come to this library yet. */
#pragma GCC visibility push(hidden)

enum call_group { GROUP_MEMORY, GROUP_FILE, GROUP_SOCKET, GROUP_THREAD, GROUP_VERBS };

/* The library's own call of this name. */
void *call_faults_real(const char *name);

/* Whether this call is to fail; errno is set then. Kills the process when that is the rule. */
bool call_faults_fails(const char *name, enum call_group group, const void *caller);

/* Whether the rule shortens this call; `size` is what it was to move. Returns what it shall. */
size_t call_faults_shorten(const char *name, size_t size, const void *caller);

/* What the rule does to this completion (`ibv_poll_cq`), to a queue pair behind a step
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
