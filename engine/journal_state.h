/* SPDX-License-Identifier: Apache-2.0 */
/* journal_state.h — what the records of a journal add up to: where a job stands, and who may serve
 * the range. Pure: records in, state out.
 *
 *   source                                    target
 *   NEW                                       NEW
 *    | PLAN                                    | PLAN
 *   PLANNED                                   PLANNED <------------- CLEARED (start again)
 *    | SNAPSHOT                                | POSITION, DELTA        |
 *   COPYING <--- UNFROZEN ---+                COPYING -----------------+
 *    | FROZEN                |                 | PREPARED      ^
 *   FROZEN ------------------+                PREPARED --------+ DELTA, EPOCH (the source thawed)
 *    | DECISION commit                         | COMMITTED
 *   COMMITTED                                 COMMITTED
 *    | RELEASED                                |
 *   RELEASED                                   |
 *    | DONE                                    | DONE
 *   DONE                                      DONE
 *
 * Before the commit, ABORTED (on the source also DECISION abort) leads to ABORTED on either side.
 * From there DONE follows when nothing is left behind: the source has thawed (UNFROZEN), the
 * target has cleared the range (CLEARED, unless there was no PLAN).
 *
 * Invariants:
 *   1. journal_state_apply never fails: journal_state_reserve said yes before, and holds the
 *      memory. So a record that is in the file is in the state.
 *   2. State is a function of the records alone: replaying the file gives the same state.
 *   3. A commit is never taken back, and never follows an abort.
 *   4. Of two journals of one job, at most one says JOURNAL_SERVES, provided that the target
 *      writes COMMITTED only after it has learned the source's DECISION commit. */
#ifndef HAUL_JOURNAL_STATE_H
#define HAUL_JOURNAL_STATE_H

#include "journal_record.h"

enum {
    JOURNAL_STREAM_COUNT_MAX = 4096,
};

/* Name, value, sentence. */
#define JOURNAL_PHASE_LIST(X)                                                         \
    X(NEW, "nothing was promised yet")                                                \
    X(PLANNED, "the plan is durable; no record of the range was sent or applied")     \
    X(COPYING, "records move; the source serves the range")                           \
    X(FROZEN, "the source refuses writes to the range and has not decided")           \
    X(PREPARED, "the target holds everything durably and waits for the decision")     \
    X(COMMITTED, "the range belongs to the target")                                   \
    X(RELEASED, "the source has given the range up for good")                         \
    X(ABORTED, "the range stays with the source; what the job left is being removed") \
    X(DONE, "nothing is left to do")

enum journal_phase {
#define JOURNAL_PHASE_ENUM(name, sentence) JOURNAL_PHASE_##name,
    JOURNAL_PHASE_LIST(JOURNAL_PHASE_ENUM)
#undef JOURNAL_PHASE_ENUM
};

enum journal_outcome {
    JOURNAL_OPEN,   /* undecided as far as this side knows */
    JOURNAL_COMMIT, /* the target owns the range */
    JOURNAL_ABORT,  /* the source owns the range */
};

/* What this side may do with the range, by its journal alone. */
enum journal_claim {
    JOURNAL_SERVES,   /* it is the owner: accept reads and writes */
    JOURNAL_IN_DOUBT, /* accept no writes until the decision is known */
    JOURNAL_YIELDS,   /* it is not the owner */
};

/* A position whose key the state owns. */
struct journal_stream {
    struct journal_position position; /* last_key points to key_memory */
    uint8_t *key_memory;
    size_t key_capacity;
};

struct journal_state {
    enum journal_role role;
    enum journal_phase phase;
    enum journal_outcome outcome;
    uint64_t record_count;
    uint8_t *plan;                      /* owned */
    size_t plan_size;                   /* 0 before PLAN */
    char peer[HAUL_IDENTITY_BYTES_MAX]; /* "": none yet */
    char peer_address[JOURNAL_ADDRESS_BYTES_MAX + 1];

    /* Set by ABORTED; OK while there was none. */
    enum haul_status abort_status;
    char abort_text[JOURNAL_TEXT_BYTES_MAX + 1];

    /* Source. */
    uint32_t snapshot_count; /* attempts so far: the epoch of the last one */
    bool restored;           /* may be of before its decision: the database was set back */
    bool parted;             /* the target owned by the job, and gave a part back, of which this
                              * database, restored or decided, does not know */
    bool returned;           /* decided; the same, and it gave everything back */
    bool frozen;             /* writes to the range are to be refused, also after a restart */
    bool decided;
    struct journal_snapshot snapshot;
    uint64_t frozen_sequence; /* of the last FROZEN */
    struct journal_decision decision;

    /* Target. */
    uint64_t epoch; /* of the newest attempt of the source; 0: the first */
    bool cleared;   /* after an abort: nothing of the job is left in the range */
    bool has_delta;
    char (*made)[HAUL_NAME_BYTES_MAX]; /* families that were made for the job; owned */
    size_t made_count;
    struct journal_stream *streams; /* in the order in which they first appeared */
    size_t stream_count;
    size_t stream_capacity;
    struct journal_delta delta;
    struct journal_prepared prepared; /* of the last PREPARED; valid in PREPARED and COMMITTED */
    struct journal_committed committed;
    bool has_held; /* `held` is of the last PREPARED */
    struct journal_held held;
};

void journal_state_init(struct journal_state *state, enum journal_role role);
void journal_state_fini(struct journal_state *state);

/* May this record come next, and is there memory for it? The state stays as it is.
 * Errors: INVALID (it may not; `error` says why), NO_MEMORY, LIMIT (too many streams). */
enum haul_status journal_state_reserve(struct journal_state *state,
                                       const struct journal_record *record,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Take in the record that journal_state_reserve has just allowed. */
void journal_state_apply(struct journal_state *state, const struct journal_record *record);

/* Read records from the start of `records` up to the first that is torn. Out: bytes of the sound
 * prefix; record numbers go on at state->record_count + 1.
 * Errors: CORRUPT (a record rotted that had been durable, or cannot follow the one before it),
 * NO_MEMORY, LIMIT. */
enum haul_status journal_state_replay(struct journal_state *state, uint32_t seed,
                                      struct haul_slice records, size_t *sound_size,
                                      struct haul_error *error) HAUL_MUST_CHECK;

enum journal_claim journal_state_claim(const struct journal_state *state);

/* The last position of a stream; NULL: none. Ownership: the state's, until the next apply. */
const struct journal_position *journal_state_position(const struct journal_state *state,
                                                      uint32_t stream_id);

/* Stable upper-case name and sentence of a phase. */
const char *journal_phase_name(enum journal_phase phase);
const char *journal_phase_sentence(enum journal_phase phase);

#endif
