/* SPDX-License-Identifier: Apache-2.0 */
/* target_copy.h — the blocks of a job on the target: data links, appliers and their reports. The
 * counterpart of source_copy.h; session and journal belong to target_driver.
 *
 *   links --blocks--> applier threads --notes--> loop: slots given back, counters, news for the job
 *
 * Thread: the loop's. */
#ifndef HAUL_TARGET_COPY_H
#define HAUL_TARGET_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "applier.h"
#include "haul/migration.h"
#include "message.h"
#include "poll_group.h"
#include "position_queue.h"
#include "receiver_links.h"
#include "target_journal.h"

struct target_copy {
    const struct haul_target_options *target; /* borrowed, like the next two */
    const struct target_journal *journal;
    struct poll_group *group;
    uint32_t jobs;          /* of which this is one */
    uint32_t applier_count; /* the job's share */
    struct receiver_links links;
    struct applier *applier;
    struct applier *stopping;        /* the same, from target_copy_stop to target_copy_stopped */
    struct position_queue positions; /* durable in the store, not yet in the journal */
    bool started;                    /* the plan was accepted, blocks may come */
    uint64_t started_ns;             /* 0: never */
    uint64_t starved_ns;             /* time since then with nothing to do */
    uint64_t starves_since_ns;       /* 0: it has something to do */
    uint64_t space_due_ns;           /* when free space is checked next, or at this many bytes */
    uint64_t space_due_bytes;
    uint64_t started_sequence; /* of the store when the ranges were checked */
    uint32_t flushes_missing;
    uint64_t records;
    uint64_t bytes;
    uint64_t bytes_expected;
    uint64_t moves;            /* notes of the appliers: grows while they work */
    uint32_t recorded_streams; /* finished streams that are in the journal */
    struct digest *recorded;   /* each stream's digest in the journal; NULL: no memory for it */
    uint64_t durable_records;  /* the sum of these */
    uint64_t durable_bytes;
    uint32_t finished_metadata_streams;
    uint32_t metadata_streams;
    uint64_t delta_batches;
    bool progress_due;
    uint64_t progress_sent_ns;
    struct digest digests[HAUL_FAMILY_COUNT_MAX];
    bool scan_wanted[HAUL_FAMILY_COUNT_MAX]; /* the accumulated digest is unknown */
};

void target_copy_init(struct target_copy *copy, const struct haul_target_options *target,
                      const struct target_journal *journal, struct poll_group *group,
                      const struct link_config *config);
void target_copy_fini(struct target_copy *copy);

/* `jobs` run on the receiver now, with this one: take a share of its slots (of each link), of its
 * appliers, at least 1, and of the memory for touched keys. So the first job has all, and one that
 * joins n others an (n + 1)th. */
void target_copy_share(struct target_copy *copy, uint32_t jobs);
/* The plan is accepted: count the streams that are finished by the journal. */
void target_copy_count_finished(struct target_copy *copy);
/* Start the appliers, which open blocks with `key`, and accept links. Errors: NO_MEMORY, LIMIT. */
enum haul_status target_copy_start(struct target_copy *copy, const uint8_t job[HAUL_JOB_BYTES],
                                   const struct block_key *key, uint64_t now_ns,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Apply no more blocks. True: the caller must wait for the appliers, as long as their store calls
 * take: target_copy_join on any thread, then target_copy_stopped. */
bool target_copy_stop(struct target_copy *copy);
void target_copy_join(struct target_copy *copy);
/* The appliers have ended: close the links. */
void target_copy_stopped(struct target_copy *copy);
/* The positions that were taken are in the journal now. */
void target_copy_recorded(struct target_copy *copy);
/* Make everything durable; FLUSHED follows. */
void target_copy_flush(struct target_copy *copy);

enum target_copy_news {
    TARGET_COPY_NOTHING,
    TARGET_COPY_WORKED,  /* something happened that does not concern the job */
    TARGET_COPY_DELTA,   /* a batch of the delta stream was applied */
    TARGET_COPY_DURABLE, /* `positions` has new entries */
    TARGET_COPY_FLUSHED, /* everything taken before the flush is durable */
    TARGET_COPY_FAILED,  /* `error`: the job cannot go on */
};
/* Take one note of the appliers. */
enum target_copy_news target_copy_next(struct target_copy *copy, struct haul_error *error);

/* Has the peer broken the rules of the link? */
bool target_copy_is_violation(const struct haul_error *failed);
/* Poll the links. The time since the last poll counts as starved if that one had found nothing, and
 * everything was applied that had come. `*failed`: see receiver_links_poll; of sealed links CORRUPT
 * instead of a violation. True: something happened. */
bool target_copy_poll_links(struct target_copy *copy, struct haul_error *failed);

/* Has nothing come since this Prepare? Anything that did belongs to another Prepare, and the
 * appliers may be changing the records that the digests cover. */
bool target_copy_is_quiet(const struct target_copy *copy, const haul_control_Prepare *prepare);
/* Now and then, while records come in: is there space for more? Errors: NO_SPACE. */
enum haul_status target_copy_check_space(struct target_copy *copy, uint64_t now_ns,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* After FLUSHED: put the accumulated digests into `digests`. False: the families in `scan_wanted`
 * must be scanned, or ingested tables must be looked up. When either side requests a read-back, all
 * families are scanned. */
bool target_copy_take_digests(struct target_copy *copy, const haul_control_Prepare *prepare);
/* Do both. Thread: the call worker's; the loop must not touch `digests` meanwhile. */
enum haul_status target_copy_scan_digests(struct target_copy *copy,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* After FLUSHED, when the journal has all positions: what a later attempt will find. */
void target_copy_leave(const struct target_copy *copy, struct target_left *left);

/* Is a Progress message due? Fills in `message`. */
bool target_copy_progress(struct target_copy *copy, uint64_t now_ns, struct message *message);
/* The latest time for the next one. */
uint64_t target_copy_progress_ns(const struct target_copy *copy);
/* Send the next one without waiting for its interval: the source may be waiting for it. */
void target_copy_hurry_progress(struct target_copy *copy);

/* A number that changes when something arrives or is applied; `*idle`: all that arrived is
 * applied. */
uint64_t target_copy_activity(const struct target_copy *copy, bool *idle);

/* Blocks whose payload did not match the checksum in their header; valid until the appliers
 * stop. */
uint64_t target_copy_crc_errors(const struct target_copy *copy);
/* The outcome: links, lane, versions, families. */
void target_copy_result(const struct target_copy *copy, struct haul_result *result);

/* The figures so far, without the phase. */
void target_copy_figures(const struct target_copy *copy, uint64_t now_ns,
                         struct haul_progress *progress);

#endif
