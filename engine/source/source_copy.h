/* SPDX-License-Identifier: Apache-2.0 */
/* source_copy.h — the data side of a source: readers, outbox, links and the log's tail, from one
 * view of the store to one target, over any number of connections.
 *
 *   init -> open -> (links up) -> start -> ... events ... -> close -> open -> start -> ... -> fini
 *
 * close tears down everything that belongs to a connection, and keeps the view and what was read
 * (digests, log position). start continues from the target's positions.
 * Thread: the loop's. */
#ifndef HAUL_SOURCE_COPY_H
#define HAUL_SOURCE_COPY_H

#include <stdbool.h>

#include "batch_history.h"
#include "haul/migration.h"
#include "log_tail.h"
#include "outbox.h"
#include "plan.h"
#include "reader_pool.h"
#include "sender_links.h"
#include "source_session.h"

struct source_copy_options {
    bool chooses_window; /* a near target may get less than source->link.slot_count */
    bool chooses_links;  /* source->link_count is only the maximum */
    bool chooses_readers;
    struct haul_store *store;
    const struct haul_source_options *source; /* resolved; borrowed */
    struct plan *plan;                        /* borrowed */
    const struct haul_snapshot *snapshot;     /* borrowed */
    uint64_t snapshot_sequence;
    uint64_t log_sequence;    /* deltas come after it; at or before the snapshot */
    uint64_t foreign_ingests; /* the store's count before the job's first snapshot */
    bool adopted;             /* an earlier process has sent a part of this job */
    uint64_t epoch;
    struct link_address address;
    const struct haul_clock *clock;
    struct poll_group *group;
};

struct source_copy {
    struct source_copy_options options;
    struct outbox outbox;
    struct log_tail *tail;
    struct log_digest *follower;
    struct reader_pool *readers; /* NULL: closed */
    struct sender_links links;
    struct batch_history *histories; /* one for each stream */
    struct digest *stream_digests;   /* of finished streams */
    bool *stream_done;
    const haul_control_PlanAccepted *accepted; /* of the last start; borrowed */
    uint32_t reader_count;
    uint32_t next_stream;
    uint32_t done_streams;
    uint32_t running_tasks; /* running COPY tasks */
    uint32_t tasks;         /* of all kinds, submitted and not returned */
    uint64_t activity;      /* see source_copy_activity */
    bool copying;
    bool rounding;      /* a ROUND runs */
    bool following;     /* a FOLLOW runs */
    bool round_waiting; /* for the end of the FOLLOW */
    bool follow_failed; /* since the last open */
    bool frozen;
    bool copied_reported;
    bool links_reported;
    struct digest *family_digests;
    uint32_t digests_missing; /* families still being scanned */
    bool digests_ready;
};

/* Errors: NO_MEMORY. Call fini also after a failed init. */
enum haul_status source_copy_init(struct source_copy *copy,
                                  const struct source_copy_options *options,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void source_copy_fini(struct source_copy *copy);

/* Create blocks and readers for a connection. Errors: NO_MEMORY, LIMIT. */
enum haul_status source_copy_open(struct source_copy *copy,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void source_copy_close(struct source_copy *copy);

/* Note the distance of the peer before the links are opened, to choose the numbers left to us. A
 * short path needs one link. On a long one every loss and the kernel's buffers hold up a single
 * stream. */
void source_copy_note_distance(struct source_copy *copy, uint32_t round_trip_us);

/* Note whether the peer can unpack payloads. Call after source_copy_note_distance. */
void source_copy_note_compression(struct source_copy *copy, bool offered, bool target_reports);
/* Note whether the peer takes LogData; warns if it is wanted and the peer does not. Call before
 * source_copy_start. */
void source_copy_note_log_data(struct source_copy *copy, bool taken);

/* Continue from the answer's positions. Errors: PROTOCOL (the target claims data that was never
 * sent). */
enum haul_status source_copy_start(struct source_copy *copy,
                                   const haul_control_PlanAccepted *accepted,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Writes are about to be frozen, or continue: start nothing that takes long while they are
 * frozen. */
void source_copy_freeze(struct source_copy *copy, bool frozen);
/* Read the log to its present end. */
void source_copy_round(struct source_copy *copy);
/* Compute count and digest of every family; a DIGESTED event follows. */
void source_copy_digest(struct source_copy *copy);
/* About how many bytes of the ranges the log holds that have not been sent yet. */
/* Count and bytes of all families, once they are computed. */
uint64_t source_copy_lag_bytes(const struct source_copy *copy);
struct digest source_copy_total(const struct source_copy *copy);
/* Stop readers early and close the links, at the end of a job. */
void source_copy_stop(struct source_copy *copy);

/* Do all pending work. True: something happened. */
bool source_copy_poll(struct source_copy *copy, bool metadata_complete);
/* A number that changes between two calls when something was sent, when a reader worked in the
 * store instead of waiting for a block, or when only the rate limit held the blocks back. */
uint64_t source_copy_activity(struct source_copy *copy);
/* The next event for the session: COPIED, ROUND_DONE, DIGESTED, LINKS_UP, LINKS_DOWN, FAILED. */
bool source_copy_event(struct source_copy *copy, struct source_event *event);

#endif
