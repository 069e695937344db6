/* SPDX-License-Identifier: Apache-2.0 */
/* stall_watch.h — notices when neither side of a job makes progress. Keep-alives show only that the
 * peer's process lives; a job whose two sides do nothing else ends at this deadline.
 *
 * Each side counts its work (any number that changes will do) and reports it in a Working message
 * when no other message does. No clock, no I/O; times are monotonic nanoseconds. Thread: its
 * owner's. */
#ifndef HAUL_STALL_WATCH_H
#define HAUL_STALL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* The deadline, in peer timeouts: two minutes when a peer timeout is 5 s. */
enum {
    STALL_PEER_TIMEOUTS = 24,
    STALL_IDLE_PEER_TIMEOUTS = 4, /* where only the peer can work, and would report it */
};

struct stall_watch {
    uint64_t limit_ns;
    uint64_t tell_ns;  /* between two Working messages */
    uint64_t moved_ns; /* when either side last made progress */
    uint64_t ours;     /* the counts */
    uint64_t theirs;
    uint64_t told; /* our count when the last Working message was sent */
    uint64_t told_ns;
    uint64_t said;    /* `done` of that message */
    uint64_t working; /* `done` of the peer's last one */
};

/* A connection begins: the peer's count starts anew. */
void stall_watch_init(struct stall_watch *watch, uint32_t peer_timeout_ms);
/* Note the peer's timeout, so that Working is sent often enough for it. 0: not known. */
void stall_watch_note_peer_timeout(struct stall_watch *watch, uint32_t peer_timeout_ms);
/* A wait begins: the time runs from now; the first Working is due one peer timeout later. */
void stall_watch_begin(struct stall_watch *watch, uint64_t now_ns);

/* Note our count; the peer's count, from its messages; the `done` of a Working message, which
 * counts (true) only if it has grown. */
void stall_watch_note_ours(struct stall_watch *watch, uint64_t count, uint64_t now_ns);
void stall_watch_note_theirs(struct stall_watch *watch, uint64_t count, uint64_t now_ns);
bool stall_watch_note_working(struct stall_watch *watch, uint64_t done, uint64_t now_ns);

/* `idle`: this side has nothing left to do. */
uint64_t stall_watch_deadline_ns(const struct stall_watch *watch, bool idle);
uint32_t stall_watch_limit_s(const struct stall_watch *watch, bool idle);

/* Is a Working message due, because we have made progress or wait for something that has its own
 * limit (`bounded`)? Then `*done` is its content. */
bool stall_watch_must_tell(struct stall_watch *watch, bool bounded, uint64_t now_ns,
                           uint64_t *done);

#endif
