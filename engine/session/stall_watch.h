/* SPDX-License-Identifier: Apache-2.0 */
/* stall_watch.h — has either side of a job done anything lately? Keep-alives say that the peer's
 * process lives; a job whose two sides do nothing but send these ends by this deadline.
 *
 * Each side counts what it has done (any number that changes will do), and tells the other with a
 * Working message when nothing else would. No clock, no I/O; times are monotonic nanoseconds.
 * Thread: its owner's. */
#ifndef HAUL_STALL_WATCH_H
#define HAUL_STALL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* The deadline, in peer timeouts: two minutes when these are 5 s. */
enum {
    STALL_PEER_TIMEOUTS = 24,
    STALL_IDLE_PEER_TIMEOUTS = 4, /* where the peer alone can do something, and would tell */
};

struct stall_watch {
    uint64_t limit_ns;
    uint64_t tell_ns;  /* between two Working messages */
    uint64_t moved_ns; /* when either side was last seen to have done something */
    uint64_t ours;     /* the counts */
    uint64_t theirs;
    uint64_t told; /* of ours, when the last Working message went out */
    uint64_t told_ns;
    uint64_t said;    /* `done` of that message */
    uint64_t working; /* `done` of the peer's last one */
};

/* A connection begins: the peer counts anew. */
void stall_watch_init(struct stall_watch *watch, uint32_t peer_timeout_ms);
/* The peer's timeout is known: it is told often enough for that one, too. 0: not known. */
void stall_watch_note_peer_timeout(struct stall_watch *watch, uint32_t peer_timeout_ms);
/* A wait begins: the time runs from now; the first Working is due a peer timeout later. */
void stall_watch_begin(struct stall_watch *watch, uint64_t now_ns);

/* Our count; what the peer's messages say of its own; the `done` of a Working message, which counts
 * only when it has grown: true. */
void stall_watch_note_ours(struct stall_watch *watch, uint64_t count, uint64_t now_ns);
void stall_watch_note_theirs(struct stall_watch *watch, uint64_t count, uint64_t now_ns);
bool stall_watch_note_working(struct stall_watch *watch, uint64_t done, uint64_t now_ns);

/* `idle`: nothing is left to do on this side. */
uint64_t stall_watch_deadline_ns(const struct stall_watch *watch, bool idle);
uint32_t stall_watch_limit_s(const struct stall_watch *watch, bool idle);

/* Is a Working message due: have we done something, or do we wait for what ends by itself
 * (`bounded`)? Then `*done` is what it says. */
bool stall_watch_must_tell(struct stall_watch *watch, bool bounded, uint64_t now_ns,
                           uint64_t *done);

#endif
